"""Random faults in a mesh, and customers who repeat their requests until they are answered."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from switchboard.local.process import Process
from switchboard.testing import JSON, Answer
from tests.gateway.front import Visitor

FAULTS = {"kill": 6, "freeze": 3, "kill all": 1}
"""Kinds of faults and how often each is drawn."""

DOWN_SECONDS_MAX = 1.5
"""How long a killed process is away before it is started again."""

FROZEN_SECONDS_MAX = 2.0

PAUSE_SECONDS_MAX = 0.5
"""Between two faults of one source. Two sources work side by side, so that faults overlap."""

SOURCES = 2


@dataclass
class Faults:
    """Kills and freezes processes of a mesh at random. `struck` counts the faults by kind and process."""

    processes: dict[str, Process]
    draw: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def strike(self, count: int) -> None:
        """Cause so many faults. All processes run at the end."""
        async with asyncio.TaskGroup() as sources:
            for number in range(SOURCES):
                sources.create_task(self._strike(count // SOURCES + (number < count % SOURCES)))

    async def _strike(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(self.draw.uniform(0, PAUSE_SECONDS_MAX))
            (kind,) = self.draw.choices(list(FAULTS), list(FAULTS.values()))
            name = self.draw.choice(list(self.processes))
            if kind == "kill all":
                self.struck[kind] += 1
                await self._kill(*self.processes)
            else:
                self.struck[f"{kind} {name}"] += 1
                await (self._kill(name) if kind == "kill" else self._freeze(name))

    async def _kill(self, *names: str) -> None:
        processes = [self.processes[name] for name in names]
        async with self._only_here(names):
            await asyncio.gather(*(process.kill() for process in processes))
            await asyncio.sleep(self.draw.uniform(0, DOWN_SECONDS_MAX))
            await asyncio.gather(*(process.start() for process in processes))

    async def _freeze(self, name: str) -> None:
        async with self._only_here((name,)):
            process = self.processes[name]
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self.draw.uniform(0, FROZEN_SECONDS_MAX))
            finally:
                os.kill(process.pid, signal.SIGCONT)

    @asynccontextmanager
    async def _only_here(self, names: tuple[str, ...]) -> AsyncIterator[None]:
        """Wait until no other fault holds one of these processes, which are always taken in the same order."""
        locks = [self._locks.setdefault(name, asyncio.Lock()) for name in sorted(names)]
        taken: list[asyncio.Lock] = []
        try:
            for lock in locks:
                await lock.acquire()
                taken.append(lock)
            yield
        finally:
            for lock in taken:
                lock.release()


CUT_SHARE = 0.1
"""Of the attempts, those whose connection breaks before the answer."""

CUT_SECONDS_MAX = 1.0

ATTEMPT_SECONDS = 30.0
"""After this the customer repeats the request. The request that was accepted goes on meanwhile."""

REPEAT_SECONDS = 0.2

ATTEMPTS_MAX = 300

TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500


@dataclass
class PatientCustomer:
    """A customer at the gateway who repeats each request with its idempotency key until it is answered."""

    visitor: Visitor
    draw: random.Random
    count: Callable[[str], None]

    async def says(self, text: str, **more: Any) -> Answer:
        return await self.posts("messages", text=text, **more)

    async def confirms(self, held_id: str) -> Answer:
        return await self.posts("confirm", held_id=held_id)

    async def asks(self, handler: str, **query: Any) -> Answer:
        """Interrupt the turn, or read the `transcript` or the `status`."""
        if handler == "interrupt":
            return await self.posts(handler)
        return await self._until_answered("GET", handler, params=query)

    async def posts(self, path: str, **body: Any) -> Answer:
        key = {"idempotency-key": uuid4().hex}
        return await self._until_answered("POST", path, key, json=body or None)

    async def _until_answered(self, method: str, path: str, headers: JSON | None = None, **more: Any) -> Answer:
        last: object = None
        for attempt in range(ATTEMPTS_MAX):
            if attempt == 1:
                self.count("requests repeated")
            cut = self.draw.random() < CUT_SHARE
            try:
                async with asyncio.timeout(self.draw.uniform(0, CUT_SECONDS_MAX) if cut else ATTEMPT_SECONDS):
                    answer = await self.visitor.calls(method, path, headers, **more)
            except (aiohttp.ClientError, TimeoutError) as error:
                last = error
            else:
                if answer.status < SERVER_ERROR and answer.status != TOO_MANY_REQUESTS:
                    return Answer(answer.status, answer.body)
                last = answer
            await asyncio.sleep(REPEAT_SECONDS)
        raise AssertionError(f"{method} {path} was not answered; last: {last!r}")
