"""Take-overs race with messages, in this process: the session's own handlers, and Restate's rules in their place.

`tests/mesh/test_take_over.py` runs the same race on a real Restate server.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

import pytest
import restate

from switchboard.messages import Card, Interrupted, ModelReply, Reply, TurnOutcome, WireModel
from switchboard.session.allowance import Grant
from switchboard.session.contract import CustomerRequest, HeldDecision, SendMessage, SendReply, TurnRecord
from switchboard.session.directory import Directory
from switchboard.session.session import session_object
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import (
    HAND_BACK,
    STAFF_MESSAGE,
    TAKE_OVER,
    StaffHandBack,
    StaffMessage,
    StaffTakeOver,
    StaffTurn,
)
from switchboard.session.state import Head
from switchboard.session.storage import HEAD, turn_key
from switchboard.session.take_over import SILENCE
from tests.unit.session import restate_object
from tests.unit.session.restate_object import Object

SAMPLE = 200
PARTS, PART = 10, 1_000
"""10,000 races take minutes."""

WRITERS, MESSAGES = 2, 3


class OneAgent:
    """A directory with one agent."""

    async def cards(self) -> tuple[Card, ...]:
        return (Card(name="Triage", handles="all"),)


async def answer(session: Object, stop: asyncio.Event, body: bytes) -> bytes:
    """The agent: works for a while, and reports what it did also when it is stopped."""
    assert head_of(session).staff is None, "an agent was asked while a member of staff answers"
    stopped = asyncio.ensure_future(stop.wait())
    working = asyncio.ensure_future(session.ticks())
    await asyncio.wait([stopped, working], return_when=asyncio.FIRST_COMPLETED)
    await session.ticks()
    outcome = TurnOutcome(next=Interrupted())
    if not stop.is_set():
        outcome = TurnOutcome(next=Reply(text="hi"), added=(ModelReply(agent="Triage", text="hi"),))
    for task in (stopped, working):
        task.cancel()
    return outcome.model_dump_json().encode()


def head_of(session: Object) -> Head:
    """Return the stored head; during the first turn there is none."""
    found = session.state.get(HEAD)
    return Head.model_validate_json(found) if found else Head(customer_id="alice", active="Triage")


def grants(service: str, handler: str, body: bytes) -> bytes | None:
    """Answer for the customer's account; None for calls of agents."""
    return Grant().model_dump_json().encode() if service == "CustomerUsage" else None


SESSION = session_object(cast(Directory, OneAgent()), SessionSettings(), "Triage", None)


def records(session: Object) -> list[TurnRecord]:
    numbers = range(1, head_of(session).turns_total + 1)
    return [TurnRecord.model_validate_json(session.state[turn_key(number)]) for number in numbers]


