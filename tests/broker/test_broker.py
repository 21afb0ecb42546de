"""The broker of live events: a process and gateways on a real Redis that dies, hangs, refuses, or is used by others."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from switchboard.events import AgentStarted, MessageReceived, Told, TurnFinished, TurnStarted
from switchboard.gateway.broker_listener import listen_to_broker
from switchboard.gateway.feed import Audience
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import LiveTurn as KnownTurn
from switchboard.live_broker import ASKED_CHANNEL, SESSION_CHANNEL, WATCHED_CHANNEL, FrameSealer
from switchboard.messages import Identity, TurnRequest, UserText
from switchboard.runtime import broker, broker_connection, outbox
from switchboard.runtime.broker import BrokerClient
from switchboard.runtime.broker_connection import Broker, broker_of_settings
from switchboard.runtime.live import Live, LiveTurn
from switchboard.runtime.settings import BrokerSettings
from switchboard.session.contract import EventsPage
from switchboard.speaker import SpeakerKeys
from tests.parts import PROJECT
from tests.redis_server import RedisServer, command, redis_server

KEYS = SpeakerKeys(["k" * 32])
STRANGER = SpeakerKeys(["o" * 32])
ALICE = Audience(Caller("alice", signed_in=True))
REQUEST = TurnRequest(
    identity=Identity(session_id="s-1", customer_id="alice"), transcript=(UserText(text="hi"),), turn=1, seq=1, run="r"
)
WITHIN_S = 60


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(autouse=True)
def reconnects_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_connection, "RECONNECT_MIN", timedelta(milliseconds=50))
    monkeypatch.setattr(broker_connection, "RECONNECT_MAX", timedelta(milliseconds=50))


async def soon(holds: Callable[[], object]) -> None:
    """Wait until something is true in this process."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.01)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class FrontDoor(Hub):
    """A gateway without customers' connections, and the session s-1 as its only reader sees it: without records."""

    def __init__(self) -> None:
        super().__init__(ViewerLimits(10, 10, 10))

    @contextmanager
    def watched(self, session: str = "s-1") -> Iterator[None]:
        async def read(after: int, limit: int) -> EventsPage:
            return EventsPage(customer_id="alice", signed_in=True, turns=(), last=after, turns_total=0)

        with self.viewer(session, ALICE, read):
            yield

    def turn(self, number: int = 1) -> KnownTurn | None:
        session = self.sessions.get("s-1")
        return session.turn(number, ALICE.allows) if session is not None else None

    def numbers(self, number: int = 1) -> list[int]:
        turn = self.turn(number)
        return [frame.seq for frame in turn.frames] if turn is not None else []

    def text(self) -> str:
        turn = self.turn()
        return turn.text.text if turn is not None and turn.text is not None else ""

    def finished(self) -> bool:
        turn = self.turn()
        return turn is not None and turn.reply is not None


@asynccontextmanager
async def gateway(url: str, keys: SpeakerKeys = KEYS) -> AsyncIterator[FrontDoor]:
    hub = FrontDoor()
    task = asyncio.create_task(listen_to_broker(Broker(url, keys), hub))
    try:
        yield hub
    finally:
        task.cancel()
        _, running = await asyncio.wait([task], timeout=WITHIN_S)
        assert not running


@asynccontextmanager
async def process(url: str, keys: SpeakerKeys = KEYS) -> AsyncIterator[Live]:
    live = Live()
    task = asyncio.create_task(BrokerClient(Broker(url, keys), live).keep_connected())
    try:
        await asyncio.sleep(0)
        yield live
    finally:
        task.cancel()
        _, running = await asyncio.wait([task], timeout=WITHIN_S)
        assert not running


@contextmanager
def turn(live: Live, number: int = 1, run: str = "r") -> Iterator[LiveTurn]:
    with live.turn("s-1", "alice", True, run, number) as told:
        told.tell(TurnStarted(at=datetime.now(UTC)), AgentStarted(agent="Triage"))
        yield told


