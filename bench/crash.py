"""A crash of all workers of a system in the middle of turns: how long it takes, and what it repeats or loses."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.laboratory import Laboratory
from bench.load import new_session, say
from bench.systems import NotReached, System, WrongAnswer, send_until_answered
from bench.workload import BOOKINGS_DONE, HELLO, TURN_MODEL_CALLS, bookings, bookings_text, script
from switchboard.local.process import wait_until
from switchboard.testing import JSON

CRASH = "a crash"
SESSIONS = 8

KILL_AFTER = timedelta(milliseconds=100)
"""Delay of the kill after the first tool of every session had its effect.

A system that journals each result has done so by then. Its other tools are still running.
"""

ANSWERED_WITHIN = timedelta(seconds=60)
EFFECTS_WITHIN = timedelta(seconds=30)

RECOVERY_S = "s from the kill to the last reply"
MODEL_CALLS_REPEATED = "model calls repeated"
EFFECTS_DOUBLED = "tool effects doubled"
TURNS_LOST = "turns without the right reply"
CONVERSATIONS_LOST = "conversations forgotten"


@dataclass(frozen=True)
class Turns:
    """The turns that a crash interrupts. There is one in each session."""

    sessions: Sequence[str]

    def expected_effects(self) -> set[str]:
        return {booking["name"] for session in self.sessions for booking in bookings(session)}


async def crash(system: System, laboratory: Laboratory) -> dict[str, float]:
    """Kill all workers of a system while SESSIONS turns run, start them again at once, and count."""
    turns = Turns([new_session() for _ in range(SESSIONS)])
    await laboratory.plays(*script(booking_sessions=turns.sessions))
    for session in turns.sessions:
        await say(system, session, HELLO)
    laboratory.effects.write_bytes(b"")
    replies = [asyncio.create_task(answer(system, session)) for session in turns.sessions]
    try:
        await first_effects(laboratory.effects, system)
        await asyncio.sleep(KILL_AFTER.total_seconds())
        killed_at = time.perf_counter()
        await asyncio.gather(*(worker.kill() for worker in system.workers))
        await asyncio.gather(*(worker.start() for worker in system.workers))
        found = await asyncio.gather(*replies)
        seconds = time.perf_counter() - killed_at
    finally:
        for reply in replies:
            reply.cancel()
    effects = Counter(read_effects(laboratory.effects))
    requests = await laboratory.model_requests()
    figures = count(turns, found, effects, requests)
    await laboratory.plays(*script())
    return {RECOVERY_S: seconds, **figures}


async def answer(system: System, session: str) -> str:
    """Return the reply, or "" if there is none."""
    try:
        return await send_until_answered(system, session, bookings_text(session), f"book-{session}", ANSWERED_WITHIN)
    except NotReached:
        return ""


def read_effects(file: Path) -> list[str]:
    return file.read_text().split("\n")[:-1]


async def first_effects(effects: Path, system: System) -> None:
    async def seen() -> bool:
        return len(read_effects(effects)) >= SESSIONS

    await wait_until(seen, EFFECTS_WITHIN, f"{system.name} did not run the tools of {SESSIONS} turns")


def count(turns: Turns, replies: Sequence[str], effects: Counter[str], requests: Sequence[JSON]) -> dict[str, float]:
    """Return what was repeated and lost. Raises WrongAnswer for an effect or a call that no turn asked for."""
    expected = turns.expected_effects()
    if unknown := set(effects) - expected:
        raise WrongAnswer(f"effects that no turn asked for: {sorted(unknown)}")
    asked = {bookings_text(session): session for session in turns.sessions}
    calls = Counter(asked[request["user"]] for request in requests if request.get("user") in asked)
    last = {asked[request["user"]]: str(request["body"]) for request in requests if request.get("user") in asked}
    return {
        MODEL_CALLS_REPEATED: sum(max(calls[session] - TURN_MODEL_CALLS, 0) for session in turns.sessions),
        EFFECTS_DOUBLED: sum(times - 1 for times in effects.values()),
        TURNS_LOST: sum(reply != BOOKINGS_DONE for reply in replies) + len(expected - set(effects)),
        CONVERSATIONS_LOST: sum(HELLO.text not in last.get(session, "") for session in turns.sessions),
    }