class Race:
    """One session, customers' writers, and staff who take over at any moment. `confirmed` are the numbers of turns at
    which a take-over was confirmed to its staff member."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.session = Object(dict(SESSION.handlers), grants, answer, self.random)
        self.replies = 0
        self.confirmed: list[int] = []

    async def call(self, handler: str, request: WireModel) -> object:
        await self.session.ticks()
        return await self.session.call(handler, request.model_dump_json().encode())

    async def write(self, handler: str) -> None:
        for _ in range(MESSAGES):
            reply = await self.call(handler, SendMessage(customer_id="alice", text="hello"))
            assert isinstance(reply, SendReply)
            self.replies += 1

    async def disturb(self) -> None:
        """Interrupt, and answer a question that is not open."""
        refused = (403, 404, 409)
        for handler, request in (
            ("interrupt", CustomerRequest(customer_id="alice")),
            ("confirm", HeldDecision(customer_id="alice", held_id="h")),
        ):
            await refusing(self.call(handler, request), refused)

    async def take_over(self, by: str) -> None:
        named = {"by": by, "session_id": "s-1"}
        while HEAD not in self.session.state and "running" not in self.session.state:
            await self.session.ticks()
            await asyncio.sleep(0)
        taken = await refusing(self.call(TAKE_OVER, StaffTakeOver(**named)), (409,))
        if taken is None:
            return
        assert isinstance(taken, StaffTurn)
        assert taken.staff is not None
        assert taken.staff.by == by
        self.confirmed.append(head_of(self.session).turns_total)
        for _ in range(2):
            await self.call(STAFF_MESSAGE, StaffMessage(**named, text="words"))
        await self.call(HAND_BACK, StaffHandBack(**named))

    async def run(self) -> None:
        work: list[Callable[[], Awaitable[None]]] = [lambda: self.write("send") for _ in range(WRITERS)]
        work += [self.disturb, lambda: self.take_over("ann"), lambda: self.take_over("ben")]
        self.random.shuffle(work)
        await asyncio.gather(*(each() for each in work))
        await self.session.close()


async def refusing(call: Awaitable[object], statuses: tuple[int, ...]) -> object:
    """Return the answer of a call; None if it was refused with one of these statuses."""
    try:
        return await call
    except restate.TerminalError as error:
        if error.status_code not in statuses:
            raise
        return None


def check(race: Race) -> str:
    """Return what is wrong with the records of a race; empty if nothing is."""
    staffed, answered = "", 0
    turns = records(race.session)
    for turn in turns:
        if turn.act == "taken_over":
            staffed = turn.by
        elif turn.by and turn.by != staffed:
            return f"turn {turn.turn}: {turn.by} wrote without the session"
        elif turn.agents and staffed:
            return f"turn {turn.turn}: an agent spoke while {staffed} answered"
        answered += any(message.kind == "user" for message in turn.messages)
        staffed = "" if turn.act == "handed_back" else staffed
    if answered != race.replies or race.replies != WRITERS * MESSAGES:
        return f"{answered} messages recorded, {race.replies} replies"
    if len(race.confirmed) != sum(turn.act == "taken_over" for turn in turns):
        return f"{len(race.confirmed)} take-overs confirmed"
    return ""


async def run_races(monkeypatch: pytest.MonkeyPatch, seeds: range) -> tuple[int, int]:
    """Run races. Returns how many take-overs were confirmed, and how many turns they interrupted."""
    monkeypatch.setattr(restate, "wait_completed", restate_object.wait_completed)
    confirmed = interrupted = 0
    for seed in seeds:
        race = Race(seed)
        await race.run()
        assert check(race) == "", f"seed {seed}"
        confirmed += len(race.confirmed)
        interrupted += sum(turn.interrupted for turn in records(race.session))
    return confirmed, interrupted


async def test_agents_and_staff_never_speak_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed, interrupted = await run_races(monkeypatch, range(SAMPLE))
    assert confirmed > SAMPLE / 2
    assert interrupted > SAMPLE / 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
async def test_agents_and_staff_never_speak_at_once_in_10_000_races(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    first = SAMPLE + part * PART
    confirmed, _ = await run_races(monkeypatch, range(first, first + PART))
    assert confirmed > PART / 2


async def test_timer_hands_back_only_while_the_customer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restate, "wait_completed", restate_object.wait_completed)
    settings = SessionSettings(SWITCHBOARD_STAFF_SILENT_MAX=timedelta(microseconds=1))
    handlers = session_object(cast(Directory, OneAgent()), settings, "Triage", None).handlers
    session = Object(dict(handlers), grants, answer, random.Random(1))
    message, named = SendMessage(customer_id="alice", text="hello"), {"by": "ann", "session_id": "s-1"}

    async def call(handler: str, request: WireModel) -> None:
        await session.call(handler, request.model_dump_json().encode())

    def timers() -> list[bytes]:
        return [body for handler, body in session.sent if handler == SILENCE]

    await call("send", message)
    await call(TAKE_OVER, StaffTakeOver(**named))
    await call(STAFF_MESSAGE, StaffMessage(**named, text="words"))
    [first] = timers()
    await session.call(SILENCE, first)
    assert head_of(session).staff is not None, "the customer does not wait"
    await call("send", message)
    [_, second] = timers()
    await call("send", message)
    assert len(timers()) == 2, "a session has one timer"
    await session.call(SILENCE, first)
    assert head_of(session).staff is not None, "the first timer is not the session's any more"
    await session.call(SILENCE, second)
    assert head_of(session).staff is None
    assert [(turn.act, turn.by) for turn in records(session)[-1:]] == [("handed_back", "")]
    await session.call(SILENCE, second)
    await call("send", message)
    assert records(session)[-1].reply == "hi"
    await session.close()