async def test_each_frame_is_published_once_and_reaches_the_gateways_that_watch(redis: RedisServer) -> None:
    async with (
        process(redis.url) as live,
        gateway(redis.url) as one,
        gateway(redis.url) as two,
        gateway(redis.url) as idle,
    ):
        await soon(lambda: one.hears() and two.hears() and idle.hears())
        with one.watched(), two.watched():
            await soon(lambda: live.watchers("s-1"))
            with turn(live) as told:
                told.commit(TurnFinished(text="Hi."))
            await soon(lambda: one.finished() and two.finished())
            # Now both are known to watch.
            await soon(lambda: counted("switchboard_live_waiting_characters") == 0)
            before = counted("switchboard_live_frames_sent_total")
            with turn(live, 2, "r2") as told:
                told.tell(AgentStarted(agent="Bank"))
            await soon(lambda: one.numbers(2) == two.numbers(2) == [1, 2, 3])
            await soon(lambda: counted("switchboard_live_waiting_characters") == 0)
            assert counted("switchboard_live_frames_sent_total") - before == 2
            assert (one.numbers(), idle.sessions) == ([1, 2], {})
            assert await redis.subscribers(f"{SESSION_CHANNEL}s-1") == 2
        await soon(lambda: not live.watchers("s-1"))
        async with asyncio.timeout(WITHIN_S):
            while await redis.subscribers(f"{SESSION_CHANNEL}s-1"):
                await asyncio.sleep(0.01)


async def test_nothing_is_published_while_no_one_watches(redis: RedisServer) -> None:
    async with process(redis.url) as live, gateway(redis.url) as hub, redis.client() as client:
        await soon(hub.hears)
        async with client.pubsub() as everything:
            await everything.psubscribe("*")
            with turn(live) as told:
                told.commit(TurnFinished(text="Hi."))
            with hub.watched("other"):
                await soon(lambda: live.watchers("other"))
            channels = set()
            while message := await everything.get_message(ignore_subscribe_messages=True, timeout=0.2):
                channels.add(message["channel"].decode())
        assert channels <= {WATCHED_CHANNEL, ASKED_CHANNEL}


async def test_late_viewer_and_late_process_miss_nothing_of_a_running_turn(redis: RedisServer) -> None:
    async with gateway(redis.url) as hub:
        with hub.watched():
            await soon(hub.hears)
            async with process(redis.url) as live:
                with turn(live) as told:
                    await soon(lambda: hub.numbers() == [1, 2])
                    async with gateway(redis.url) as late:
                        with late.watched():
                            await soon(lambda: late.numbers() == [1, 2])
                        assert await left_and_back(late)
                    told.commit(TurnFinished(text="Hi."))
                    await soon(hub.finished)


async def test_process_that_asks_is_answered_alone(redis: RedisServer) -> None:
    """Otherwise, after a restart of the broker, each process would read the answers to all others."""
    async with process(redis.url) as first, gateway(redis.url) as hub, redis.client() as client:
        await soon(hub.hears)
        with hub.watched():
            await soon(lambda: first.watchers("s-1"))
            async with client.pubsub() as overhearing:
                await overhearing.subscribe(WATCHED_CHANNEL)
                async with process(redis.url) as second:
                    await soon(lambda: second.watchers("s-1"))
                heard = []
                while message := await overhearing.get_message(timeout=0.1):
                    heard.append(message["type"])
    assert heard == ["subscribe"]


async def left_and_back(hub: FrontDoor) -> bool:
    """Leave and come back at once, many times, and then see the turn so far."""
    for _ in range(20):
        with hub.watched():
            await asyncio.sleep(0)
    with hub.watched():
        await soon(lambda: hub.numbers() == [1, 2])
    return True


