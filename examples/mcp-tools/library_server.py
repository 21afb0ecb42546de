"""An MCP server of a library, as another team may run it. The mesh starts it with `python library_server.py`."""

from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

Title = Literal["Middlemarch", "Ulysses"]

BOOKS: dict[Title, str] = {"Middlemarch": "on shelf 12", "Ulysses": "lent until Friday"}

server = MCPServer("library", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def find_book(title: Title) -> str:
    """Say where a book is."""
    return f"{title} is {BOOKS[title]}."


@server.tool()
async def lend_book(title: Title, reader: str) -> str:
    """Lend a book to a reader."""
    return f"{title} is lent to {reader}."


if __name__ == "__main__":
    server.run()
