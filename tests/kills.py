"""Kills of processes during tests: a process ends at once, in the middle of whatever it does, and starts again."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from switchboard.local.process import Process

PAUSE_SECONDS = 0.2, 1.2
"""Between two random kills: the shortest and the longest."""

WORKERS = 3
"""Of one random run. Each has one piece of work at a time."""


async def restart(*processes: Process) -> None:
    """Kill the processes, all at the same time, and start them again."""
    await asyncio.gather(*(process.kill() for process in processes))
    await asyncio.gather(*(process.start() for process in processes))


async def work_under_kills(
    draw: random.Random,
    kills: int,
    victims: Sequence[tuple[Process, int]],
    work: Callable[[int], Awaitable[Counter[str]]],
) -> Counter[str]:
    """Repeat a piece of work until so many processes were killed, and return how often it ended in which way.

    Each victim has a weight. `work` gets its worker's number, says how it ended, and raises if something is wrong.
    """
    processes, weights = zip(*victims, strict=True)
    ended: Counter[str] = Counter()
    stop = asyncio.Event()

    async def worker(number: int) -> None:
        while not stop.is_set():
            ended.update(await work(number))

    async def strike() -> None:
        for _ in range(kills):
            await asyncio.sleep(draw.uniform(*PAUSE_SECONDS))
            await restart(draw.choices(processes, weights)[0])
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        for number in range(WORKERS):
            tasks.create_task(worker(number))
        tasks.create_task(strike())
    assert ended.total() >= WORKERS
    print(f"{kills} kills, ended:", *sorted(ended.items()))
    return ended