async def test_text_goes_on_after_the_broker_was_killed_and_started_again(redis: RedisServer) -> None:
    async with process(redis.url) as live, gateway(redis.url) as hub:
        await soon(hub.hears)
        with hub.watched():
            await soon(lambda: live.watchers("s-1"))
            with turn(live) as told:
                observer = told.observe(REQUEST, 0, 0)
                assert observer is not None
                observer.text_delta("before,")
                await soon(lambda: hub.text() == "before,")
                await redis.kill()
                await soon(lambda: not hub.hears())
                observer.text_delta("meanwhile,")
                await redis.start()
                await soon(lambda: hub.text() == "before,meanwhile,")
                observer.text_delta("after")
                await soon(lambda: hub.text() == "before,meanwhile,after")
                told.commit(TurnFinished(text="before,meanwhile,after"))
                await soon(hub.finished)


async def test_broker_that_hangs_holds_up_no_turn(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_connection, "HANDSHAKE_TIMEOUT", timedelta(milliseconds=300))
    monkeypatch.setattr(outbox, "WAITING_MAX_CHARS", 100_000)
    monkeypatch.setattr(outbox, "DELTAS_WAITING_MAX_CHARS", 10_000)
    async with process(redis.url) as live, gateway(redis.url) as hub:
        await soon(hub.hears)
        with hub.watched():
            await soon(lambda: live.watchers("s-1"))
            dropped = counted_drops()
            os.kill(redis.pid, signal.SIGSTOP)
            try:
                for number in range(1, 200):
                    with turn(live, number, f"r{number}") as told:
                        told.tell(MessageReceived(text="x" * 1_000))
                assert counted("switchboard_live_waiting_characters") <= 100_000
                await soon(lambda: not live.watchers("s-1"))
            finally:
                os.kill(redis.pid, signal.SIGCONT)
            assert counted_drops() > dropped
            await soon(lambda: live.watchers("s-1"))
            with turn(live, 200, "r200") as told:
                told.commit(TurnFinished(text="Hi."))
                await soon(lambda: hub.numbers(200) == [1, 2])


def counted_drops() -> float:
    return sum(counted("switchboard_live_frames_dropped_total", reason=each) for each in ("full", "disconnected"))


async def test_gateway_that_was_killed_is_forgotten(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "WATCH_INTERVAL", timedelta(milliseconds=100))
    monkeypatch.setattr(broker, "WATCH_LASTS", timedelta(seconds=1))
    async with process(redis.url) as live, redis.client() as client:
        await soon_subscribed(redis, WATCHED_CHANNEL)
        sealed = FrameSealer(KEYS).seal(WATCHED_CHANNEL, '{"kind":"watch","sessions":["s-1","s-2"]}')
        await client.publish(WATCHED_CHANNEL, sealed)
        await soon(lambda: live.watchers("s-1") and live.watchers("s-2"))
        await soon(lambda: not live.watchers("s-1") and not live.watchers("s-2"))


