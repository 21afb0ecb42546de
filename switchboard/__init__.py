"""The public API of the framework, for authors of agents and tools.

Declarations, such as Agent and Tool, import pydantic only. Names that need Restate are imported on first use, so that
a process that only reads declarations stays small.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from switchboard.agent import Agent
from switchboard.contract import FromIdentity, NoInput, PersonalInput, Resolved, Text, Tool, ToolInput
from switchboard.mcp_server import Caller, ClientCredentials, McpServer, McpTool
from switchboard.messages import WireModel
from switchboard.text import Line, Name, Paragraph, quoted

if TYPE_CHECKING:
    from switchboard.runtime.serve import serve
    from switchboard.session.sessions import Sessions
    from switchboard.toolkit.clock import business_now
    from switchboard.toolkit.declare import tool_object, tool_service, tool_workflow
    from switchboard.toolkit.implement import checks, implements
    from switchboard.toolkit.mcp_tools import McpTools
    from switchboard.toolkit.refusal import Refusal
    from switchboard.toolkit.rpc import allowed, call_tool, last_word, notify_customer, send_tool
    from switchboard.toolkit.saga import Saga
    from switchboard.toolkit.toolset import Toolset

__all__ = [
    "Agent",
    "Caller",
    "ClientCredentials",
    "FromIdentity",
    "Line",
    "McpServer",
    "McpTool",
    "McpTools",
    "Name",
    "NoInput",
    "Paragraph",
    "PersonalInput",
    "Refusal",
    "Resolved",
    "Saga",
    "Sessions",
    "Text",
    "Tool",
    "ToolInput",
    "Toolset",
    "WireModel",
    "allowed",
    "business_now",
    "call_tool",
    "checks",
    "implements",
    "last_word",
    "notify_customer",
    "quoted",
    "send_tool",
    "serve",
    "tool_object",
    "tool_service",
    "tool_workflow",
]

LAZY_IMPORTS = {
    "McpTools": "switchboard.toolkit.mcp_tools:McpTools",
    "Refusal": "switchboard.toolkit.refusal:Refusal",
    "Saga": "switchboard.toolkit.saga:Saga",
    "Sessions": "switchboard.session.sessions:Sessions",
    "Toolset": "switchboard.toolkit.toolset:Toolset",
    "allowed": "switchboard.toolkit.rpc:allowed",
    "business_now": "switchboard.toolkit.clock:business_now",
    "call_tool": "switchboard.toolkit.rpc:call_tool",
    "checks": "switchboard.toolkit.implement:checks",
    "implements": "switchboard.toolkit.implement:implements",
    "last_word": "switchboard.toolkit.rpc:last_word",
    "notify_customer": "switchboard.toolkit.rpc:notify_customer",
    "send_tool": "switchboard.toolkit.rpc:send_tool",
    "serve": "switchboard.runtime.serve:serve",
    "tool_object": "switchboard.toolkit.declare:tool_object",
    "tool_service": "switchboard.toolkit.declare:tool_service",
    "tool_workflow": "switchboard.toolkit.declare:tool_workflow",
}
"""Modules of the public names that need Restate. Must match the imports for type checkers above."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = LAZY_IMPORTS[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the module's names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
