"""The live channel in one process: texts in parts, gateways that come, go, are slow, or are not of this mesh."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.events import AgentStarted, Delta, Reset, Told, TurnFinished, TurnStarted, Watch
from switchboard.local.process import free_ports
from switchboard.messages import Identity, TurnRequest, UserText
from switchboard.rule_numbers import without_rule
from switchboard.runtime import gateways, live, outbox
from switchboard.runtime.gateways import FRAME, GatewayConnection, Gateways
from switchboard.runtime.live import Live, LiveTurn
from switchboard.runtime.settings import LiveSettings
from switchboard.speaker import SpeakerKeys
from tests.live_gateway import live_receiver

KEYS = SpeakerKeys(["k" * 32])
REQUEST = TurnRequest(
    identity=Identity(session_id="s-1", customer_id="alice"), transcript=(UserText(text="hi"),), turn=1, seq=1, run="r"
)


class Receiver:
    """A gateway's end without a connection."""

    def __init__(self) -> None:
        self.frames: list[Told] = []

    def put(self, session: str, frame: str) -> None:
        self.frames.append(Told.model_validate_json(frame))

    def put_delta(self, turn: LiveTurn, frame: str) -> None:
        self.put(turn.session, frame)

    @property
    def unnumbered(self) -> list[object]:
        return [each for told in self.frames for each in told.unnumbered]

    def text(self) -> str:
        """The text of the last model call, put together from its parts."""
        text = ""
        for delta in self.unnumbered:
            if isinstance(delta, Delta):
                assert delta.offset in (0, len(text)), delta
                text = text[: delta.offset] + delta.text
        return text


@given(st.lists(st.text("ab (rule1)B \U0001f600", max_size=8), max_size=8), st.integers(0, 8))
async def test_parts_make_the_text_without_numbers_of_rules(parts: list[str], late_at: int) -> None:
    here, early, late = Live(), Receiver(), Receiver()
    here.enabled = True
    here.watch(early, "s-1")
    with pytest.MonkeyPatch.context() as patch, here.turn("s-1", "alice", True, "r", 1) as turn:
        patch.setattr(live, "DELTA_INTERVAL", live.DELTA_INTERVAL * 0)
        observer = turn.observe(REQUEST, 0, 0)
        assert observer is not None
        for index, part in enumerate(parts):
            if index == late_at:
                here.watch(late, "s-1")
            half = part.encode("utf-16-le").decode("utf-16-le", errors="surrogatepass")
            observer.text_delta(half)

    shown = without_rule("".join(parts))
    assert shown.startswith(early.text())
    assert len(shown) - len(early.text()) <= len("  (rule B1") * 8
    if late_at < len(parts):
        assert late.text() in ("", early.text())


async def test_halves_of_a_character_are_joined() -> None:
    here, receiver = Live(), Receiver()
    here.watch(receiver, "s-1")
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        observer = turn.observe(REQUEST, 0, 0)
        assert observer is not None
        observer.text_delta("a\ud83d")
        observer.text_delta("\ude00b")
        observer.text_delta("\ud83dc")
        await asyncio.sleep(live.DELTA_INTERVAL.total_seconds() * 2)

    assert receiver.text() == "a\U0001f600b\ufffdc"


async def test_fast_parts_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than the process can be without the processor between two parts.
    monkeypatch.setattr(live, "DELTA_INTERVAL", timedelta(seconds=0.5))
    here, receiver = Live(), Receiver()
    here.watch(receiver, "s-1")
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        observer = turn.observe(REQUEST, 0, 0)
        assert observer is not None
        for _ in range(100):
            observer.text_delta("x")
        await asyncio.sleep(live.DELTA_INTERVAL.total_seconds() * 2)

    assert [delta.text for delta in receiver.unnumbered if isinstance(delta, Delta)] == ["x", "x" * 99]


async def test_nobody_who_watches_means_no_stream() -> None:
    with Live().turn("s-1", "alice", True, "r", 1) as turn:
        assert turn.observe(REQUEST, 0, 0) is None


async def test_call_that_was_left_behind_shows_nothing() -> None:
    """A process that Restate has given up may still wait for its model while another one makes the call again."""
    here, receiver = Live(), Receiver()
    here.watch(receiver, "s-1")
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        observer = turn.observe(REQUEST, 0, 0)
    assert observer is not None

    observer.text_delta("too late")
    observer.attempt_failed()

    assert turn.observe(REQUEST, 0, 1) is None
    assert receiver.frames == []


