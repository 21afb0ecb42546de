"""Restate in memory: it runs the handlers of real services with the SDK's own context, without a server.

State, locks, calls, sends, timers, promises, awakeables and cancellations work as in Restate. What is missing is the
journal: no handler is retried or replayed, and what was in memory is gone at the end. So thousands of conversations are
played in minutes. The ones that need crashes are played on a real mesh.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import restate
from restate.server_context import ServerInvocationContext
from restate.vm import (
    DO_PROGRESS_ANY_COMPLETED,
    DO_PROGRESS_CANCEL_SIGNAL_RECEIVED,
    DO_PROGRESS_WAIT_EXTERNAL_PROGRESS,
    AllCompletedUnresolvedFuture,
    DoProgressExecuteRun,
    DoProgressResult,
    Failure,
    Invocation,
    NotificationType,
    Run,
    SingleUnresolvedFuture,
    UnresolvedFuture,
)

from switchboard.runtime.serve import AnyService

CANCELLED = Failure(409, "cancelled")
DEFECT = 500

Headers = list[tuple[str, str]]


class InThisThread(ThreadPoolExecutor):
    """Runs functions at once. The SDK runs a handler's plain functions in threads, whose order would be random."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # The caller gets it from the future.
            done.set_exception(error)
        return done


@dataclass(frozen=True)
class Handles:
    result_handle: int
    invocation_id_handle: int


@dataclass
class Invoked:
    """One invocation. `answer` is its output or its failure."""

    invocation: Invocation
    service: str
    handler: str
    created_at: datetime
    answer: "asyncio.Future[bytes | Failure]"
    completed_at: datetime | None = None
    machine: "Machine | None" = None
    cancelled: bool = False

    @property
    def where(self) -> tuple[str, str]:
        """The object or workflow that it belongs to."""
        return self.service, self.invocation.key

    def end(self, answer: bytes | Failure) -> None:
        if not self.answer.done():
            self.completed_at = datetime.now(UTC)
            self.answer.set_result(answer)


