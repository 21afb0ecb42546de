"""Tools of MCP servers: a Restate service for each server, whose handlers call the server."""
