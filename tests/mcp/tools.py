"""The tools of the MCP servers, as a process of their own: `python -m tests.mcp.tools`."""

import restate

from switchboard import McpTools, serve
from switchboard.builtin.identity.handlers import identity_checks_object
from tests.mcp.declarations import SERVERS


async def nothing_on_record(ctx: restate.Context, customer_id: str) -> None:
    """No customer can be verified: there is nothing to compare with."""


if __name__ == "__main__":
    tools = (McpTools(server) for server in SERVERS)
    serve(*tools, identity_checks_object(nothing_on_record), name="mcp_tools")
