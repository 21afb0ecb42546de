"""What is told of a turn while it runs is a beginning of the events of its record, whatever becomes of the turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import restate
from hypothesis import given
from hypothesis import strategies as st

from switchboard.agent import HANDOFF_PREFIX
from switchboard.events import Numbered, Told, TurnStarted
from switchboard.loop.call_report import close_open_calls
from switchboard.messages import (
    Card,
    HandOff,
    HeldCall,
    Interrupted,
    Message,
    ModelReply,
    Notice,
    Question,
    Reply,
    ToolCall,
    ToolResult,
    TurnOutcome,
    TurnRequest,
)
from switchboard.runtime.live import Live, LiveTurn, agent_turn
from switchboard.session import hops
from switchboard.session.contract import TurnRecord
from switchboard.session.directory import Directory
from switchboard.session.hops import HOPS_MAX, AgentList, Route, StopSignals, lost_outcome
from switchboard.session.state import FinishedTurn, Head, TurnStart, open_message, turn_record
from switchboard.session.turn_events import events_of_record, reply_event

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGENTS = ("Triage", "Bank", "Airline")
GONE = "Gone"
"""An agent that models know and that is not registered any more."""

HELD = HeldCall(call_id="h", tool="pay", arguments="{}", body="{}", question="Pay?")


class Receiver:
    """A gateway's end: the frames of one session."""

    def __init__(self) -> None:
        self.frames: list[Told] = []

    def put(self, session: str, frame: str) -> None:
        self.frames.append(Told.model_validate_json(frame))

    def put_delta(self, turn: LiveTurn, frame: str) -> None:
        self.put(turn.session, frame)

    @property
    def numbered(self) -> list[Numbered]:
        """The events that count: of a number that is told again, the first one."""
        first: dict[int, Numbered] = {}
        for numbered in (each for told in self.frames for each in told.numbered()):
            first.setdefault(numbered.seq, numbered)
        return [first[seq] for seq in sorted(first)]


@dataclass
class Part:
    """What one agent does: its steps, how its part ends, and how much of it its process tells before it is killed."""

    steps: list[tuple[Message, ...]]
    ending: Any
    told: int = 0
    lost: bool = False
    killed: int = 0
    messages: list[Message] = field(default_factory=list)

    def outcome(self, agent: str, request: TurnRequest) -> TurnOutcome:
        if self.lost:
            return lost_outcome(request, agent, Interrupted(known=False))
        return TurnOutcome(next=self.ending, added=close_open_calls(self.messages))

    def play(self, live: Live, agent: str, request: TurnRequest) -> TurnOutcome:
        """Tell what the loop tells: the messages whenever there are more of them. A replay tells them again."""
        self.messages = [named(message, agent) for step in self.steps for message in step]
        for attempt in range(self.killed + 1):
            with agent_turn(live, request) as turn:
                assert turn is not None
                for count in range(self.told if attempt < self.killed or self.lost else len(self.messages)):
                    turn.said(self.messages[: count + 1])
                if attempt == self.killed and not self.lost:
                    turn.said(self.outcome(agent, request).added)
        return self.outcome(agent, request)


def named(message: Message, agent: str) -> Message:
    return message.model_copy(update={"agent": agent}) if isinstance(message, ModelReply) else message


def step(calls: Sequence[tuple[str, bool]], text: str, results: int) -> tuple[Message, ...]:
    """A step whose first `results` calls have results; the others are open, as after an interruption."""
    made = tuple(ToolCall(call_id=f"{index}", tool=tool, arguments="{}") for index, (tool, _) in enumerate(calls))
    answers = [ToolResult(call_id=f"{index}", ok=ok, content="") for index, (_, ok) in enumerate(calls)]
    return (ModelReply(agent="", text=text, calls=made), *answers[:results])


TOOLS = st.sampled_from(["get_balance", "pay", f"{HANDOFF_PREFIX}Bank"])
REFUSED_HAND_OFF = f"{HANDOFF_PREFIX}Bank"
CALLS = st.lists(
    st.tuples(TOOLS, st.booleans()).map(lambda call: (call[0], call[1] and call[0] != REFUSED_HAND_OFF)), max_size=3
)
STEPS = st.lists(st.tuples(CALLS, st.text("ab", max_size=3)), max_size=3)


def hand_off(to: str) -> tuple[tuple[Message, ...], HandOff]:
    call = ToolCall(call_id="x", tool=HANDOFF_PREFIX + to, arguments="{}")
    said: tuple[Message, ...] = (ModelReply(agent="", calls=(call,)), ToolResult(call_id="x", ok=True, content=""))
    return said, HandOff(to=to, reason="")


