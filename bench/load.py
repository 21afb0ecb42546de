"""The load generator: sessions that send one message after the other and check each reply."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from bench.machine import cpu_ms
from bench.systems import NotReached, System, WrongAnswer
from bench.workload import HELLO, Task


@dataclass(frozen=True)
class LoadResult:
    """Latency of each turn as the customer sees it, total time, CPU time of each process, and bytes logged."""

    seconds: float
    latencies_ms: tuple[float, ...]
    cpu_ms_by_process: Mapping[str, float]
    logged_bytes: float

    @property
    def turns(self) -> int:
        return len(self.latencies_ms)

    @property
    def cpu_ms(self) -> float:
        return sum(self.cpu_ms_by_process.values())


async def play(system: System, task: Task, sessions: int, turns: int) -> LoadResult:
    """Run concurrent new sessions, each with this number of turns of the task. Raises WrongAnswer."""
    return await play_each(system, task, sessions, lambda name: converse(system, name, task, turns))


async def play_for(system: System, task: Task, sessions: int, duration: timedelta) -> LoadResult:
    """Run concurrent new sessions, which start turns until the time is over. Raises WrongAnswer."""
    return await play_each(system, task, sessions, lambda name: converse_for(system, name, task, duration))


async def play_each(
    system: System, task: Task, sessions: int, conversation: Callable[[str], Awaitable[list[float]]]
) -> LoadResult:
    """Run a conversation in each of some new sessions.

    The figures leave out the first message of each session, which in the mesh includes a hand-off.
    """
    names = [new_session() for _ in range(sessions)]
    await asyncio.gather(*(say(system, name, HELLO) for name in names))
    cpu_before, logged_before = cpu_ms(system.processes), await logged_bytes(system)
    started = time.perf_counter()
    conversations = await asyncio.gather(*map(conversation, names))
    seconds = time.perf_counter() - started
    used = {name: now - cpu_before[name] for name, now in cpu_ms(system.processes).items()}
    logged = await logged_bytes(system) - logged_before
    for name, latencies in zip(names, conversations, strict=True):
        await verify(system, name, [HELLO] + [task] * len(latencies))
    return LoadResult(seconds, tuple(latency for each in conversations for latency in each), used, logged)


async def logged_bytes(system: System) -> float:
    return await system.log.logged_bytes() if system.log else 0.0


async def converse(system: System, session: str, task: Task, turns: int) -> list[float]:
    """Return the milliseconds of each turn."""
    return [await say(system, session, task) for _ in range(turns)]


async def converse_for(system: System, session: str, task: Task, duration: timedelta) -> list[float]:
    """Return the milliseconds of each turn that started in time; there is at least one."""
    deadline = time.monotonic() + duration.total_seconds()
    latencies = [await say(system, session, task)]
    while time.monotonic() < deadline:
        latencies.append(await say(system, session, task))
    return latencies


async def say(system: System, session: str, task: Task) -> float:
    """Send a message and return the milliseconds until the correct reply. Raises WrongAnswer."""
    started = time.perf_counter()
    try:
        reply = await system.send(session, task.text)
    except NotReached as error:
        raise WrongAnswer(str(error)) from error
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