@dataclass
class MemoryRestate:
    """Runs these services. `scheduled` are the sends that wait for their time."""

    services: Sequence[AnyService]
    state: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    invocations: dict[str, Invoked] = field(default_factory=dict)
    timers: set[asyncio.TimerHandle] = field(default_factory=set)
    promises: dict[tuple[str, str, str], "asyncio.Future[bytes | Failure]"] = field(default_factory=dict)
    awakeables: dict[str, Callable[[NotificationType], None]] = field(default_factory=dict)
    _answers: dict[tuple[str, ...], Invoked] = field(default_factory=dict)
    _running: dict[str, Invoked] = field(default_factory=dict)
    _locks: dict[tuple[str, str], asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._by_name = {service.name: service for service in self.services}

    async def request(self, service: str, handler: str, key: str, body: bytes, idempotency_key: str) -> bytes:
        """Invoke a handler as the ingress does. Raises TerminalError."""
        slot = (service, handler, key, idempotency_key)
        found = self._answers.get(slot) if idempotency_key else None
        if found is None:
            found = self.invoke(service, handler, key, body, [], idempotency_key)
            self._answers[slot] = found
        answer = await found.answer
        if isinstance(answer, Failure):
            raise restate.TerminalError(answer.message, answer.code, answer.metadata)
        return answer

    def invoke(
        self,
        service: str,
        handler: str,
        key: str,
        body: bytes,
        headers: Headers,
        idempotency_key: str = "",
        delay_ms: int = 0,
    ) -> Invoked:
        """Start an invocation, or schedule it. It waits for its object's lock, in order."""
        number = next(self._numbers)
        invocation = Invocation(f"inv_{number:06}", number, headers, body, key, idempotency_key=idempotency_key or None)
        answer: asyncio.Future[bytes | Failure] = asyncio.get_running_loop().create_future()
        started = Invoked(invocation, service, handler, datetime.now(UTC), answer)
        self.invocations[invocation.invocation_id] = started
        if delay_ms:
            self.later(delay_ms / 1000, lambda: self._start(started))
        else:
            self._start(started)
        return started

    def _start(self, started: Invoked) -> None:
        own_id = started.invocation.invocation_id
        if not started.answer.done():
            self._running[own_id] = started
            started.answer.add_done_callback(lambda _: self._running.pop(own_id, None))
            self.spawn(self._run(started))

    def spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def later(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        """Call a function after a time."""

        def due() -> None:
            self.timers.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self.timers.add(timer)
        return timer

    async def _run(self, started: Invoked) -> None:
        handler = self._by_name[started.service].handlers[started.handler]
        if handler.kind in (None, "shared"):
            await self._attempt(started, handler)
            return
        async with self._locks[started.where]:
            if not started.answer.done():
                await self._attempt(started, handler)

    async def _attempt(self, started: Invoked, handler: Any) -> None:
        machine = Machine(self, started)
        started.machine = machine
        context = ServerInvocationContext(
            cast(Any, machine), handler, started.invocation, {}, machine.send, cast(Any, machine)
        )
        try:
            await context.enter()  # type: ignore[no-untyped-call]  # the SDK has no annotation
        except Exception as error:  # noqa: BLE001
            # Restate would retry. Without a journal that is a failure, and no handler is allowed one here.
            started.end(Failure(DEFECT, f"{started.service}/{started.handler} raised {error!r}"))
        finally:
            context.on_attempt_finished()  # type: ignore[no-untyped-call]
            machine.close()
            started.end(Failure(DEFECT, f"{started.service}/{started.handler} ended without an answer"))

    def cancel(self, invocation_id: str) -> None:
        """Cancel an invocation: at its next await, or at once if it has not begun."""
        found = self.invocations[invocation_id]
        if found.machine is None:
            found.end(CANCELLED)
        elif not found.answer.done():
            found.cancelled = True
            found.machine.changed.set()

    def promise(self, where: tuple[str, str], name: str) -> "asyncio.Future[bytes | Failure]":
        slot = (*where, name)
        if slot not in self.promises:
            self.promises[slot] = asyncio.get_running_loop().create_future()
        return self.promises[slot]

    def running(self, ignored: Sequence[str] = ()) -> int:
        """Return how many invocations have not ended, without those of some services."""
        return sum(one.service not in ignored for one in self._running.values())

    def forget(self) -> None:
        """Forget all that has ended and all state, as if the mesh were new."""
        for timer in self.timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        for kept in (self.timers, self.state, self.invocations, self._running, self.promises, self.awakeables):
            kept.clear()
        self._answers.clear()
        self._locks.clear()


@dataclass
class Machine:
    """What an invocation's context talks to, in place of the SDK's state machine and its connection to a server."""

    restate: MemoryRestate
    invoked: Invoked
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _results: dict[int, NotificationType] = field(default_factory=dict)
    _to_run: set[int] = field(default_factory=set)
    _called: list[str] = field(default_factory=list)
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)
    _handles: Any = field(default_factory=lambda: itertools.count(1))

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
            self.restate.timers.discard(timer)

    # The connection.

    async def send(self, _: object) -> None:
        """Nothing is sent: calls and state go to the memory at once."""

    async def __call__(self) -> dict[str, Any]:
        await self.changed.wait()
        self.changed.clear()
        return {"type": "restate.run_completed"}

    async def enqueue_restate_event(self, _: object) -> None:
        self.changed.set()

    def take_output(self) -> bytes:
        return b""

    # Results.

    def is_replaying(self) -> bool:
        return False

    def is_completed(self, handle: int) -> bool:
        return handle in self._results

    def take_notification(self, handle: int) -> NotificationType:
        return self._results.pop(handle)

    def complete(self, handle: int, result: NotificationType) -> None:
        self._results[handle] = result
        self.changed.set()

    def completed(self, result: NotificationType) -> int:
        handle: int = next(self._handles)
        self._results[handle] = result
        return handle

    def do_progress(self, awaited: UnresolvedFuture) -> DoProgressResult:
        if self.invoked.cancelled:
            self.invoked.cancelled = False
            for invocation_id in self._called:
                self.restate.cancel(invocation_id)
            return DO_PROGRESS_CANCEL_SIGNAL_RECEIVED
        handles = leaves(awaited)
        done = [handle in self._results for handle in handles]
        if all(done) if isinstance(awaited, AllCompletedUnresolvedFuture) else any(done):
            return DO_PROGRESS_ANY_COMPLETED
        to_run = next((handle for handle in handles if handle in self._to_run), None)
        if to_run is None:
            return DO_PROGRESS_WAIT_EXTERNAL_PROGRESS
        self._to_run.remove(to_run)
        return DoProgressExecuteRun(to_run)  # type: ignore[no-untyped-call]

    # The end.

    def sys_write_output_success(self, output: bytes) -> None:
        self.invoked.end(output)

    def sys_write_output_failure(self, output: Failure) -> None:
        self.invoked.end(output)

    def sys_end(self) -> None:
        """The output has ended it."""

    def notify_error(self, message: str, stacktrace: str, _: object = None) -> None:
        self.invoked.end(Failure(DEFECT, f"{message}\n{stacktrace}"))

    # State.

    @property
    def _state(self) -> dict[str, bytes]:
        return self.restate.state[self.invoked.where]

    def sys_get_state(self, name: str, _: str | None = None) -> int:
        return self.completed(self._state.get(name))

    def sys_get_state_keys(self, _: str | None = None) -> int:
        return self.completed(sorted(self._state))

    def sys_set_state(self, name: str, value: bytes, _: str | None = None) -> None:
        self._state[name] = value

    def sys_clear_state(self, name: str, _: str | None = None) -> None:
        self._state.pop(name, None)

    def sys_clear_all_state(self, _: str | None = None) -> None:
        self._state.clear()

    # Calls and timers.

    def sys_call(
        self, service: str, handler: str, parameter: bytes, key: str | None, headers: Headers, **_: Any
    ) -> Handles:
        called = self.restate.invoke(service, handler, key or "", bytes(parameter), headers)
        self._called.append(called.invocation.invocation_id)
        handle: int = next(self._handles)
        called.answer.add_done_callback(lambda answer: self.complete(handle, answer.result()))
        return Handles(handle, self.completed(called.invocation.invocation_id))

    def sys_send(
        self, service: str, handler: str, parameter: bytes, key: str | None, headers: Headers, delay: int = 0, **_: Any
    ) -> int:
        sent = self.restate.invoke(service, handler, key or "", bytes(parameter), headers, delay_ms=delay)
        return self.completed(sent.invocation.invocation_id)

    def sys_cancel(self, invocation_id: str) -> None:
        self.restate.cancel(invocation_id)

    def sys_sleep(self, millis: int, _: str | None = None) -> int:
        handle: int = next(self._handles)
        self._timers.append(self.restate.later(millis / 1000, lambda: self.complete(handle, None)))
        return handle

    # Runs.

    def sys_run(self, _: str) -> Run:
        handle: int = next(self._handles)
        self._to_run.add(handle)
        return Run(replayed=False, handle=handle)

    def propose_run_completion_success(self, handle: int, output: bytes) -> None:
        self.complete(handle, output)

    def propose_run_completion_failure(self, handle: int, output: Failure) -> None:
        self.complete(handle, output)

    def propose_run_completion_transient(self, handle: int, failure: Failure, **_: object) -> None:
        self.complete(handle, failure)

    # Promises and awakeables.

    def sys_get_promise(self, name: str) -> int:
        handle: int = next(self._handles)
        promised = self.restate.promise(self.invoked.where, name)
        promised.add_done_callback(lambda made: self.complete(handle, made.result()))
        return handle

    def sys_peek_promise(self, name: str) -> int:
        promised = self.restate.promise(self.invoked.where, name)
        return self.completed(promised.result() if promised.done() else None)

    def sys_complete_promise_success(self, name: str, value: bytes) -> int:
        return self._settle(name, value)

    def sys_complete_promise_failure(self, name: str, failure: Failure) -> int:
        return self._settle(name, failure)

    def _settle(self, name: str, value: bytes | Failure) -> int:
        promised = self.restate.promise(self.invoked.where, name)
        if promised.done():
            return self.completed(Failure(409, "the promise is already settled"))
        promised.set_result(value)
        return self.completed(None)

    def sys_awakeable(self) -> tuple[str, int]:
        handle: int = next(self._handles)
        name = f"sign_{self.invoked.invocation.invocation_id}_{handle}"
        self.restate.awakeables[name] = lambda result: self.complete(handle, result)
        return name, handle

    def sys_resolve_awakeable(self, name: str, value: bytes) -> None:
        if name in self.restate.awakeables:
            self.restate.awakeables[name](value)

    def sys_reject_awakeable(self, name: str, failure: Failure) -> None:
        if name in self.restate.awakeables:
            self.restate.awakeables[name](failure)


def leaves(awaited: UnresolvedFuture) -> list[int]:
    """Return the handles that an await waits for."""
    if isinstance(awaited, SingleUnresolvedFuture):
        return [awaited.handle]
    return [handle for child in awaited.children for handle in leaves(child)]
