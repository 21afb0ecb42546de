"""Talk to a mesh over MCP, as a customer. Its questions are put to you, and your answer decides.

Start a mesh that serves MCP, and send a message:

    pip install 'switchboard-mesh[cli,mcp]'
    GATEWAY_MCP_URL=http://127.0.0.1:8000/v1/mcp switchboard up
    export TOKEN=$(switchboard token)
    python examples/mcp/customer.py "I want to apply for a loan of 8000 EUR over 48 months; the purpose is a car"
"""

import asyncio
import os
import sys
from typing import Any
from uuid import uuid4

import httpx2
from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestParams, ElicitResult

URL = os.environ.get("MCP_URL", "http://127.0.0.1:8000/v1/mcp")
KEY = "io.modelcontextprotocol/idempotencyKey"


async def ask_me(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Put a question of the mesh to the person at the terminal."""
    typed = await asyncio.to_thread(input, f"{params.message} [y/N] ")
    return ElicitResult(action="accept", content={"confirmed": typed.strip().lower() == "y"})


async def report(progress: float, total: float | None, message: str | None) -> None:
    print(f"  … {message}")  # noqa: T201


async def main(text: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60)) as http,
        Client(streamable_http_client(URL, http_client=http), elicitation_callback=ask_me) as client,
    ):
        # With the same key, a call that is repeated after a lost connection is the same message.
        meta: Any = {KEY: uuid4().hex}
        result = await client.call_tool("ask", {"text": text}, progress_callback=report, meta=meta)
        if result.is_error:
            sys.exit("\n".join(block.text for block in result.content if block.type == "text"))
        answer = result.structured_content
        print(f"{answer['agent']}: {answer['text']}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "how much is my balance?"))
