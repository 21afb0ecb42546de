"""MCP servers as tools, on a real mesh with real MCP servers."""
