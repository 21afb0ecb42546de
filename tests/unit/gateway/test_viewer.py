"""What viewers get: every event once and in order, whatever is told late, twice or never, and however slow they are."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from switchboard.events import SEQ_MAX, Delta, Reset, Told, ToolReturned
from switchboard.gateway import feed as feeds
from switchboard.gateway.event_streams import EventStream
from switchboard.gateway.feed import Audience, Feed
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import NEVER, Caller
from switchboard.gateway.live_turn import LiveSession
from switchboard.gateway.problems import Problem
from switchboard.gateway.viewer import Position, Viewer
from switchboard.messages import ModelReply, ToolCall, ToolResult, UserText
from switchboard.session.contract import EventsPage, SendReply, TurnRecord
from switchboard.session.turn_events import events_of_record, run_id

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
CALLER = Caller("alice", signed_in=True)
ALICE, MIA = Audience(CALLER), Audience(staff="mia")
HIDDEN = 7
"""A turn that is not for customers: the session leaves it out."""

ABANDONED = "abandoned"
"""The run of a turn whose message was cancelled. What is shown of it is void."""

SEEDS = range(40)


def record(turn: int) -> TurnRecord:
    """A turn with some calls."""
    tools = tuple(ToolCall(call_id=f"{turn}-{n}", tool="get_balance", arguments="{}") for n in range(turn % 4))
    results = tuple(ToolResult(call_id=call.call_id, ok=True, content="1") for call in tools)
    step = (ModelReply(agent="Bank", calls=tools), *results) if tools else ()
    messages = (UserText(text=f"question {turn}"), *step, ModelReply(agent="Bank", text=f"reply {turn}"))
    return TurnRecord(
        turn=turn,
        at=AT + timedelta(minutes=turn),
        agents=("Bank",),
        messages=messages,
        reply=f"reply {turn}",
        invocation_id=f"inv_{turn}",
    )


class Session:
    """The records of a session. `reads` counts what viewers cost it."""

    def __init__(self) -> None:
        self.records: list[TurnRecord] = []
        self.reads = 0
        self.problem: Problem | None = None

    async def read(self, after: int, limit: int) -> EventsPage:
        self.reads += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        shown = [each for each in self.records[after : after + limit] if each.turn != HIDDEN]
        page = [each.model_copy(update={"invocation_id": ""}) for each in shown]
        last = min(after + limit, len(self.records))
        return EventsPage(
            customer_id="alice",
            signed_in=True,
            turns=tuple(page),
            last=last,
            turns_total=len(self.records),
            runs={each.turn: run_id(each.invocation_id) for each in shown},
        )


def told(of: TurnRecord, first: int, last: int, run: str = "", **more: Any) -> Told:
    """Events `first` to `last` of a turn, as a process tells them."""
    events = tuple(each.event for each in events_of_record(of)[first - 1 : last])
    return Told(
        session="s",
        customer_id="alice",
        signed_in=True,
        run=run or run_id(of.invocation_id),
        turn=of.turn,
        first=first,
        events=events,
        **more,
    )


def reply_of(of: TurnRecord) -> Told:
    """The last event of a turn, as the session tells it."""
    *before, last = events_of_record(of)
    return told(of, 1, 0).model_copy(update={"first": len(before) + 1, "events": (last.event,)})


def answer_of(of: TurnRecord) -> SendReply:
    """The reply as the client of its message gets it."""
    return SendReply(text=of.reply, agent="Bank", turn=of.turn, hand_offs=(), failed=False)


def hub() -> Hub:
    return Hub(ViewerLimits(10, 10, 10))


def id_of(frame: bytes) -> str:
    """Return the id of an event."""
    return place_of(frame) if kind_of(frame) else ""


def place_of(frame: bytes) -> str:
    lines = frame.decode().split("\n")
    return next((line.removeprefix("id: ") for line in lines if line.startswith("id: ")), "")


def data_of(frame: bytes) -> Any:
    lines = frame.decode().split("\n")
    return json.loads(next(line.removeprefix("data: ") for line in lines if line.startswith("data: ")))


def kind_of(frame: bytes) -> str:
    lines = frame.decode().split("\n")
    return next((line.removeprefix("event: ") for line in lines if line.startswith("event: ")), "")


async def follow(feed: Feed, position: Position, pauses: random.Random | None = None, last: str = "") -> list[bytes]:
    """Collect what a viewer gets until event `last`, until the task is cancelled, or until the stream ends."""
    found: list[bytes] = []
    frames: AsyncIterator[bytes] = Viewer(feed, position).follow(lambda: False, NEVER)
    try:
        async with aclosing(frames) as closing:  # type: ignore[type-var]
            async for frame in closing:
                found.append(frame)
                if last and id_of(frame) == last:
                    break
                if pauses is not None and pauses.random() < 0.3:
                    await asyncio.sleep(pauses.random() * 0.005)
    except asyncio.CancelledError:
        pass
    return found


async def moments(count: int) -> None:
    """Wait for so many milliseconds, and let each other task go on as often: the process may get no time for long."""
    for _ in range(count):
        await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "CHECK_INTERVAL", timedelta(milliseconds=30))
    monkeypatch.setattr(feeds, "CHECK_SELDOM_INTERVAL", timedelta(milliseconds=30))
    monkeypatch.setattr(feeds, "CHECK_ALONE_INTERVAL", timedelta(milliseconds=30))


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_viewer_gets_every_event_once_and_in_order(seed: int) -> None:
    chance, session, turns = random.Random(seed), Session(), 12
    begun = chance.randrange(4)
    session.records = [record(number) for number in range(1, begun + 1)]
    shared = hub()
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        positions = [Position(begun, SEQ_MAX), Position(0, SEQ_MAX)]
        if begun:
            positions.append(Position(begun, 1, run_id(f"inv_{begun}")))
        ends = f"{turns}.{SEQ_MAX}"
        watching = [asyncio.create_task(follow(feed, each, random.Random(seed), ends)) for each in positions]
        for number in range(begun + 1, turns + 1):
            await play(chance, session, shared, record(number))
        async with asyncio.timeout(60):
            found = await asyncio.gather(*watching)
    for position, frames in zip(positions, found, strict=True):
        assert place_of(frames[0]) == f"{position.turn}.{position.seq}"
        seen = [frame for frame in frames if id_of(frame) and data_of(frame)["run"] != ABANDONED]
        assert [id_of(frame) for frame in seen] == expected(position, session.records)
        # Whether it was told or read, an event says the same.
        assert [data_of(frame) for frame in seen] == [DATA[id_of(frame)] for frame in seen]


DATA = {
    each.id: {"turn": each.turn, "seq": each.seq, "run": run_id(f"inv_{turn}"), **each.event.model_dump(mode="json")}
    for turn in range(1, 13)
    for each in events_of_record(record(turn))
}
"""What the event with an id says."""


def expected(position: Position, records: list[TurnRecord]) -> list[str]:
    numbered = [each for of in records if of.turn != HIDDEN for each in events_of_record(of)]
    return [each.id for each in numbered if (each.turn, each.seq) > (position.turn, position.seq)]


async def play(chance: random.Random, session: Session, shared: Hub, of: TurnRecord) -> None:
    """Tell a turn as processes do: in parts that are late, twice or lost. Then commit it."""
    total = len(events_of_record(of)) - 1
    parts = []
    if of.turn != HIDDEN:
        cuts = sorted({1, *(chance.randint(1, total) for _ in range(chance.randrange(4)))})
        parts = [told(of, start, end) for start, end in zip(cuts, [*(cut - 1 for cut in cuts[1:]), total], strict=True)]
        parts = [part for part in parts for _ in range(chance.choice([0, 1, 1, 1, 2]))]
        chance.shuffle(parts)
        if chance.random() < 0.3:  # A run that was cancelled before.
            parts.insert(0, told(of.model_copy(update={"at": of.at - timedelta(seconds=9)}), 1, 1, run=ABANDONED))
    late = chance.randrange(len(parts) + 1)
    for part in parts[:late]:
        shared.told(part)
        await asyncio.sleep(chance.choice([0, 0, 0.002]))
    if chance.random() < 0.5 and of.turn != HIDDEN:
        shared.told(reply_of(of))
    session.records.append(of)
    if chance.random() < 0.5 and of.turn != HIDDEN:
        shared.answered("s", CALLER, answer_of(of))
    for part in parts[late:]:
        shared.told(part)
    await asyncio.sleep(chance.choice([0, 0.002, 0.04]))


async def test_abandoned_run_is_begun_again_and_its_words_are_void() -> None:
    session, shared = Session(), hub()
    of = record(1)
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        watching = asyncio.create_task(follow(feed, Position(0, SEQ_MAX)))
        abandoned = of.model_copy(update={"at": AT - timedelta(hours=1)})
        delta = Delta(turn=1, seq=4, attempt=0, writer="w", offset=0, text="I wi")
        shared.told(told(abandoned, 1, 3, run=ABANDONED, unnumbered=(delta,)))
        await moments(10)
        shared.told(told(of, 1, 3))
        await moments(10)
        session.records.append(of)
        shared.told(told(record(2), 1, 1))
        await moments(50)
        watching.cancel()
        found = [(id_of(frame), kind_of(frame)) for frame in await watching if kind_of(frame)]
    first = [("1.1", "turn_started"), ("1.2", "message"), ("1.3", "agent")]
    assert found[:4] == [*first, ("", "delta")]
    again = [each for each in found[4:] if each != ("", "reset")]
    assert again[:3] == first
    assert again[-2:] == [(f"1.{SEQ_MAX}", "reply"), ("2.1", "turn_started")]


@pytest.mark.parametrize("running", [True, False])
async def test_id_that_another_session_has_too_hides_nothing_of_this_one(running: bool) -> None:
    """Ids are numbers that each session has. The run that comes with one says whose it is."""
    session, shared, of = Session(), hub(), record(1)
    every = [each.id for each in events_of_record(of)]
    session.records = [] if running else [of]
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        others = asyncio.create_task(follow(feed, Position(1, 3, "of another session"), last=every[-1]))
        own = asyncio.create_task(follow(feed, Position(1, 3, run_id(of.invocation_id)), last=every[-1]))
        if running:
            shared.told(told(of, 1, len(every) - 1))
            await moments(10)
            session.records.append(of)
            shared.told(reply_of(of))
        async with asyncio.timeout(60):
            found = await asyncio.gather(others, own)
    assert [[id_of(frame) for frame in frames if id_of(frame)] for frames in found] == [every, every[3:]]


async def test_viewer_who_is_slow_gets_the_words_in_fewer_parts_and_resets_only_what_it_has() -> None:
    session, shared, of = Session(), hub(), record(1)
    words = "The balance is 5 EUR. "
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        frames = Viewer(feed, Position(0, SEQ_MAX)).follow(lambda: False, NEVER)
        assert kind_of(await anext(frames)) == ""
        for number in range(50):
            delta = Delta(turn=1, seq=4, attempt=0, writer="w1", offset=number * len(words), text=words)
            shared.told(told(of, 1, 3, unnumbered=(delta,)))
        got = [await anext(frames) for _ in range(4)]
        assert data_of(got[3])["text"] == 50 * words
        shared.told(told(of, 1, 0, unnumbered=(Reset(turn=1, seq=4, attempt=0, writer="w1"),)))
        shared.told(
            told(of, 1, 0, unnumbered=(Delta(turn=1, seq=4, attempt=1, writer="w2", offset=0, text="Your balance"),))
        )
        reset, begun = await anext(frames), await anext(frames)
        assert (kind_of(reset), data_of(reset)["writer"]) == ("reset", "w1")
        assert (data_of(begun)["offset"], data_of(begun)["text"]) == (0, "Your balance")
        await frames.aclose()
    assert session.reads < 5


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a feed read only if there is news."""
    monkeypatch.setattr(feeds, "CHECK_INTERVAL", timedelta(minutes=1))
    monkeypatch.setattr(feeds, "CHECK_SELDOM_INTERVAL", timedelta(minutes=1))
    monkeypatch.setattr(feeds, "CHECK_ALONE_INTERVAL", timedelta(minutes=1))
    monkeypatch.setattr(feeds, "REPLY_PAUSE", timedelta(minutes=1))


