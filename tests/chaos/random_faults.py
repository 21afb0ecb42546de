"""Random faults in a mesh, and customers who repeat their requests until they are answered."""

import asyncio
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from switchboard.local.process import Process
from switchboard.testing import JSON, Answer
from switchboard.testing.scripted_model import ScriptedModel
from tests.gateway.front import Visitor
from tests.lines import Line

FAULTS = {
    "kill": 5,
    "freeze": 3,
    "terminate": 2,
    "kill all": 1,
    "cut": 2,
    "refuse": 2,
    "silence": 2,
    "few files": 1,
    "full disk": 1,
    "model": 2,
}
"""Kinds of faults and how often each is drawn."""

DOWN_SECONDS_MAX = 1.5
"""How long a killed process is away before it is started again, and how long a line refuses connections."""

FROZEN_SECONDS_MAX = 2.0
"""How long a process is frozen or short of files, and how long a line is silent."""

PAUSE_SECONDS_MAX = 0.5
"""Between two faults of one source. Two sources work side by side, so that faults overlap."""

SOURCES = 2

MODEL_FAULTS = ("http_503", "http_429", "hang_up", "break_off", "garbage", "latency")
MODEL_FAULTS_AT_ONCE = 2
"""So many requests fail in a row. The loop asks a model four times before it apologises."""

MORE: dict[str, JSON] = {"http_429": {"retry_after_s": 1}, "latency": {"latency_ms": 1_500}}
"""Further fields of these faults."""

FULL_DISK_BYTES = 4096
"""No file of Restate may grow beyond this while its disk is full."""


