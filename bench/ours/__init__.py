"""What the mesh gets for the benchmark: one more agent, and its tools."""
