"""Benchmark of a whole mesh and its peers on the same work: `python -m bench` (docs/operate/performance.md)."""
