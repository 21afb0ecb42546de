"""The agent loop: one turn, its decisions and its parallel tool calls."""
