"""The proxy in front of a local Restate server, with a server on a Unix socket behind it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from switchboard.local.process import free_ports
from switchboard.local.proxy import HOST, Listener, serve

PATH = "/Session/a%2Fb//send?x=%20&y"
BIG = b"x" * 3_000_000


@dataclass
class Upstream:
    """The server behind the proxy. It records requests and plays the answer that a test chooses."""

    socket: Path
    url: str = ""
    requests: list[tuple[str, str, list[tuple[str, str]], bytes]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = list(request.headers.items())
        self.requests.append((request.method, request.raw_path, headers, await request.content.read()))
        match request.path:
            case "/stream":
                return await self.stream(request)
            case "/breaks":
                return await self.break_off(request)
            case "/hangs":
                await self.hang()
            case "/gzip":
                return web.Response(body=gzip.compress(BIG), headers={"content-encoding": "gzip"})
            case "/empty":
                return web.Response(status=204)
        return web.Response(status=418, body=b"body", headers=[("X-Two", "1"), ("X-Two", "2"), ("Keep-Alive", "300")])

    async def stream(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.go_on.wait()
        await response.write_eof(b"second")
        return response

    async def break_off(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        assert request.transport is not None
        request.transport.abort()
        return response

    async def hang(self) -> None:
        self.hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


@asynccontextmanager
async def open_upstream(upstream: Upstream) -> AsyncIterator[None]:
    runner = web.ServerRunner(web.Server(upstream.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(upstream.socket)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[Upstream]:
    """The server, and a proxy in front of it."""
    (port,) = free_ports(1)
    upstream = Upstream(tmp_path / "s", f"http://{HOST}:{port}")
    proxy = asyncio.create_task(serve([Listener(port, upstream.socket)], None, frozenset()))
    try:
        async with open_upstream(upstream):
            while not proxy.done():
                try:
                    (await asyncio.open_connection(HOST, port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0)
            yield upstream
    finally:
        proxy.cancel()
        await asyncio.wait({proxy})


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


async def chunks() -> AsyncIterator[bytes]:
    yield b"one "
    yield b"two"


@pytest.mark.parametrize("body", [b'{"a": 1}', BIG, None])
async def test_request_and_answer_are_forwarded_unchanged(
    upstream: Upstream, http: aiohttp.ClientSession, body: bytes | None
) -> None:
    sent = {
        "X-Mine": "ü",
        "Idempotency-Key": "k",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Content-Type": "a/b",
    }
    url = URL(upstream.url + PATH, encoded=True)
    async with http.put(url, data=body, headers=sent) as answer:
        assert (answer.status, await answer.read()) == (418, b"body")
        assert answer.headers.getall("X-Two") == ["1", "2"]
        assert "Keep-Alive" not in answer.headers
    ((method, path, headers, content),) = upstream.requests
    assert (method, path, content) == ("PUT", PATH, body or b"")
    received = {name.lower(): value for name, value in headers}
    assert received["host"] == upstream.url.removeprefix("http://")
    assert {name: received.get(name) for name in ("x-mine", "idempotency-key", "content-type")} == {
        "x-mine": "ü",
        "idempotency-key": "k",
        "content-type": "a/b",
    }
    assert "x-hop" not in received
    assert received.get("content-length", "0") == str(len(body or b""))


async def test_nothing_is_added_to_a_bare_request(upstream: Upstream) -> None:
    reader, writer = await asyncio.open_connection(HOST, int(upstream.url.rpartition(":")[2]))
    writer.write(b"POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 418 ")
    writer.close()
    ((_, _, headers, _),) = upstream.requests
    assert {name.lower() for name, _ in headers} == {"host", "content-length"}


async def test_body_without_a_length_is_forwarded(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{upstream.url}/send", data=chunks()) as answer:
        assert answer.status == 418
    assert upstream.requests[0][3] == b"one two"


async def test_answers_without_a_body_are_forwarded(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{upstream.url}/empty") as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with http.head(f"{upstream.url}/any") as answer:
        assert (answer.status, answer.headers["content-length"], await answer.read()) == (418, "4", b"")


async def test_compressed_answer_stays_compressed(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{upstream.url}/gzip") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == BIG


async def test_answer_is_not_buffered(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{upstream.url}/stream") as answer:
        assert await answer.content.readany() == b"first"
        upstream.go_on.set()
        assert await answer.read() == b"second"


async def test_client_sees_that_an_answer_is_incomplete(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with http.get(f"{upstream.url}/breaks") as answer:
            await answer.read()


async def test_request_ends_when_its_client_leaves(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async def asks() -> None:
        async with http.get(f"{upstream.url}/hangs"):
            pass

    client = asyncio.create_task(asks())
    async with asyncio.timeout(60):
        await upstream.hangs.wait()
        client.cancel()
        await upstream.left.wait()


async def test_server_that_is_away_is_a_broken_connection(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    upstream.socket.unlink()
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(f"{upstream.url}/any")


@pytest.mark.parametrize("target", ["http://evil.example/any", "*", "any"])
async def test_target_that_is_no_path_is_refused(upstream: Upstream, target: str) -> None:
    reader, writer = await asyncio.open_connection(HOST, int(upstream.url.rpartition(":")[2]))
    writer.write(f"OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    assert upstream.requests == []
    writer.close()


async def test_refused_request_does_not_reach_the_server(upstream: Upstream, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{upstream.url}/any", headers={"Origin": "null"}) as answer:
        assert (answer.status, await answer.json()) == (
            403,
            {
                "code": 403,
                "message": "Refused: a page of another site sent this request. To open this address, type it into the"
                " browser.",
            },
        )
        assert not {name for name in answer.headers if name.lower().startswith("access-control-")}
    assert upstream.requests == []
