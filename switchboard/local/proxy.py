"""The proxy in front of a local Restate server: it serves Restate's ports, and refuses requests of foreign web pages.

Restate's ingress answers every web page (it reflects any Origin), and its admin API checks nothing. So the server
listens only on Unix sockets, which no web page can reach, and clients on this machine use the ports of this process:

    python -m switchboard.local.proxy --ui-port 9070 8080=/…/ingress.sock 9070=/…/admin.sock
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import aiohttp
import uvloop
from aiohttp import hdrs, web
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode
from yarl import URL

from switchboard.runtime.settings import load
from switchboard.web_pages import OwnPages

HOST = "127.0.0.1"

STOP_TIMEOUT = timedelta(seconds=1)
"""How long open requests may continue after SIGTERM. Restate has stopped by then, so they only have to end."""

HEADER_MAX_BYTES = 64 * 1024
"""Longest request line and longest header. Restate refuses longer ones, too."""

BACKLOG_CONNECTIONS = 1_024
"""Connections that may wait to be accepted: tests and benchmarks open a thousand at once."""

OF_ONE_CONNECTION = frozenset(
    name.lower()
    for name in (
        *(hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION, "Proxy-Connection"),
        *(hdrs.TE, hdrs.TRAILER, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.EXPECT),
    )
)
"""Headers about one connection (RFC 9110, section 7.6.1), which are not forwarded. `Expect` is answered here."""

ADDED_BY_THE_CLIENT = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
"""Headers that aiohttp would add to a request that has none."""


class ProxySettings(BaseSettings):
    """The names of this machine."""

    names: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        validation_alias="SWITCHBOARD_LOCAL_HOSTS",
        description="Comma-separated host names, without ports, under which Restate's ports of a local mesh are used.",
    )

    @field_validator("names", mode="before")
    @classmethod
    def split_names(cls, value: object) -> object:
        return {name.strip().lower() for name in value.split(",") if name.strip()} if isinstance(value, str) else value


@dataclass(frozen=True)
class Listener:
    """A port of this process, and the Unix socket of the server behind it."""

    port: int
    socket: Path


class Proxy:
    """Forwards the requests of one port to a Unix socket, without buffering, unless `pages` refuses them."""

    def __init__(self, pages: OwnPages, http: aiohttp.ClientSession) -> None:
        self._pages = pages
        self._http = http

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        # A target with a host, which only clients of forward proxies send, would be another host than the header says.
        if not request.raw_path.startswith("/"):
            return refused(400, "Refused: the request's target is not a path.")
        if reason := self._pages.refusal(request.headers.items()):
            return refused(403, reason)
        response: web.StreamResponse | None = None
        try:
            async with self._send(request) as answer:
                response = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=forwarded(answer.headers)
                )
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(part)
                await response.write_eof()
        except aiohttp.ClientError:
            # The client sees what it would see without the proxy: a broken connection.
            if request.transport is not None:
                request.transport.abort()
        return response or web.Response(status=502)

    def _send(self, request: web.BaseRequest) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._http.request(
            request.method,
            URL(f"http://{HOST}{request.raw_path}", encoded=True),
            data=request.content if request.body_exists else None,
            headers=forwarded(request.headers),
            skip_auto_headers=ADDED_BY_THE_CLIENT,
            allow_redirects=False,
        )


def refused(status: int, reason: str) -> web.Response:
    """Return an error in the form of Restate's."""
    return web.json_response({"code": status, "message": reason}, status=status)


def forwarded(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers that are not about one connection."""
    dropped = OF_ONE_CONNECTION | {name.strip().lower() for name in headers.get(hdrs.CONNECTION, "").split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]


async def serve(listeners: Sequence[Listener], ui_port: int | None, names: frozenset[str]) -> None:
    """Serve the listeners until SIGTERM or SIGINT. Raises OSError if a port is in use."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as opened:
        for listener in listeners:
            http = await opened.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(str(listener.socket), limit=0),
                    timeout=aiohttp.ClientTimeout(total=None),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                )
            )
            proxy = Proxy(OwnPages(names, ui_port), http)
            server = web.Server(
                proxy.handle,
                access_log=None,
                handler_cancellation=True,
                auto_decompress=False,
                max_line_size=HEADER_MAX_BYTES,
                max_field_size=HEADER_MAX_BYTES,
            )
            runner = web.ServerRunner(server, shutdown_timeout=STOP_TIMEOUT.total_seconds())
            await runner.setup()
            opened.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, HOST, listener.port, backlog=BACKLOG_CONNECTIONS).start()
        await stop.wait()


def read_listener(text: str) -> Listener:
    port, _, socket = text.partition("=")
    return Listener(int(port), Path(socket))


def main(arguments: Sequence[str]) -> int:
    """Run the proxy and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m switchboard.local.proxy", description=__doc__)
    parser.add_argument("listeners", nargs="+", type=read_listener, metavar="PORT=SOCKET")
    parser.add_argument("--ui-port", type=int, help="port whose pages may send requests to all ports")
    given = parser.parse_args(arguments)
    settings = load(ProxySettings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(given.listeners, given.ui_port, settings.names))
        except OSError as error:
            sys.stderr.write(f"The proxy cannot start: {error.strerror}.\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