async def test_turn_that_was_told_as_a_whole_and_answered_here_is_not_read(seldom: None) -> None:
    session, shared, of = Session(), hub(), record(3)
    session.records = [record(1), record(2)]
    with shared.viewer("s", ALICE, session.read) as feed, shared.viewer("s", MIA, session.read) as other:
        await asyncio.gather(feed.open(None), other.open(None))
        position, last = Position(2, SEQ_MAX), f"3.{SEQ_MAX}"
        watching = [asyncio.create_task(follow(each, position, last=last)) for each in (feed, feed, other)]
        with shared.awaiting("s"):
            shared.told(told(of, 1, len(events_of_record(of)) - 1))
            shared.told(reply_of(of))
            await asyncio.sleep(0.02)
            assert not any(task.done() for task in watching), "a reply is shown when it is committed"
            session.records.append(of)
        shared.answered("s", CALLER, answer_of(of))
        async with asyncio.timeout(2):
            found = await asyncio.gather(*watching)
    for frames in found:
        assert [id_of(frame) for frame in frames if id_of(frame)] == expected(position, session.records)
    assert session.reads == 2, "each audience has read the session once"


@pytest.mark.parametrize("lack", ["a part", "the reply", "the run", "an act"])
async def test_turn_that_was_not_told_as_a_whole_is_read_once(lack: str, seldom: None) -> None:
    session, shared, of = Session(), hub(), record(3)
    session.records = [record(1), record(2)]
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        watching = asyncio.create_task(follow(feed, Position(2, SEQ_MAX), last=f"3.{SEQ_MAX}"))
        shared.told(told(of, 1 + (lack == "a part"), len(events_of_record(of)) - 1))
        if lack == "the run":  # What was told is of a run that was cancelled in the same moment.
            shared.told(reply_of(of.model_copy(update={"reply": "of another run"})))
        elif lack == "an act":
            shared.told(reply_of(of.model_copy(update={"by": "mia"})))
        elif lack == "a part":
            shared.told(reply_of(of))
        session.records.append(of)
        shared.answered("s", CALLER, answer_of(of))
        async with asyncio.timeout(2):
            frames = await watching
    assert [id_of(frame) for frame in frames if id_of(frame)] == expected(Position(2, SEQ_MAX), session.records)
    assert session.reads == 2
    assert data_of(frames[-1])["text"] == of.reply


