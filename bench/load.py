"""The load generator: sessions that send one message after the other and check each reply."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from bench.machine import cpu_ms
from bench.systems import System, WrongAnswer
from bench.workload import HELLO, Task


@dataclass(frozen=True)
class LoadResult:
    """Latency of each turn as the customer sees it, total time, and CPU time of each process."""

    seconds: float
    latencies_ms: tuple[float, ...]
    cpu_ms_by_process: Mapping[str, float]

    @property
    def turns(self) -> int:
        return len(self.latencies_ms)

    @property
    def cpu_ms(self) -> float:
        return sum(self.cpu_ms_by_process.values())


async def play(system: System, task: Task, sessions: int, turns: int) -> LoadResult:
    """Run concurrent new sessions, each with this number of turns of the task. Raises WrongAnswer.

    The figures leave out the first message of each session, which in the mesh includes a hand-off.
    """
    names = [new_session() for _ in range(sessions)]
    await asyncio.gather(*(say(system, name, HELLO) for name in names))
    cpu_before = cpu_ms(system.pids())
    started = time.perf_counter()
    conversations = await asyncio.gather(*(converse(system, name, task, turns) for name in names))
    seconds = time.perf_counter() - started
    used = {name: now - cpu_before[name] for name, now in cpu_ms(system.pids()).items()}
    await asyncio.gather(*(verify(system, name, [HELLO] + [task] * turns) for name in names))
    return LoadResult(seconds, tuple(latency for conversation in conversations for latency in conversation), used)


async def converse(system: System, session: str, task: Task, turns: int) -> list[float]:
    """Return the milliseconds of each turn."""
    return [await say(system, session, task) for _ in range(turns)]


async def say(system: System, session: str, task: Task) -> float:
    """Send a message and return the milliseconds until the correct reply. Raises WrongAnswer."""
    started = time.perf_counter()
    reply = await system.send(session, task.text)
    latency_ms = (time.perf_counter() - started) * 1000
    if reply != task.reply:
        raise WrongAnswer(f"{system.name} replied to {task.text!r} with {reply!r} instead of {task.reply!r}")
    return latency_ms


async def verify(system: System, session: str, tasks: Sequence[Task]) -> None:
    """Check that each turn had all its tool results and that there were no other turns. Raises WrongAnswer."""
    expected = [task.results for task in tasks]
    found = await system.results(session)
    if found != expected:
        raise WrongAnswer(f"{system.name}, session {session}: tool results {found} instead of {expected}")


def new_session() -> str:
    return f"bench-{uuid4()}"
