"""The MCP servers of the test mesh, and the agent that may call their tools."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from switchboard import Agent, Caller, ClientCredentials, McpServer, McpTool
from tests.mcp.bad_server import FAULTS, SILENT
from tests.parts import PROJECT

NODE_MODULES = PROJECT / "node_modules"
EVERYTHING_PROGRAM = "@modelcontextprotocol/server-everything/dist/index.js"
KINDS = ("read", "write")
REFUSED = ("read_broken_schema", "read_long_schema", "read_identity", "read_missing", "read_twice")
SECRET = "sesame-0815"


async def authorize(caller: Caller | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {SECRET}-{caller.customer_id if caller else 'listing'}"}


def url(name: str) -> str:
    return f"http://127.0.0.1:{os.environ[name]}/mcp"


SHOP = McpServer(
    "Shop",
    url=lambda: url("SHOP_PORT"),
    authorize=authorize,
    tools=(
        McpTool("get_order", identity={"account": "customer_id"}, purpose="Look an order up."),
        McpTool("add_note", repeatable=True),
        "set_address",
        McpTool("refund", repeatable=True),
        McpTool("whoami", verified=False),
        "show",
        "wait",
        McpTool("order_gift", asks=True),
    ),
)
"""Honours the key, and is said to do so."""

DEPOT = McpServer(
    "Depot",
    url=lambda: url("DEPOT_PORT"),
    tools=(
        McpTool("add_note", alias="depot_note"),
        McpTool("refund", alias="depot_refund"),
        McpTool("set_address", alias="depot_address"),
    ),
)
"""Does not honour the key."""

TILL = McpServer(
    "Till",
    command=(sys.executable, "-m", "tests.mcp.shop", "stdio"),
    environment=("SHOP_LOG", "SHOP_HONOURS_KEY", "PYTHONPATH"),
    tools=(McpTool("add_note", alias="till_note"), McpTool("show", alias="till_show")),
)
"""The same over standard input and output."""

GONE = McpServer("Gone", command=(sys.executable, "-c", "raise SystemExit(1)"), tools=("gone_tool",))
"""Dies at the start."""

QUICK = timedelta(seconds=2)
SHORT = timedelta(seconds=5)
"""For a server to answer on a busy machine. A turn waits as long for a task."""

BAD = McpServer(
    "Bad",
    url=lambda: url("BAD_PORT"),
    tools=(
        *(f"{kind}_{fault}" for kind in KINDS for fault in FAULTS),
        "read_injects",
        "read_lies",
        "read_shifty",
        *REFUSED,
    ),
)
"""Does everything wrong, over HTTP."""

SLOW = McpServer(
    "Slow",
    url=lambda: url("BAD_PORT"),
    timeout=QUICK,
    tools=tuple(f"{kind}_{fault}" for kind in KINDS for fault in SILENT),
)
"""Does not answer."""

PIPE = (sys.executable, "-m", "tests.mcp.bad_server", "stdio")
BAD_PIPE = McpServer(
    "BadPipe",
    command=PIPE,
    environment=("PYTHONPATH",),
    tools=tuple(McpTool(f"write_{fault}", alias=f"pipe_{fault}") for fault in ("huge", "disconnect", "no_result")),
)
"""The same over standard input and output."""

SLOW_PIPE = McpServer(
    "SlowPipe",
    command=PIPE,
    environment=("PYTHONPATH",),
    timeout=QUICK,
    tools=tuple(McpTool(f"write_{fault}", alias=f"pipe_{fault}") for fault in ("hang", "garbage")),
)

EVERYTHING = McpServer(
    "Everything",
    command=("node", str(NODE_MODULES / EVERYTHING_PROGRAM), "stdio"),
    tools=(
        "echo",
        "get-sum",
        "get-tiny-image",
        "get-resource-links",
        "get-structured-content",
        "get-annotated-message",
        McpTool("trigger-elicitation-request", alias="ask_me", asks=True, consent=False),
    ),
)
"""The reference server of the protocol, which others wrote in another language."""

WORKSHOP = McpServer(
    "Workshop",
    url=lambda: url("WORKSHOP_PORT"),
    timeout=timedelta(minutes=5),
    authorize=authorize,
    tools=(
        "build",
        "measure",
        McpTool("paint", asks=True, consent=False),
        "quote",
    ),
)
"""Goes on with calls as tasks, as servers of 2026 do."""

BACKYARD = McpServer(
    "Backyard",
    url=lambda: url("WORKSHOP_PORT"),
    timeout=SHORT,
    tools=(
        McpTool("build", alias="late_build"),
        McpTool("measure", alias="late_measure"),
        McpTool("paint", alias="late_paint", asks=True, consent=False),
    ),
)
"""The same server, which turns do not wait for."""

OVERDUE = McpServer(
    "Overdue",
    url=lambda: url("WORKSHOP_PORT"),
    timeout=SHORT,
    task_timeout=timedelta(seconds=1),
    tools=(McpTool("build", alias="overdue_build"), McpTool("paint", alias="plain_paint", consent=False)),
)
"""The same server, whose tasks are soon too late."""

RESEARCH = McpServer(
    "Research",
    url=lambda: url("EVERYTHING_PORT"),
    tools=(
        McpTool("simulate-research-query", alias="research", asks=True, consent=False),
        McpTool("echo", "say_again"),
    ),
)
"""The reference server over HTTP, whose tasks belong to MCP sessions, as those of 2025 do."""

VAULT = McpServer(
    "Vault",
    url=lambda: os.environ["VAULT_URL"] + "/mcp",
    oauth=ClientCredentials(
        issuer=lambda: os.environ["VAULT_URL"],
        client_id="switchboard",
        secret=lambda: Path(os.environ["VAULT_SECRET_FILE"]).read_text(),
    ),
    tools=(McpTool("whoami", alias="open_vault", consent=False, verified=False),),
)
"""Gives tokens by OAuth to the mesh itself."""

SERVERS = (
    *(SHOP, DEPOT, TILL, GONE, BAD, SLOW, BAD_PIPE, SLOW_PIPE),
    *(EVERYTHING, WORKSHOP, BACKYARD, OVERDUE, RESEARCH, VAULT),
)

desk = Agent(
    name="Desk",
    handles="Orders of the shop.",
    instructions="You help the customers of a shop.",
    servers=SERVERS,
)
