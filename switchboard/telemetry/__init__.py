"""What the mesh lets be seen of itself: spans, metrics and logs, each once, and nobody's words in them."""
