"""A minimal HTTP server for a peer: `POST /sessions/{id}` with a text and the message's key."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from switchboard.runtime.settings import ServerSettings, load


@dataclass(frozen=True)
class Done:
    """A turn's reply, and the number of successful tool results."""

    text: str
    results: int


Turn = Callable[[str, str, str], Awaitable[Done]]
"""Takes the session, the text, and the key: the same one if a client sends a message again."""


def serve(turn: Turn) -> None:
    """Answer each message with `turn(session, text, key)` until SIGTERM."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(turn))


async def listen(turn: Turn) -> None:
    """The same for a peer that has opened something in this event loop."""
    settings = load(ServerSettings)
    server = Server(
        app(turn), address=settings.host, port=settings.port, interface=Interfaces.ASGINL, log_enabled=False
    )
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, server.stop)
    await server.serve()


def app(turn: Turn) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/health":
            await reply(send, b"{}")
            return
        message = orjson.loads(await read(receive))
        done = await turn(scope["path"].removeprefix("/sessions/"), message["text"], message["key"])
        await reply(send, orjson.dumps(asdict(done)))

    return answer


async def read(receive: Any) -> bytes:
    event = await receive()
    body: bytes = event.get("body", b"")
    while event.get("more_body"):
        event = await receive()
        body += event.get("body", b"")
    return body


async def reply(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
