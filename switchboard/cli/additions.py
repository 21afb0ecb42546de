"""What `switchboard new --with` adds to a project."""

from collections.abc import Sequence
from enum import StrEnum


class Addition(StrEnum):
    """An example that a project can have besides its own. The value is the name of its folder of templates."""

    MCP = "mcp"


WORDS: dict[Addition, dict[str, str]] = {
    Addition.MCP: {
        "extras": ",mcp",
        "agent_imports": "\n\nfrom {module}.deliveries import DELIVERIES",
        "agent_servers": "\n    servers=(DELIVERIES,),",
        "served_names": "McpTools, ",
        "served_imports": "\nfrom {module}.deliveries import DELIVERIES",
        "served": ", McpTools(DELIVERIES)",
    },
}
"""What an addition puts into the templates of every project. `{module}` is the project's package."""


def words_of(additions: Sequence[Addition], module: str) -> dict[str, str]:
    """Return what the additions put into the templates: empty texts without any."""
    names = {name for words in WORDS.values() for name in words}
    chosen = [WORDS[addition] for addition in dict.fromkeys(additions)]
    return {name: "".join(words.get(name, "") for words in chosen).format(module=module) for name in names}