ENDINGS = st.one_of(
    st.just(((ModelReply(agent="", text="Done."),), Reply(text="Done."))),
    st.just(((Notice(text="Sorry."),), Reply(text="Sorry.", failed=True))),
    st.just((step([("pay", True)], "", 1), Question(text="Pay?", held=(HELD,)))),
    st.just((step([("pay", True), ("get_balance", True)], "", 1), Interrupted())),
    st.just(((), Interrupted())),
    st.sampled_from((*AGENTS, GONE)).map(hand_off),
    st.sampled_from(AGENTS).map(hand_off),
)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    steps = [step(calls, text, len(calls)) for calls, text in draw(STEPS)]
    said, ending = draw(ENDINGS)
    lost = draw(st.integers(0, 5)) == 0
    total = sum(map(len, steps)) + len(said)
    return Part([*steps, said], ending, draw(st.integers(0, total)), lost, draw(st.integers(0, 2)))


class SessionContext:
    """The part of Restate's context that following hand-offs needs."""

    def key(self) -> str:
        return "s-1"

    def request(self) -> SimpleNamespace:
        return SimpleNamespace(id="inv_1")

    async def run_typed(self, name: str, action: Any, options: Any, *args: Any) -> AgentList:
        return AgentList(cards=cards(), at=AT)


def cards() -> tuple[Card, ...]:
    return tuple(Card(name=name, handles="") for name in AGENTS)


def turn_that_runs(live: Live, played: list[Part]) -> tuple[TurnRecord, FinishedTurn]:
    """Let the agents play their parts, as the session calls them, and return the record."""
    head = Head(customer_id="alice", active="Triage")
    opening = open_message(head, "hello", None)
    start = TurnStart(at=AT, cards=cards(), journal=2, events=1)
    stops = cast(StopSignals, SimpleNamespace(at=AT, late=False, take_over=None))
    waiting = list(played)

    async def take_turn(ctx: Any, agent: str, request: TurnRequest, stops: Any, at: datetime) -> TurnOutcome:
        part = waiting.pop(0) if waiting else Part([], Reply(text="Nothing more."))
        return part.play(live, agent, request)

    with live.turn("s-1", "alice", True, "run", 1) as turn, patch.object(hops, "take_turn", take_turn):
        turn.tell(TurnStarted(at=AT))
        route = Route(head, start, cast(Directory, None), "Triage", opening, stops, turn)
        ctx = cast(restate.ObjectContext, SessionContext())
        done = asyncio.run(hops.follow_hand_offs(ctx, route))
        record = turn_record(1, AT, done)
        turn.commit(reply_event(record))
    return record, done


@given(st.lists(parts(), min_size=1, max_size=HOPS_MAX + 2))
def test_told_events_are_those_of_the_record(played: list[Part]) -> None:
    live, receiver = Live(), Receiver()
    live.enabled = True
    live.watch(receiver, "s-1")

    record, done = turn_that_runs(live, played)

    of_record = events_of_record(record)
    told = receiver.numbered
    assert [numbered.seq for numbered in told[:-1]] == list(range(1, len(told)))
    assert told[-1] == of_record[-1]
    if any(part.lost for part in played[: len(done.agents)]):
        opening = 3
        assert told[:opening] == list(of_record[:opening])
    else:
        assert told == list(of_record)


@given(st.lists(parts(), min_size=1, max_size=HOPS_MAX + 1), st.integers(0, 200))
def test_a_viewer_who_comes_later_hears_the_same(played: list[Part], after: int) -> None:
    """Watching begins after any event: the process tells what came before, and nothing is missing or doubled."""
    played = [part for part in played if not part.lost] or [Part([], Reply(text="Hello."))]
    early, late, live = Receiver(), Receiver(), Live()
    live.enabled = True
    put = early.put

    def put_and_watch(session: str, frame: str) -> None:
        put(session, frame)
        if len(early.frames) == after + 1:
            live.watch(late, "s-1")

    early.put = put_and_watch  # type: ignore[method-assign]
    live.watch(early, "s-1")

    record, _ = turn_that_runs(live, played)
    live.watch(late, "s-1")

    assert late.numbered == early.numbered == list(events_of_record(record))


def test_turn_without_viewers_sends_nothing() -> None:
    live, receiver = Live(), Receiver()
    live.enabled = True
    live.watch(receiver, "s-2")

    turn_that_runs(live, [Part([step([("pay", True)], "", 1)], Reply(text="Done."))])

    assert receiver.frames == []


def test_channel_that_is_off_keeps_no_turn() -> None:
    live, receiver = Live(), Receiver()
    turn_that_runs(live, [Part([], Reply(text="Done."))])

    live.watch(receiver, "s-1")

    assert receiver.frames == []
