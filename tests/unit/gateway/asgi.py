"""Calls an ASGI application without a server, to send what a real client would not send."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchboard.gateway.middleware import App, Event


@dataclass(frozen=True)
class Answer:
    """The response of the application."""

    status: int
    headers: Mapping[str, str]
    body: Any


async def post(app: App, path: str, headers: Mapping[str, str], events: Sequence[Event]) -> Answer:
    """POST with these body events, and read a JSON answer."""
    start, content = await exchange(app, path, headers, events)
    received = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], received, json.loads(content))


async def exchange(app: App, path: str, headers: Mapping[str, str], events: Sequence[Event]) -> tuple[Event, bytes]:
    """POST with these body events; after them the client stays connected and sends nothing more.

    Returns the start of the response, and its body.
    """
    pending, sent = list(events), []

    async def receive() -> Event:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop(0)

    async def send(event: Event) -> None:
        sent.append(event)

    listed = [(name.lower().encode(), value.encode()) for name, value in {"host": "gateway", **headers}.items()]
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
        if not sent:
            raise
    start, *chunks = sent
    return start, b"".join(chunk.get("body", b"") for chunk in chunks)


def body(content: bytes, more: bool = False) -> Event:
    return {"type": "http.request", "body": content, "more_body": more}
