"""Declaration of an agent. Values only: no I/O, no clock, no Restate."""

import re
from dataclasses import dataclass
from typing import Any

from switchboard.contract import IDENTITY_FIELDS, Tool
from switchboard.mcp_server import McpServer
from switchboard.messages import Card

STEPS_MAX = 8
"""Default limit of model calls in one turn. A turn that needs more ends with an apology."""

HANDOFF_PREFIX = "handoff_to_"
"""Prefix of the function by which the model hands off to another agent: `handoff_to_Orders`."""

# The name is used as a Restate service name and, after the prefix, as a function name for the model.
AGENT_NAME = re.compile(r"[A-Z][a-zA-Z0-9]{0,47}")


@dataclass(frozen=True)
class Agent:
    """A customer service agent: its instructions and the tools that it may call.

    ```python
    orders = Agent(
        name="Orders",
        handles="Where an order is, and cancelling it.",
        instructions="You answer the customers of a shop. ...",
        tools=(GET_ORDER, CANCEL_ORDER),
    )
    ```

    Raises:
        ValueError: At import, for an invalid name, duplicate tool names or an unsafe tool. A tool is unsafe if it is
            internal, or if the model could fill in a field that names the customer.
    """

    name: str
    """Name of the agent and of its Restate service: a capital letter and up to 47 letters or digits."""

    handles: str
    """One sentence on what the agent handles. Other agents read it to decide whether to hand off to this one."""

    instructions: str
    """The system prompt."""

    tools: tuple[Tool[Any, Any], ...] = ()
    """The tools that the model may call. Names must be unique and must not begin with `handoff_to_`."""

    steps_max: int = STEPS_MAX
    """Maximum number of model calls in one turn."""

    identity_fields: tuple[str, ...] = ()
    """Other names for the customer's id in this domain, such as `user_id`. Like `customer_id`, such an input field must
    be filled from the session's identity."""

    model: str = ""
    """Model of this agent, such as `anthropic:claude-sonnet-5-5`. By default the one that the settings name."""

    servers: tuple[McpServer, ...] = ()
    """MCP servers whose declared tools the model may call too. See `McpServer.only` for some of them."""

    def __post_init__(self) -> None:
        if not AGENT_NAME.fullmatch(self.name):
            raise ValueError(f"agent {self.name!r}: a name must be a capital letter and up to 47 letters or digits")
        if not self.handles.strip():
            raise ValueError(
                f"agent {self.name}: `handles` is empty. Describe what the agent handles: other agents read it to "
                "decide whether to hand off"
            )
        names = [tool.name for tool in self.tools]
        # In a turn, the tools of the servers are among `tools`.
        names += [tool.model_name for server in self.servers for tool in server.declared]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(
                f"agent {self.name}: more than one tool is named {', '.join(duplicates)}. Rename one of them"
            )
        reserved = [name for name in names if name.startswith(HANDOFF_PREFIX)]
        if reserved:
            raise ValueError(
                f"agent {self.name}: tool {reserved[0]!r} begins with {HANDOFF_PREFIX!r}, which is reserved. Rename it"
            )
        for tool in self.tools:
            self._check_tool(tool)

    def _check_tool(self, tool: Tool[Any, Any]) -> None:
        """Raise ValueError if this agent may not have the tool."""
        if tool.internal:
            raise ValueError(
                f"agent {self.name}: tool {tool.name!r} is internal, so only other tools may call it. Remove it from"
                " `tools`, or remove internal=True from the tool"
            )
        exposed = tool.exposed_identity((*IDENTITY_FIELDS, *self.identity_fields))
        if exposed:
            raise ValueError(
                f"agent {self.name}: the model could set {exposed[0]!r} of {tool.name!r} and thereby choose the"
                " customer. Let the session fill the field:"
                f' `{exposed[0]}: Annotated[str, FromIdentity("customer_id")]`'
            )

    @property
    def card(self) -> Card:
        """The name and the description by which other agents know this one."""
        return Card(name=self.name, handles=self.handles)

    def tool(self, name: str) -> Tool[Any, Any] | None:
        """Return the tool of that name, or None if the agent has no such tool."""
        return next((tool for tool in self.tools if tool.name == name), None)
