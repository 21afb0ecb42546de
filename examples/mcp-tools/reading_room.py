"""An agent whose tools come from an MCP server. To start the mesh, run `switchboard up` in this folder."""

import sys
from pathlib import Path

from switchboard import Agent, McpServer, McpTool, McpTools, Sessions, serve

LIBRARY = McpServer(
    "Library",
    command=(sys.executable, str(Path(__file__).with_name("library_server.py"))),
    tools=(
        McpTool("find_book", purpose="Say where a book is in the library."),
        # The reader is always the customer of the session. The server says nothing about `lend_book`: the customer
        # is asked first, and a lost answer is reported as unknown.
        McpTool(
            "lend_book",
            purpose="Lend a book to the reader.",
            identity={"reader": "customer_id"},
            label="lend the book",
        ),
    ),
)

reader_service = Agent(
    name="ReaderService",
    handles="Where a book is in the library, and lending it.",
    instructions="You help the readers of a library. Look books up; never guess where they are.",
    servers=(LIBRARY,),
)

if __name__ == "__main__":
    serve(Sessions(first_agent=reader_service), reader_service, McpTools(LIBRARY))
