"""The idempotency key of an MCP call. MCP defines none, so servers and clients have to agree on its name."""

IDEMPOTENCY_META = "io.modelcontextprotocol/idempotencyKey"
"""Entry of a call's `_meta` that holds the key: the name that several MCP clients and servers already use."""
