"""The words that an author of agents and tools needs. Everything else in this package is its own business.

Importing a name that talks to Restate imports Restate; the declarations (`Agent`, `Tool` and their inputs) do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from switchboard.agent import Agent
from switchboard.contract import FromIdentity, NoInput, PersonalInput, Text, Tool, ToolInput
from switchboard.messages import Wire as WireModel

if TYPE_CHECKING:
    from switchboard.runtime.serve import serve
    from switchboard.session.sessions import Sessions
    from switchboard.toolkit.implement import implements
    from switchboard.toolkit.toolset import Toolset

__all__ = [
    "Agent",
    "FromIdentity",
    "NoInput",
    "PersonalInput",
    "Sessions",
    "Text",
    "Tool",
    "ToolInput",
    "Toolset",
    "WireModel",
    "implements",
    "serve",
]

LAZY = {
    "Sessions": "switchboard.session.sessions:Sessions",
    "Toolset": "switchboard.toolkit.toolset:Toolset",
    "implements": "switchboard.toolkit.implement:implements",
    "serve": "switchboard.runtime.serve:serve",
}
"""Names that are imported when they are first used, and where they are."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = LAZY[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found
