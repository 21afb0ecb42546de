"""A virtual object in this process, with the rules of Restate that the session relies on, and random interleavings.

- Exclusive handlers of a key run one at a time, in the order of their arrival. Shared ones run beside them.
- What an exclusive handler sets, shared handlers see at once.
- An awakeable belongs to its invocation: resolving it later does nothing.
- Everything that waits may be overtaken by everything else. The random numbers decide, so that a seed repeats a run.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

LONG = timedelta(seconds=5)
"""Longer timers never fire in a run."""

TICKS_MAX = 12
"""Steps of the event loop that anything may take."""


class Future:
    """A durable future. `stop` cancels the invocation that it stands for."""

    def __init__(self, result: Awaitable[Any], stop: Callable[[], None] = lambda: None) -> None:
        self.task = asyncio.ensure_future(result)
        self._stop = stop

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.shield(self.task).__await__()

    async def cancel_invocation(self) -> None:
        self._stop()


async def wait_completed(*futures: Future) -> tuple[list[Future], list[Future]]:
    """Stands in for `restate.wait_completed`."""
    await asyncio.wait([future.task for future in futures], return_when=asyncio.FIRST_COMPLETED)
    done = [future for future in futures if future.task.done()]
    return done, [future for future in futures if not future.task.done()]


Agent = Callable[["Object", asyncio.Event, bytes], Awaitable[bytes]]


@dataclass
class Object:
    """One key of the object. `agent` answers the calls of other services; its event asks it to stop."""

    handlers: dict[str, Any]
    answers: Callable[[str, str, bytes], bytes | None]
    agent: Agent
    random: random.Random
    state: dict[str, bytes] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    awakeables: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    invocations: int = 0
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def ticks(self) -> None:
        """Let others go first, for a random time."""
        for _ in range(self.random.randrange(TICKS_MAX)):
            await asyncio.sleep(0)

    async def call(self, name: str, body: bytes) -> Any:
        """Invoke a handler. Raises its TerminalError."""
        handler = self.handlers[name]
        self.invocations += 1
        context = Context(self, f"inv_{self.invocations}")
        request = handler.handler_io.input_type.annotation.model_validate_json(body)
        try:
            if handler.kind == "shared":
                return await handler.fn(context, request)
            async with self.lock:
                return await handler.fn(context, request)
        finally:
            for each in context.awakeables:
                self.awakeables.pop(each, None)

    def spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def close(self) -> None:
        """End what still waits, such as timers."""
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Context:
    """What the session uses of restate's context."""

    def __init__(self, owner: Object, invocation_id: str) -> None:
        self.owner = owner
        self.invocation_id = invocation_id
        self.awakeables: list[str] = []

    def key(self) -> str:
        return "s-1"

    def request(self) -> Any:
        return type("Request", (), {"id": self.invocation_id, "headers": {}})

    async def get(self, name: str, type_hint: Any) -> Any:
        await self.owner.ticks()
        found = self.owner.state.get(name)
        return None if found is None else type_hint.model_validate_json(found)

    def set(self, name: str, value: Any) -> None:
        self.owner.state[name] = value.model_dump_json().encode()

    def clear(self, name: str) -> None:
        self.owner.state.pop(name, None)

    async def run_typed(self, name: str, action: Any, options: Any = None, *arguments: Any) -> Any:
        await self.owner.ticks()
        return await action(*arguments)

    async def time(self) -> float:
        return 0.0

    def uuid(self) -> UUID:
        return UUID(int=self.owner.random.getrandbits(128))

    def awakeable(self, type_hint: type[str]) -> tuple[str, Future]:
        name = f"{self.invocation_id}/{len(self.awakeables)}"
        self.awakeables.append(name)
        self.owner.awakeables[name] = asyncio.get_running_loop().create_future()
        return name, Future(self.owner.awakeables[name])

    def resolve_awakeable(self, name: str, value: str) -> None:
        async def arrive() -> None:
            await self.owner.ticks()
            waiting = self.owner.awakeables.get(name)
            if waiting is not None and not waiting.done():
                waiting.set_result(value)

        self.owner.spawn(arrive())

    def sleep(self, duration: timedelta, name: str = "") -> Future:
        return Future(self.owner.spawn(asyncio.Event().wait() if duration > LONG else self.owner.ticks()))

    def generic_call(
        self, service: str, handler: str, body: bytes, key: str = "", headers: dict[str, str] | None = None
    ) -> Future:
        if service == "Session":

            async def call() -> bytes:
                await self.owner.ticks()
                answer: bytes = (await self.owner.call(handler, body)).model_dump_json().encode()
                return answer

            return Future(self.owner.spawn(call()))
        answer = self.owner.answers(service, handler, body)
        if answer is not None:
            return Future(self.owner.spawn(self.later(answer)))
        stop = asyncio.Event()
        return Future(self.owner.spawn(self.owner.agent(self.owner, stop, body)), stop.set)

    async def later(self, answer: bytes) -> bytes:
        await self.owner.ticks()
        return answer

    def generic_send(
        self,
        service: str,
        handler: str,
        body: bytes,
        key: str = "",
        send_delay: timedelta = timedelta(0),
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep a one-way message: timers never fire in a run, and other services do not answer."""
        self.owner.sent.append((handler, body))
