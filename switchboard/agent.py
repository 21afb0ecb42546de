"""What an author of agents declares: values only. No I/O, no clock, no Restate."""

import re
from dataclasses import dataclass
from typing import Any

from switchboard.contract import IDENTITY_FIELDS, Tool
from switchboard.messages import Card

STEPS_MAX = 8
HANDOFF_PREFIX = "handoff_to_"

# An agent's name is a Restate service name and, after the prefix, a function name of the model's.
AGENT_NAME = re.compile(r"[A-Z][a-zA-Z0-9]{0,47}")


@dataclass(frozen=True)
class Agent:
    """A service agent: what it handles, how it should behave, and the tools it may call.

    `name` is the Restate service's name; `handles` is the sentence by which other agents choose it.
    `steps_max` bounds the model calls of one turn. `identity_fields` are names of input fields by which this domain
    names its customer, such as `user_id`; like `customer_id`, no tool may let the model fill them in.
    Raises ValueError at import for a name that cannot be served, for two tools of one name, and for an unsafe tool.
    """

    name: str
    handles: str
    instructions: str
    tools: tuple[Tool[Any, Any], ...] = ()
    steps_max: int = STEPS_MAX
    identity_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not AGENT_NAME.fullmatch(self.name):
            raise ValueError(f"agent {self.name!r}: a name is a capital letter and up to 47 letters or digits")
        if not self.handles.strip():
            raise ValueError(f"agent {self.name}: say in `handles` what it handles, others hand off by it")
        names = [tool.name for tool in self.tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"agent {self.name}: two tools are called {', '.join(twice)}")
        reserved = [name for name in names if name.startswith(HANDOFF_PREFIX)]
        if reserved:
            raise ValueError(f"agent {self.name}: {reserved[0]!r} begins like a hand-off, call it something else")
        for tool in self.tools:
            self.check_tool(tool)

    def check_tool(self, tool: Tool[Any, Any]) -> None:
        """Raise ValueError for a tool that this agent's model must not have."""
        if tool.internal:
            raise ValueError(
                f"agent {self.name}: {tool.name!r} is internal, so only other tools may call it. Remove it from"
                " `tools`, or remove internal=True from its declaration"
            )
        exposed = tool.exposed_identity((*IDENTITY_FIELDS, *self.identity_fields))
        if exposed:
            raise ValueError(
                f"agent {self.name}: with {tool.name!r} the model could set {exposed[0]!r}, and so say who the customer"
                f' is. Have the session fill the field: `{exposed[0]}: Annotated[str, FromIdentity("customer_id")]`'
            )

    @property
    def card(self) -> Card:
        return Card(name=self.name, handles=self.handles)

    def tool(self, name: str) -> Tool[Any, Any] | None:
        """The tool of that name, or None when the model made it up."""
        return next((tool for tool in self.tools if tool.name == name), None)