async def soon_subscribed(redis: RedisServer, channel: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await redis.subscribers(channel):
            await asyncio.sleep(0.01)


def frame(turn: int = 1, session: str = "s-1") -> str:
    events = (TurnStarted(at=datetime.now(UTC)),)
    told = Told(session=session, customer_id="alice", signed_in=True, run=f"r{turn}", turn=turn, events=events)
    return told.model_dump_json()


async def test_frames_of_others_are_ignored(redis: RedisServer) -> None:
    """Others can use the broker. They have its password, and hear everything, but have no key."""
    channel, other = f"{SESSION_CHANNEL}s-1", f"{SESSION_CHANNEL}s-2"
    own, long_ago = FrameSealer(KEYS), FrameSealer(KEYS, lambda: datetime.now(UTC) - timedelta(minutes=5))
    overheard = own.seal(channel, frame(2))
    forged = {
        frame(3): "unsigned",
        FrameSealer(STRANGER).seal(channel, frame(4)): "unsigned",
        own.seal(other, frame(5)): "unsigned",
        own.seal(channel, frame(6)).replace('"alice"', '"mallory"'): "unsigned",
        overheard.replace(" 1 ", " 99 ", 1): "unsigned",
        long_ago.seal(channel, frame(7)): "old",
        overheard: "repeated",
        "": "unsigned",
        "a 1 2 \N{SNOWMAN} {}": "unsigned",
        "a b c d": "unsigned",
    }
    before = {reason: refused(reason) for reason in ("unsigned", "old", "repeated")}
    async with gateway(redis.url) as hub, redis.client() as client:
        await soon(hub.hears)
        with hub.watched(), hub.watched("s-2"):
            await soon_subscribed(redis, channel)
            await client.publish(channel, overheard)
            await soon(lambda: hub.numbers(2) == [1])
            for sealed in forged:
                await client.publish(channel, sealed)
            await client.publish(channel, b"\xff\xfe 1 2 3 4")
            # Signed by a process of this mesh, but for another session than its channel's.
            await client.publish(channel, own.seal(channel, frame(8, "s-2")))
            await client.publish(channel, own.seal(channel, frame(9)))
            await soon(lambda: hub.numbers(9) == [1])
            assert [turn for turn in range(1, 10) if hub.turn(turn) is not None] == [2, 9]
            assert not hub.sessions["s-2"].turn(8, ALICE.allows)
    for reason, count in before.items():
        expected = list(forged.values()).count(reason) + (reason == "unsigned")
        assert refused(reason) - count == expected, reason


def refused(reason: str) -> float:
    return counted("switchboard_gateway_live_frames_refused_total", reason=reason)


async def test_others_cannot_say_what_is_watched(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with process(redis.url) as live, redis.client() as client:
        await soon_subscribed(redis, WATCHED_CHANNEL)
        watch = '{"kind":"watch","sessions":["s-1"]}'
        await client.publish(WATCHED_CHANNEL, watch)
        await client.publish(WATCHED_CHANNEL, FrameSealer(STRANGER).seal(WATCHED_CHANNEL, watch))
        await client.publish(WATCHED_CHANNEL, FrameSealer(KEYS).seal(ASKED_CHANNEL, watch))
        await client.publish(WATCHED_CHANNEL, FrameSealer(KEYS).seal(WATCHED_CHANNEL, '{"kind":"other"}'))
        await soon(lambda: len(caplog.records) >= 4)
        assert live.watchers("s-1") == ()


@pytest.mark.parametrize("fault", ["password", "permission", "away"])
async def test_broker_that_cannot_be_used_is_said_once_and_tried_again(
    redis: RedisServer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    user = "resetchannels" if fault == "permission" else "allchannels"
    async with redis.client() as client:
        await command(client, "ACL", "SETUSER", "mesh", "reset", "on", ">right", "+@all", user)
        url = f"redis://mesh:{'wrong' if fault == 'password' else 'right'}@127.0.0.1:{redis.port}"
        if fault == "away":
            await redis.kill()
        async with process(url) as live, gateway(url) as hub:
            await soon(lambda: len(caplog.records) >= 2)
            await asyncio.sleep(0.5)
            lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            assert len(lines) == 2, lines
            assert all("tried again" in line and "right" not in line and "wrong" not in line for line in lines)
            with turn(live) as told:
                told.commit(TurnFinished(text="Hi."))
            assert not hub.hears()
            if fault == "away":
                await redis.start()
            rights = ("on", ">right", ">wrong", "+@all", "allchannels")
            async with redis.client() as again:
                await command(again, "ACL", "SETUSER", "mesh", *rights)
            await soon(hub.hears)
            with hub.watched():
                await soon(lambda: live.watchers("s-1"))


async def test_user_of_the_documentation_is_allowed_enough_and_nothing_else(redis: RedisServer) -> None:
    page = (PROJECT / "docs/operate/broker.md").read_text()
    (rights,) = re.findall(r"ACL SETUSER (switchboard on >PASSWORD .*)", page)
    async with redis.client() as client:
        await command(client, "ACL", "SETUSER", *rights.split())
    url = f"redis://switchboard:PASSWORD@127.0.0.1:{redis.port}"
    async with process(url) as live, gateway(url) as hub:
        await soon(hub.hears)
        with hub.watched():
            await soon(lambda: live.watchers("s-1"))
            with turn(live):
                await soon(lambda: hub.numbers() == [1, 2])
        await soon(lambda: not live.watchers("s-1"))
    async with Redis.from_url(url) as client:
        for words in (("GET", "a"), ("PUBLISH", "other", "a"), ("ACL", "LIST")):
            with pytest.raises(NoPermissionError):
                await command(client, *words)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379",
        "rediss://user:secret@redis.example.org?ssl_ca_certs=/ca.pem",
        "unix:///run/redis.sock",
        "",
    ],
)
def test_url_of_a_broker_is_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_EVENTS_BROKER_URL", url)
    assert BrokerSettings().events_broker_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://secret@redis",
        "redis.example.org:6379",
        "redis://:secret@",
        "redis://:secret@h:port",
        "unix://",
        "redis://:secret@h?decode_responses=true",
        "rediss://:secret@h?ssl_cert_reqs=none",
    ],
)
def test_other_url_of_a_broker_is_refused_without_being_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWITCHBOARD_EVENTS_BROKER_URL", url)
    with pytest.raises(SystemExit):
        broker_of_settings()
    said = capsys.readouterr().err
    assert said.startswith("SWITCHBOARD_EVENTS_BROKER_URL: ")
    assert "secret" not in said