@dataclass
class Faults:
    """Causes random faults in the processes of a mesh, in the lines between them and in its model.

    `struck` counts the faults by kind and process. Each source of faults draws them from the seed and its number.
    """

    processes: dict[str, Process]
    lines: dict[str, Line]
    model: ScriptedModel
    seed: str
    struck: Counter[str] = field(default_factory=Counter)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def strike(self, count: int) -> None:
        """Cause so many faults. All processes run at the end, and all lines and the model work."""
        async with asyncio.TaskGroup() as sources:
            for number in range(SOURCES):
                draw = random.Random(f"{self.seed}, source {number}")
                sources.create_task(self._strike(count // SOURCES + (number < count % SOURCES), draw))
        await self.model.recovers()

    async def _strike(self, count: int, draw: random.Random) -> None:
        for _ in range(count):
            await asyncio.sleep(draw.uniform(0, PAUSE_SECONDS_MAX))
            (kind,) = draw.choices(list(FAULTS), list(FAULTS.values()))
            await self._cause(kind, draw)

    async def _cause(self, kind: str, draw: random.Random) -> None:
        name, line = draw.choice(list(self.processes)), draw.choice(list(self.lines))
        if kind == "kill all":
            self.struck[kind] += 1
            await self._kill(draw, *self.processes)
        elif kind == "full disk":
            self.struck[kind] += 1
            await self._fill_disk(draw)
        elif kind == "model":
            fault = draw.choice(MODEL_FAULTS)
            self.struck[f"model {fault}"] += 1
            await self.model.fails({"kind": fault, "times": MODEL_FAULTS_AT_ONCE, **MORE.get(fault, {})})
        elif kind in ("cut", "refuse", "silence"):
            self.struck[f"{kind} the line to {line}"] += 1
            await self._disturb(draw, self.lines[line], kind)
        else:
            self.struck[f"{kind} {name}"] += 1
            causes: dict[str, Callable[[random.Random, str], Awaitable[None]]] = {
                "kill": self._kill,
                "freeze": self._freeze,
                "terminate": self._terminate,
                "few files": self._limit_files,
            }
            await causes[kind](draw, name)

    async def _kill(self, draw: random.Random, *names: str) -> None:
        processes = [self.processes[name] for name in names]
        async with self._only_here(names):
            await asyncio.gather(*(process.kill() for process in processes))
            await asyncio.sleep(draw.uniform(0, DOWN_SECONDS_MAX))
            await asyncio.gather(*(process.start() for process in processes))

    async def _terminate(self, _: random.Random, name: str) -> None:
        """Stop a process as Kubernetes does, and start it again."""
        async with self._only_here((name,)):
            await self.processes[name].stop()
            await self.processes[name].start()

    async def _freeze(self, draw: random.Random, name: str) -> None:
        async with self._only_here((name,)):
            process = self.processes[name]
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(draw.uniform(0, FROZEN_SECONDS_MAX))
            finally:
                os.kill(process.pid, signal.SIGCONT)

    async def _limit_files(self, draw: random.Random, name: str) -> None:
        """Let a process open no further file or connection for a while. It is started again if it ends."""
        async with self._only_here((name,)), self._limited(self.processes[name], resource.RLIMIT_NOFILE, 0):
            await asyncio.sleep(draw.uniform(0, FROZEN_SECONDS_MAX))

    async def _fill_disk(self, draw: random.Random) -> None:
        """Let Restate's files not grow for a while. Then it is restarted, as operators do with free space."""
        async with self._only_here(("restate",)):
            restate = self.processes["restate"]
            async with self._limited(restate, resource.RLIMIT_FSIZE, FULL_DISK_BYTES):
                await asyncio.sleep(draw.uniform(0, FROZEN_SECONDS_MAX))
            await restate.kill()
            await restate.start()

    @asynccontextmanager
    async def _limited(self, process: Process, limit: int, most: int) -> AsyncIterator[None]:
        usual, hard = resource.prlimit(process.pid, limit)
        resource.prlimit(process.pid, limit, (most, hard))
        try:
            yield
        finally:
            if process.alive:
                resource.prlimit(process.pid, limit, (usual, hard))
            else:
                await process.start()

    async def _disturb(self, draw: random.Random, line: Line, kind: str) -> None:
        async with self._only_here((f"line {line.port}",)):
            if kind == "cut":
                line.cut()
            elif kind == "refuse":
                await line.close()
                await asyncio.sleep(draw.uniform(0, DOWN_SECONDS_MAX))
                await line.open()
            else:
                line.silence()
                await asyncio.sleep(draw.uniform(0, FROZEN_SECONDS_MAX))
                line.flowing.set()

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

TOO_MANY_REQUESTS = 429


def is_refused_for_now(answer: Answer) -> bool:
    """Whether a request to Restate or to the gateway has to be repeated."""
    return answer.too_early or answer.status == TOO_MANY_REQUESTS


@dataclass(frozen=True)
class Posted:
    """A request with its idempotency key and its answer. Times are those of the event loop, in seconds."""

    path: str
    key: str
    body: JSON
    began: float
    ended: float
    answer: Answer

    @property
    def turn(self) -> int | None:
        """The turn of a message that was accepted."""
        return self.answer.body["turn"] if self.answer.status < BAD_REQUEST and self.path in MESSAGES else None


BAD_REQUEST = 400

MESSAGES = ("messages", "confirm")
"""The paths of requests that are a turn of the session."""


@dataclass
class PatientCustomer:
    """A customer at the gateway who repeats each request with its idempotency key until it is answered.

    `posted` are the requests that changed something, in the order of their answers.
    """

    visitor: Visitor
    draw: random.Random
    count: Callable[[str], None]
    posted: list[Posted] = field(default_factory=list)

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
        loop, key = asyncio.get_running_loop(), uuid4().hex
        began = loop.time()
        answer = await self._post(path, key, body)
        self.posted.append(Posted(path, key, body, began, loop.time(), answer))
        return answer

    async def repeats(self, posted: Posted) -> Answer:
        """Send a request again that was answered."""
        return await self._post(posted.path, posted.key, posted.body)

    async def _post(self, path: str, key: str, body: JSON) -> Answer:
        return await self._until_answered("POST", path, {"idempotency-key": key}, json=body or None)

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
                found = Answer(answer.status, answer.body)
                if not is_refused_for_now(found):
                    return found
                last = answer
            await asyncio.sleep(REPEAT_SECONDS)
        raise AssertionError(f"{method} {path} was not answered; last: {last!r}")
