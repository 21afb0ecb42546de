"""The client of this mesh under the protocol's conformance suite: `python -m tests.mcp.conformance_client URL`.

It makes the calls that a scenario asks for through the code that serves MCP tools in a mesh.
"""

import os
import sys

import anyio

from switchboard import McpServer
from switchboard.foreign_tools import FoundTool
from switchboard.toolkit.mcp.client import Attempt, call_once, discover

CALLS = {
    "tools_call": ("add_numbers", {"a": 5, "b": 3}),
    "sse-retry": ("test_reconnection", {}),
    "elicitation-sep1034-client-defaults": ("test_client_elicitation_defaults", {}),
}


def no_objection(listed: FoundTool | None) -> str:
    return "" if listed else "not listed"


async def main(url: str) -> None:
    name, arguments = CALLS.get(os.environ["MCP_CONFORMANCE_SCENARIO"], ("", {}))
    server = McpServer("Conformance", url=url, tools=(name or "none",))
    catalog = await discover(server, {})
    assert not catalog.problem, catalog
    if name:
        outcome = await call_once(server, Attempt(name, arguments, "key", asks=True, answers={}), no_objection)
        assert outcome.kind == "done", outcome


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
