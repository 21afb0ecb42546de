"""Measures a whole mesh beside its peers, on the same work: `python -m bench` (docs/operate/performance.md)."""
