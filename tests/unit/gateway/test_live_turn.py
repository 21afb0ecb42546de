"""Running turns as a gateway knows them: whatever the order in which processes tell, and however often they do."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sse_starlette import ServerSentEvent

from switchboard.events import (
    AgentStarted,
    Delta,
    Event,
    MessageReceived,
    ModelStep,
    Reset,
    Told,
    ToolFinished,
    ToolReturned,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    Unnumbered,
)
from switchboard.gateway.feed import Audience
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import (
    LINE_END,
    LIVE_TURN_MAX_CHARS,
    RUNS_MAX,
    LiveSession,
    LiveTurn,
    unnumbered_frame,
)

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
EVENTS: tuple[Event, ...] = (
    TurnStarted(at=AT),
    MessageReceived(text="hello"),
    AgentStarted(agent="Bank"),
    ModelStep(agent="Bank"),
    ToolStarted(call_id="a", tool="get_balance"),
    ToolStarted(call_id="b", tool="list_cards"),
    ToolFinished(call_id="a", tool="get_balance", ok=True),
    ToolFinished(call_id="b", tool="list_cards", ok=True),
)
ALICE = Audience(Caller("alice", signed_in=True))


def told(
    first: int, *events: Event, run: str = "r1", turn: int = 1, unnumbered: tuple[Unnumbered, ...] = (), **more: Any
) -> Told:
    given = {"customer_id": "alice", "signed_in": True, **more}
    return Told(session="s", run=run, turn=turn, first=first, events=events, unnumbered=unnumbered, **given)


def delta(text: str, offset: int, writer: str = "w1", attempt: int = 0) -> Delta:
    return Delta(turn=1, seq=1, attempt=attempt, writer=writer, offset=offset, text=text)


def ids(live: LiveTurn) -> list[str]:
    return [line.removeprefix("id: ") for frame in live.frames for line in frame.sent.decode().splitlines()[:1]]


@given(st.data())
def test_events_are_shown_without_gaps_in_whatever_order_they_are_told(data: st.DataObject) -> None:
    parts = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(EVENTS) - 1), st.integers(1, len(EVENTS))).map(lambda p: (p[0], p[0] + p[1])),
            max_size=12,
        )
    )
    session, known = LiveSession("s"), set[int]()
    for start, end in parts:
        session.take(told(start + 1, *EVENTS[start:end]))
        known |= set(range(start + 1, min(end, len(EVENTS)) + 1))
        without_gap = next(number for number in range(1, len(EVENTS) + 2) if number not in known) - 1
        live = session.run("r1", ALICE.allows)
        assert live is not None
        assert ids(live) == [f"1.{number}" for number in range(1, without_gap + 1)]


def test_events_that_are_told_again_use_up_no_room() -> None:
    session, long = LiveSession("s"), MessageReceived(text="x" * (LIVE_TURN_MAX_CHARS // 10))
    for _ in range(20):
        session.take(told(1, TurnStarted(at=AT), long))
    session.take(told(3, AgentStarted(agent="Bank")))
    live = session.run("r1", ALICE.allows)
    assert live is not None
    assert ids(live) == ["1.1", "1.2", "1.3"]


def test_event_has_its_turn_its_number_and_its_run_beside_its_own_fields() -> None:
    session = LiveSession("s")
    session.take(told(1, TurnStarted(at=AT), MessageReceived(text='a "quote"\r\ndata: forged\n\nid: 9.9')))
    live = session.run("r1", ALICE.allows)
    assert live is not None
    event_id, event, data, *rest = live.frames[1].sent.decode().split("\n")
    assert (event_id, event, rest) == ("id: 1.2", "event: message", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {
        "turn": 1,
        "seq": 2,
        "run": "r1",
        "kind": "message",
        "text": 'a "quote"\r\ndata: forged\n\nid: 9.9',
    }


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        ([delta("The ", 0), delta("balance", 4)], "The balance"),
        ([delta("The ", 0), delta("balance", 5)], "The "),  # a gap
        ([delta("The ", 0), delta("The ", 0)], "The "),
        ([delta("The ", 0), delta("balance", 4), delta("The balance is", 0)], "The balance is"),  # told again
        ([delta("The ", 0), delta("Your ", 0, writer="w2"), delta("balance", 4)], "Your "),  # an older writer
        ([delta("balance", 4)], None),
        ([delta("The ", 0), Reset(turn=1, seq=1, attempt=0, writer="w1")], None),
        ([delta("The ", 0), Reset(turn=1, seq=1, attempt=0, writer="w0")], "The "),
    ],
)
def test_words_are_those_of_the_writer_that_began_last(deltas: list[Unnumbered], text: str | None) -> None:
    session = LiveSession("s")
    for each in deltas:
        session.take(told(1, unnumbered=(each,)))
    live = session.run("r1", ALICE.allows)
    assert live is not None
    assert (live.text.text if live.text else None) == text
    session.take(told(1, TurnStarted(at=AT)))
    assert live.text is None, "the step's event replaces its words"


def test_tool_that_returned_is_forgotten_with_its_numbered_event() -> None:
    session = LiveSession("s")
    returned = ToolReturned(turn=1, call_id="b", ok=True)
    session.take(told(1, *EVENTS[:6], unnumbered=(returned, returned)))
    live = session.run("r1", ALICE.allows)
    assert live is not None
    assert (live.returned, live.started, live.ended) == ([returned], {"a": 5, "b": 6}, set())
    session.take(told(7, *EVENTS[6:], unnumbered=(returned,)))
    assert live.ended == {"a", "b"}


def test_run_that_began_last_is_the_turn_even_if_an_abandoned_one_is_told_later() -> None:
    session = LiveSession("s")
    later = TurnStarted(at=AT + timedelta(seconds=1))
    session.take(told(1, later, run="second"))
    session.take(told(1, *EVENTS, run="first"))
    found = session.turn(1, ALICE.allows)
    assert found is not None
    assert found.run == "second"


def test_turn_with_a_record_is_over() -> None:
    session = LiveSession("s")
    session.take(told(1, *EVENTS))
    assert session.expected(ALICE.allows) == 0
    session.take(told(9, TurnFinished(text="hi")))
    assert session.expected(ALICE.allows) == 1
    session.commit(1)
    session.take(told(1, *EVENTS))
    assert session.turn(1, ALICE.allows) is None
    session.take(told(1, TurnStarted(at=AT), run="r3", turn=3))
    assert session.expected(ALICE.allows) == 2, "turn 3 begins when turn 2 has a record"


@pytest.mark.parametrize(
    ("audience", "shown"),
    [
        (Audience(Caller("alice", signed_in=True)), (True, True)),
        (Audience(Caller("alice", signed_in=False)), (False, True)),
        (Audience(Caller("mallory", signed_in=True)), (False, False)),
        (Audience(Caller("mallory", signed_in=False)), (False, False)),
        (Audience(staff="mia"), (True, True)),
        (Audience(), (False, False)),
    ],
)
def test_turn_is_shown_to_its_customer_and_to_staff_only(audience: Audience, shown: tuple[bool, bool]) -> None:
    for signed_in, expected in zip((True, False), shown, strict=True):
        session = LiveSession("s")
        session.take(told(1, *EVENTS, TurnFinished(text="hi"), signed_in=signed_in))
        assert (session.run("r1", audience.allows) is not None) == expected
        assert (session.turn(1, audience.allows) is not None) == expected
        assert (session.expected(audience.allows) > 0) == expected, "not even the number of turns"
        session.take(told(1, signed_in=True))
        assert (session.run("r1", audience.allows) is not None) == shown[0], "the customer has signed in since"


def test_what_a_turn_and_a_session_keep_is_bounded() -> None:
    session = LiveSession("s")
    for number in range(3 * RUNS_MAX):
        session.take(told(1, *EVENTS, run=f"r{number}"))
    assert len(session._runs) == RUNS_MAX
    chunk = "x" * (LIVE_TURN_MAX_CHARS // 10)
    offset = 0
    for number in range(30):
        session.take(told(1, run="long", unnumbered=(delta(chunk, offset),)))
        session.take(told(number + 1, MessageReceived(text=chunk), run="wide"))
        offset += len(chunk)
    long, wide = session.run("long", ALICE.allows), session.run("wide", ALICE.allows)
    assert long is not None
    assert long.text is not None
    assert len(long.text.text) <= LIVE_TURN_MAX_CHARS
    assert wide is not None
    assert sum(len(frame.sent) for frame in wide.frames) <= LIVE_TURN_MAX_CHARS + 10_000


@pytest.mark.parametrize(
    "event",
    [
        Delta(turn=1, seq=2, attempt=0, writer="w", offset=3, text="a\nb\r\n\u2028 \u00e4"),
        Reset(turn=1, seq=2, attempt=0, writer="w"),
        ToolReturned(turn=1, call_id="a", ok=True, outcome="known"),
    ],
    ids=lambda event: event.kind,
)
def test_unnumbered_events_are_sent_as_the_library_writes_them(event: Unnumbered) -> None:
    written = ServerSentEvent(event.model_dump_json(), event=event.kind, sep=LINE_END).encode()
    assert unnumbered_frame(event) == written