async def test_next_message_of_a_known_session_needs_no_read(seldom: None) -> None:
    session, shared = Session(), hub()
    session.records = [record(1)]
    shared.answered("s", CALLER, answer_of(record(1)))
    for turn in (2, 3):
        with shared.viewer("s", ALICE, session.read) as feed:
            await feed.open_known()
            shared.told(told(record(turn), 1, len(events_of_record(record(turn))) - 1))
            shared.told(reply_of(record(turn)))
            session.records.append(record(turn))
            shared.answered("s", CALLER, answer_of(record(turn)))
            committed = await feed.committed(turn)
        assert [frame.sent for frame in committed.frames][-1].startswith(f"id: {turn}.{SEQ_MAX}".encode())
    assert session.reads == 0
    other = Audience(Caller("bob", signed_in=True))
    with shared.viewer("s", other, session.read) as feed:
        session.problem = Problem(403, "session_forbidden", "This session belongs to another customer.")
        with pytest.raises(Problem):
            await feed.open_known()


async def test_session_that_does_not_exist_belongs_to_no_one(seldom: None) -> None:
    session, shared = Session(), hub()
    for _ in range(2):
        with shared.viewer("s", ALICE, session.read) as feed:
            await feed.open(None)
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open_known()
        assert session.reads == 3
        session.problem = Problem(403, "session_forbidden", "This session belongs to another customer.")
        with pytest.raises(Problem):
            await feed.open_known()


