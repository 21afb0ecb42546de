"""An MCP server of a library, as another team may run it. The mesh starts it with `python library_server.py`."""

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

BOOKS = {"Middlemarch": "on shelf 12", "Ulysses": "lent until Friday"}

server = MCPServer("library", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def find_book(title: str) -> str:
    """Say where a book is."""
    return f"{title} is {BOOKS.get(title, 'not in this library')}."


@server.tool()
async def reserve_book(title: str, reader: str) -> str:
    """Reserve a book for a reader."""
    return f"{title} is reserved for {reader}."


if __name__ == "__main__":
    server.run()
