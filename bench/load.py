"""The load generator: sessions that write one message after the other, and a check that each got the right answer."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from bench.machine import cpu_ms
from bench.systems import System, WrongAnswer
from bench.workload import HELLO, Task


@dataclass(frozen=True)
class Played:
    """How it went: the time of each turn as the customer saw it, of all together, and the CPU time of each process."""

    seconds: float
    latencies_ms: tuple[float, ...]
    cpu_ms_by_process: Mapping[str, float]

    @property
    def turns(self) -> int:
        return len(self.latencies_ms)

    @property
    def cpu_ms(self) -> float:
        return sum(self.cpu_ms_by_process.values())


async def play(system: System, task: Task, sessions: int, turns: int) -> Played:
    """So many new sessions at once, each with so many turns of this task. Raises WrongAnswer.

    Their first message, which in the mesh is the one with a hand-off, is not in the figures.
    """
    names = [new_session() for _ in range(sessions)]
    await asyncio.gather(*(say(system, name, HELLO) for name in names))
    cpu_before = cpu_ms(system.pids())
    begun = time.perf_counter()
    conversations = await asyncio.gather(*(converse(system, name, task, turns) for name in names))
    seconds = time.perf_counter() - begun
    used = {name: now - cpu_before[name] for name, now in cpu_ms(system.pids()).items()}
    await asyncio.gather(*(verify(system, name, [HELLO] + [task] * turns) for name in names))
    return Played(seconds, tuple(latency for conversation in conversations for latency in conversation), used)


async def converse(system: System, session: str, task: Task, turns: int) -> list[float]:
    """The milliseconds of each turn."""
    return [await say(system, session, task) for _ in range(turns)]


async def say(system: System, session: str, task: Task) -> float:
    """One message; the milliseconds until the right reply. Raises WrongAnswer."""
    begun = time.perf_counter()
    reply = await system.send(session, task.text)
    latency_ms = (time.perf_counter() - begun) * 1000
    if reply != task.reply:
        raise WrongAnswer(f"{system.name} answered {task.text!r} with {reply!r}, not with {task.reply!r}")
    return latency_ms


async def verify(system: System, session: str, tasks: Sequence[Task]) -> None:
    """Every turn had all its tool results, and there was no other turn. Raises WrongAnswer."""
    expected = [task.results for task in tasks]
    found = await system.results(session)
    if found != expected:
        raise WrongAnswer(f"{system.name}, session {session}: tool results {found}, not {expected}")


def new_session() -> str:
    return f"bench-{uuid4()}"