def test_broker_needs_keys_and_its_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SWITCHBOARD_EVENTS_KEYS", raising=False)
    monkeypatch.delenv("SWITCHBOARD_SPEAKER_KEYS", raising=False)
    monkeypatch.setenv("SWITCHBOARD_EVENTS_BROKER_URL", "redis://127.0.0.1")
    with pytest.raises(SystemExit):
        broker_of_settings()
    assert "SWITCHBOARD_EVENTS_KEYS is not" in capsys.readouterr().err
    monkeypatch.setenv("SWITCHBOARD_EVENTS_KEYS", "k" * 32)
    assert broker_of_settings() is not None
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SystemExit):
        broker_of_settings()
    assert "Install switchboard[redis]" in capsys.readouterr().err
    monkeypatch.setenv("SWITCHBOARD_EVENTS_BROKER_URL", "")
    assert broker_of_settings() is None


def test_services_start_without_the_package() -> None:
    loaded = "import switchboard.runtime.serve, switchboard.gateway.__main__, sys; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip() == "False"


async def test_broker_without_memory_costs_no_turn(redis: RedisServer) -> None:
    async with redis.client() as client:
        await client.config_set("maxmemory", "1")
        try:
            async with process(redis.url) as live, gateway(redis.url) as hub:
                await soon(hub.hears)
                with hub.watched():
                    await soon(lambda: live.watchers("s-1"))
                    with turn(live) as told:
                        told.commit(TurnFinished(text="Hi."))
                        await soon(lambda: hub.numbers() == [1, 2])
        finally:
            await client.config_set("maxmemory", "0")


async def test_gateway_that_the_broker_cuts_off_is_told_again(redis: RedisServer) -> None:
    """As for a gateway that reads too slowly: Redis closes its connection."""
    async with process(redis.url) as live, gateway(redis.url) as hub, redis.client() as client:
        await soon(hub.hears)
        with hub.watched():
            await soon(lambda: live.watchers("s-1"))
            with turn(live) as told:
                await soon(lambda: hub.numbers() == [1, 2])
                await command(client, "CLIENT", "KILL", "TYPE", "pubsub")
                await soon(lambda: not hub.hears())
                told.tell(AgentStarted(agent="Bank"))
                await soon(lambda: hub.numbers() == [1, 2, 3])
