"""Environment variables that an MCP server's process gets."""

import os
from collections.abc import Iterable


def variables(names: Iterable[str]) -> dict[str, str]:
    """Return the environment variables of these names that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}
