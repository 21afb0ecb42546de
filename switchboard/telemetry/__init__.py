"""Spans, metrics and logs of the mesh: recorded once despite replays, and by default without text of customers."""