async def test_failed_attempt_resets_its_own_text() -> None:
    here, receiver = Live(), Receiver()
    here.watch(receiver, "s-1")
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        first = turn.observe(REQUEST, 0, 0)
        assert first is not None
        first.text_delta("one")
        first.attempt_failed()
        second = turn.observe(REQUEST, 0, 1)
        assert second is not None
        second.text_delta("two")
        first.text_delta("late")
        first.attempt_failed()

    one, reset, two = receiver.unnumbered
    assert isinstance(one, Delta)
    assert isinstance(reset, Reset)
    assert isinstance(two, Delta)
    assert (reset.writer, reset.attempt, two.text) == (one.writer, 0, "two")
    assert two.writer != one.writer


def tell(here: Live, run: str = "r", text: str = "Hi.") -> None:
    with here.turn("s-1", "alice", True, run, 1) as turn:
        turn.tell(TurnStarted(at="2026-03-01T12:00:00Z"), AgentStarted(agent="Triage"))
        turn.commit(TurnFinished(text=text))


async def test_committed_turns_are_kept_for_a_time_and_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    here, receiver = Live(), Receiver()
    here.enabled = True
    monkeypatch.setattr(live, "COMMITTED_MAX", 3)
    for number in range(10):
        tell(here, run=str(number))
    here.watch(receiver, "s-1")
    assert len({told.run for told in receiver.frames}) <= 4

    monkeypatch.setattr(live, "COMMITTED_KEPT", live.COMMITTED_KEPT * 0)
    tell(here, run="last")
    receiver.frames.clear()
    here.watch(receiver, "s-1")
    assert {told.run for told in receiver.frames} == {"last"}


async def soon(holds: Callable[[], object]) -> None:
    """Wait until something is true in this process."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(
    here: Live, port: int, keys: SpeakerKeys | None = KEYS, name: str = "127.0.0.1"
) -> AsyncIterator[None]:
    task = asyncio.create_task(Gateways([(name, port)], keys, here).keep_connected())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_process_tells_each_gateway_that_watches() -> None:
    here, ports = Live(), free_ports(2)
    async with (
        live_receiver(ports[0], KEYS) as one,
        live_receiver(ports[1], KEYS) as other,
        connected(here, ports[0], name="localhost"),
        connected(here, ports[1]),
    ):
        await one.until(lambda: one.connections)
        await other.until(lambda: other.connections)
        await one.watch("s-1")
        await soon(lambda: here.watchers("s-1"))
        tell(here)
        heard = await one.ended("s-1")
        assert [event.kind for event in heard.in_order] == ["turn_started", "agent", "reply"]
        assert other.told == []
        await one.unwatch("s-1")
        await soon(lambda: not here.watchers("s-1"))


async def test_process_connects_again_to_a_gateway_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "RECONNECT_MAX", gateways.RECONNECT_MIN)
    here, (port,) = Live(), free_ports(1)
    async with connected(here, port):
        for _ in range(2):
            async with live_receiver(port, KEYS) as receiver:
                await receiver.connected()
                await receiver.watch("s-1")
                await soon(lambda: here.watchers("s-1"))
                tell(here)
                await receiver.ended("s-1")


@pytest.mark.parametrize("keys", [None, SpeakerKeys(["o" * 32])])
async def test_process_tells_nothing_to_a_gateway_without_its_key(
    keys: SpeakerKeys | None, caplog: pytest.LogCaptureFixture
) -> None:
    here, (port,) = Live(), free_ports(1)
    async with live_receiver(port, keys) as receiver, connected(here, port):
        receiver.watched.add("s-1")
        await soon(lambda: receiver.refused + len(caplog.records))
        tell(here)
        assert (receiver.told, here.watchers("s-1")) == ([], ())


class SlowSocket:
    """A connection that takes nothing until it is released."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.released = asyncio.Event()
        self.closed = asyncio.Event()

    async def send_str(self, frame: str) -> None:
        await self.released.wait()
        self.sent.append(frame)

    async def close(self) -> None:
        self.closed.set()

    def __aiter__(self) -> "SlowSocket":
        return self

    async def __anext__(self) -> None:
        await self.closed.wait()
        raise StopAsyncIteration


