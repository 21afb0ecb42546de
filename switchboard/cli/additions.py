"""What `switchboard new --with` adds to a project."""

from collections.abc import Sequence
from enum import StrEnum
from textwrap import dedent


class Addition(StrEnum):
    """An example that a project can have besides its own. The value is the name of its folder of templates."""

    MCP = "mcp"
    POSTGRES = "postgres"


WORDS: dict[Addition, dict[str, str]] = {
    Addition.MCP: {
        "extras": ",mcp",
        "steps": "  pip install 'switchboard-mesh[mcp]'\n",
        "agent_servers": "\n    servers=(DELIVERIES,),",
        "served_names": "McpTools, ",
        "served": ", McpTools(DELIVERIES)",
        "files": "\n| `{module}/deliveries.py` | the MCP server whose tools the agent may call |"
        "\n| `{module}/deliveries_server.py` | stands in for that server |",
    },
    Addition.POSTGRES: {
        "extras": ",postgres",
        "packages": "\nalembic\nsqlalchemy",
        "agent_tools": "rate_order, ",
        "served": ", ratings, database",
        "steps": "  pip install 'switchboard-mesh[postgres]' alembic sqlalchemy\n"
        "  export {variable}_DATABASE_URL=postgresql://postgres@127.0.0.1/postgres\n"
        "  python -m {module}.migrate                    # creates the tables\n",
        "files": "\n| `{module}/ratings.py` | a tool that writes to the database |"
        "\n| `{module}/migrate.py`, `{module}/migrations/` | the tables |"
        "\n| `values-postgres.yaml` | what the chart needs for the database, besides `values.yaml` |",
    },
}
"""What an addition puts into the templates of every project. `{module}` is the project's package."""

IMPORTS: dict[Addition, dict[str, str]] = {
    Addition.MCP: {
        "agent_imports": "from {module}.deliveries import DELIVERIES",
        "served_imports": "from {module}.deliveries import DELIVERIES",
    },
    Addition.POSTGRES: {
        "agent_imports": "from {module}.ratings import rate_order",
        "served_imports": "from {module}.ratings import database, ratings",
    },
}
"""Imports from the package that an addition needs in the module of the agent, and in that of the service `tools`."""

SERVED_IMPORTS = ("from {module}.customers import facts_on_record", "from {module}.orders import orders")
"""Imports of the service `tools` in every project."""


def words_of(additions: Sequence[Addition], module: str) -> dict[str, str]:
    """Return what the additions put into the templates: empty texts without any."""
    chosen = list(dict.fromkeys(additions))
    names = {name for words in WORDS.values() for name in words}
    agent = sorted(IMPORTS[addition]["agent_imports"] for addition in chosen)
    words = {name: "".join(WORDS[addition].get(name, "") for addition in chosen) for name in names}
    words |= {
        "commands": dedent(words["steps"]),
        "agent_imports": "\n\n" * bool(agent) + "\n".join(agent),
        "served_imports": "\n".join(
            sorted([*SERVED_IMPORTS, *(IMPORTS[addition]["served_imports"] for addition in chosen)])
        ),
    }
    return {name: word.format(module=module, variable=module.upper()) for name, word in words.items()}