async def test_viewers_who_arrive_together_share_one_read(seldom: None) -> None:
    session, shared = Session(), hub()
    session.records = [record(number) for number in range(1, 4)]
    with ExitStack() as stack:
        opened = [stack.enter_context(shared.viewer("s", ALICE, session.read)) for _ in range(9)]
        pages = await asyncio.gather(*(feed.open(1) for feed in opened))
    assert {page.turns_total for page in pages} == {3}
    assert session.reads == 1


async def test_read_that_is_overtaken_by_a_turn_ends_no_stream(seldom: None) -> None:
    session, shared = Session(), hub()
    session.records = [record(1)]
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        late = asyncio.Event()

        async def slow(after: int, limit: int) -> EventsPage:
            page = await session.read(after, limit)
            await late.wait()
            return page

        feed._read = slow
        opening = asyncio.create_task(feed.open(None))
        await asyncio.sleep(0.01)
        feed._read = session.read
        session.records.append(record(2))
        assert (await feed.open(1)).turns_total == 2
        late.set()
        assert (await opening).turns_total == 1
        assert (feed.turns_total, feed.problem) == (2, None)


async def test_quiet_session_is_read_less_and_less_often_until_something_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "CHECK_INTERVAL", timedelta(seconds=15))
    monkeypatch.setattr(feeds, "CHECK_SELDOM_INTERVAL", timedelta(minutes=2))
    session, waits = Session(), list[float]()
    session.records = [record(1)]
    feed = Feed(LiveSession("s"), ALICE, session.read)
    await feed.open(None)

    async def due(within: timedelta) -> bool:
        """Stand in for the wait. A turn ends during the sixth one, and the eighth is cut short by news."""
        waits.append(within.total_seconds())
        await asyncio.sleep(0)
        if len(waits) == 6:
            session.records.append(record(2))
        if len(waits) == 10:
            feed.problem = Problem(403, "session_forbidden", "This session belongs to another customer.")
        return len(waits) != 8

    monkeypatch.setattr(feed, "_due", due)
    await feed.keep_up()
    assert waits == [15, 30, 60, 120, 120, 120, 15, 30, 15, 30]