async def test_slow_gateway_gets_the_whole_text_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "DELTAS_WAITING_MAX_CHARS", 1_000)
    monkeypatch.setattr(live, "DELTA_INTERVAL", live.DELTA_INTERVAL * 0)
    here, socket = Live(), SlowSocket()
    connection = GatewayConnection(here)
    serving = asyncio.create_task(connection.serve(socket))  # type: ignore[arg-type]
    connection.take(Watch(sessions=("s-1",)))
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        observer = turn.observe(REQUEST, 0, 0)
        assert observer is not None
        for _ in range(100):
            observer.text_delta("word")
            await asyncio.sleep(0)
        assert len(socket.sent) == 0
        socket.released.set()
        async with asyncio.timeout(60):
            while not socket.sent or "word" * 100 not in socket.sent[-1]:
                await asyncio.sleep(0)
    assert len(socket.sent) < 20
    socket.closed.set()
    await serving
    assert here.watchers("s-1") == ()


async def test_connection_that_takes_too_little_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "WAITING_MAX_CHARS", 5_000)
    here, socket = Live(), SlowSocket()
    connection = GatewayConnection(here)
    serving = asyncio.create_task(connection.serve(socket))  # type: ignore[arg-type]
    connection.take(Watch(sessions=("s-1",)))
    for number in range(100):
        tell(here, str(number), "x" * 100)
        await asyncio.sleep(0)
    socket.released.set()
    async with asyncio.timeout(60):
        await serving
    assert sum(map(len, socket.sent)) <= 5_000
    assert here.watchers("s-1") == ()


class BrokenSocket(SlowSocket):
    """A connection that breaks when something is sent."""

    async def send_str(self, frame: str) -> None:
        self.closed.set()
        raise ConnectionResetError("Cannot write to closing transport")


async def test_connection_that_breaks_ends_without_an_error(caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()  # Of what earlier tests have left, which would be logged below.
    caplog.clear()
    here, socket = Live(), BrokenSocket()
    connection = GatewayConnection(here)
    connection.take(Watch(sessions=("s-1",)))
    serving = asyncio.create_task(connection.serve(socket))  # type: ignore[arg-type]
    tell(here)

    async with asyncio.timeout(60):
        await serving
    gc.collect()

    assert (here.watchers("s-1"), caplog.records) == ((), [])


def test_gateway_that_watches_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "WATCHED_MAX", 10)
    with pytest.raises(ValueError, match="more than 10 sessions"):
        GatewayConnection(Live()).take(Watch(sessions=tuple(map(str, range(11)))))


@pytest.mark.parametrize("frame", ["", "{}", '{"kind": "watch"}', '{"kind": "other"}', "[]"])
def test_other_frames_are_refused(frame: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        FRAME.validate_json(frame)


@pytest.mark.parametrize(
    ("urls", "addresses"),
    [
        ("", []),
        ("http://gateway-live:9465", [("gateway-live", 9465)]),
        ("http://a:1, http://[::1]:2/", [("a", 1), ("::1", 2)]),
    ],
)
def test_gateways_are_read_from_the_setting(
    urls: str, addresses: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHBOARD_EVENTS_URLS", urls)
    assert LiveSettings().addresses == addresses


@pytest.mark.parametrize("url", ["gateway:9465", "https://gateway:9465", "http://gateway:9465/v1", "ws://gateway:1"])
def test_other_urls_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_EVENTS_URLS", url)
    with pytest.raises(ValueError, match=r"http|URL"):
        LiveSettings()


async def test_parts_of_a_text_say_which_events_came_before() -> None:
    here, receiver = Live(), Receiver()
    here.watch(receiver, "s-1")
    with here.turn("s-1", "alice", True, "r", 1) as turn:
        for step in (1, 2):
            turn.tell(AgentStarted(agent="Bank"))
            text = turn.observe(REQUEST, step, 0)
            assert text is not None
            text.text_delta("one")
    told = [frame for frame in receiver.frames if frame.unnumbered]
    assert [(frame.first, frame.events, frame.session, frame.run) for frame in told] == [
        (2, (), "s-1", "r"),
        (3, (), "s-1", "r"),
    ]
