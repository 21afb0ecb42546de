"""The gateway's side of the live channel: who may open it, and what a process is told about watched sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from switchboard.events import Told, TurnStarted, Unwatch, Watch
from switchboard.gateway import live_server
from switchboard.gateway.feed import Audience
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_server import serve_live
from switchboard.gateway.metrics import LIVE_CONNECTIONS
from switchboard.live_channel import LIVE_PATH, first_frame, open_channel
from switchboard.local.process import free_ports
from switchboard.session.contract import EventsPage
from switchboard.speaker import SpeakerKeys
from tests.unit.gateway.test_viewer import AT

KEYS, OTHERS = SpeakerKeys(["k" * 32]), SpeakerKeys(["o" * 32])
ALICE = Audience(Caller("alice", signed_in=True))


async def nothing(after: int, limit: int) -> EventsPage:
    return EventsPage(customer_id="alice", signed_in=True, turns=(), last=0, turns_total=0)


@asynccontextmanager
async def channel(keys: SpeakerKeys | None) -> AsyncIterator[tuple[Hub, str, aiohttp.ClientSession]]:
    hub, [port] = Hub(ViewerLimits(10, 10, 10)), free_ports(1)
    runner = await serve_live("127.0.0.1", port, hub, keys)
    try:
        async with aiohttp.ClientSession() as http:
            yield hub, f"http://127.0.0.1:{port}{LIVE_PATH}", http
    finally:
        await runner.cleanup()


@asynccontextmanager
async def process(
    http: aiohttp.ClientSession, url: str, keys: SpeakerKeys | None, frame: str | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A process of the mesh; `frame` is sent instead of its proof."""
    opening = open_channel(keys)
    async with http.ws_connect(url, headers=opening.headers) as socket:
        headers = socket._response.headers
        await socket.send_str(first_frame(keys, opening, headers) if frame is None else frame)
        yield socket


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("keys", [KEYS, None])
async def test_process_is_told_what_is_watched_and_tells_it(keys: SpeakerKeys | None) -> None:
    async with channel(keys) as (hub, url, http), process(http, url, keys) as socket:
        with hub.viewer("s-1", ALICE, nothing) as feed:
            assert Watch.model_validate_json(await socket.receive_str()).sessions == ("s-1",)
            for session, customer in (("s-1", "alice"), ("s-2", "alice")):
                told = Told(
                    session=session,
                    customer_id=customer,
                    signed_in=True,
                    run="r",
                    turn=1,
                    events=(TurnStarted(at=AT),),
                )
                await socket.send_str('{"kind": "from the future"}')
                await socket.send_str(told.model_dump_json())
            await until(lambda: feed.running(1))
            assert list(hub.sessions) == ["s-1"], "a session that is not watched costs nothing"
        assert Unwatch.model_validate_json(await socket.receive_str()).sessions == ("s-1",)
        with hub.viewer("s-1", ALICE, nothing):
            # It is told again what was told before, because the gateway has forgotten it.
            assert Watch.model_validate_json(await socket.receive_str()).sessions == ("s-1",)
        assert hub.sessions == {}


async def test_new_connection_is_told_all_sessions_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_server, "SESSIONS_A_FRAME", 2)
    async with channel(KEYS) as (hub, url, http):
        viewers = [hub.viewer(f"s-{number}", ALICE, nothing) for number in range(5)]
        for viewer in viewers:
            viewer.__enter__()
        async with process(http, url, KEYS) as socket:
            watched = [Watch.model_validate_json(await socket.receive_str()).sessions for _ in range(3)]
        assert watched == [("s-0", "s-1"), ("s-2", "s-3"), ("s-4",)]
        for viewer in viewers:
            viewer.__exit__(None, None, None)


@pytest.mark.parametrize("keys", [None, OTHERS])
async def test_process_without_the_key_is_refused(keys: SpeakerKeys | None) -> None:
    async with channel(KEYS) as (_, url, http):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url, headers=open_channel(keys).headers)
        assert refused.value.status == 401


@pytest.mark.parametrize("frame", ["", "x", '{"kind": "told"}'])
async def test_process_that_does_not_prove_its_key_is_told_nothing(frame: str) -> None:
    async with channel(KEYS) as (hub, url, http):
        with hub.viewer("secret", ALICE, nothing):
            async with process(http, url, KEYS, frame) as socket:
                closed = await socket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
        assert LIVE_CONNECTIONS._value.get() == 0


async def test_number_of_connections_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_server, "PROCESSES_MAX", 1)
    async with channel(None) as (_, url, http):
        async with process(http, url, None):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url)
            assert refused.value.status == 503
        await until(lambda: LIVE_CONNECTIONS._value.get() == 0)
        async with process(http, url, None):
            pass
