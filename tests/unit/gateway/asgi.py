"""Asks an ASGI application without a server: for what no real client does on purpose."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchboard.gateway.middleware import App, Event


@dataclass(frozen=True)
class Answered:
    """What the application said."""

    status: int
    headers: Mapping[str, str]
    body: Any


async def ask(app: App, path: str, headers: Mapping[str, str], events: Sequence[Event]) -> Answered:
    """POST with these events of a body; after them the client stays, and says nothing more."""
    waiting, said = list(events), []

    async def receive() -> Event:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(event: Event) -> None:
        said.append(event)

    listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": listed,
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("gateway", 80),
        "client": ("client", 1),
    }
    try:
        await app(scope, receive, send)
    except ValueError:
        if not said:
            raise
    start, *chunks = said
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], told, json.loads(b"".join(chunk.get("body", b"") for chunk in chunks)))


def body(content: bytes, more: bool = False) -> Event:
    return {"type": "http.request", "body": content, "more_body": more}
