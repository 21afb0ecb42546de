"""The agent and the tools that the benchmark adds to the mesh."""