async def test_tool_that_returns_early_is_shown_once_after_it_was_started() -> None:
    session, shared, of = Session(), hub(), record(3)
    session.records = [record(1), record(2)]
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        watching = asyncio.create_task(follow(feed, Position(2, SEQ_MAX)))
        returned = ToolReturned(turn=3, call_id="3-1", ok=True)
        shared.told(told(of, 1, 4, unnumbered=(returned,)))
        await moments(10)
        shared.told(told(of, 5, 7, unnumbered=(returned,)))
        await moments(10)
        shared.told(told(of, 8, 10))
        await moments(10)
        watching.cancel()
        kinds = [kind_of(frame) for frame in await watching if kind_of(frame)]
    assert kinds == [
        *("turn_started", "message", "agent", "step"),
        *("tool_started", "tool_started", "tool_started", "tool_returned"),
        *("tool_finished", "tool_finished", "tool_finished"),
    ]


@pytest.mark.parametrize("ends", ["expired", "stopping", "forbidden", "started again"])
async def test_stream_ends_with_the_reason(ends: str) -> None:
    session, shared = Session(), hub()
    session.records = [record(1), record(2)]
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        expires_at = datetime.now(UTC) + timedelta(milliseconds=50) if ends == "expired" else NEVER
        frames = Viewer(feed, Position(2, SEQ_MAX)).follow(lambda: shared.stopping, expires_at)
        await anext(frames)
        if ends == "stopping":
            shared.stop()
        elif ends == "forbidden":
            session.problem = Problem(403, "session_forbidden", "This session belongs to another customer.")
        elif ends == "started again":
            session.records = [record(1)]
        async with asyncio.timeout(60):
            last = [frame async for frame in frames][-1]
    codes = {"expired": "unauthorized", "forbidden": "session_forbidden", "started again": "session_restarted"}
    assert (kind_of(last), data_of(last)["code"]) == ("problem", codes.get(ends, ends))


async def test_quiet_session_without_restate_keeps_its_viewers() -> None:
    session, shared = Session(), hub()
    with shared.viewer("s", ALICE, session.read) as feed:
        await feed.open(None)
        watching = asyncio.create_task(follow(feed, Position(0, SEQ_MAX)))
        session.problem = Problem(503, "restate_away", "Restate is away.")
        await moments(100)
        session.problem = None
        session.records.append(record(1))
        await moments(100)
        watching.cancel()
        assert [id_of(frame) for frame in await watching if id_of(frame)] == expected(Position(0, 0), session.records)


async def test_heartbeats_are_sent_and_the_place_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, sent = ExitStack(), list[bytes]()
    freed = asyncio.Event()
    closed.callback(freed.set)

    async def quiet() -> AsyncIterator[bytes]:
        yield b": first\n\n"
        await asyncio.Event().wait()

    async def send(event: Any) -> None:
        sent.append(event.get("body", b""))

    async def receive() -> Any:
        while b"".join(sent).count(b": \n") < 2:
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    response = EventStream(quiet(), closed)
    response.ping_interval = 0.02
    await response({"type": "http", "method": "GET"}, receive, send)
    assert freed.is_set()
    assert b"".join(sent).startswith(b": first")
