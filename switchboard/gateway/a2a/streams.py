"""A task's events as a stream of A2A, from the events of its session. Any gateway can show any task.

A stream begins with the task as it is. So a client that has lost its connection subscribes again, at any gateway, and
misses nothing that matters: the task has everything that was said, and its state.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

from a2a.server.events import Event
from a2a.types import TaskArtifactUpdateEvent, TaskStatusUpdateEvent
from fastapi import Request
from google.protobuf.json_format import ParseDict

from switchboard.events import (
    SEQ_MAX,
    AgentStarted,
    Delta,
    Numbered,
    Shown,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    read_event,
)
from switchboard.gateway.a2a.errors import error_of
from switchboard.gateway.a2a.tasks import Tasks, TaskView
from switchboard.gateway.contract import ProblemDetails
from switchboard.gateway.event_streams import customer_reader, release_request
from switchboard.gateway.feed import CHECK_INTERVAL, Audience
from switchboard.gateway.hub import Hub
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import kind_and_data
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.viewer import Position, Viewer
from switchboard.session.a2a import COMPLETED, INPUT_REQUIRED, JSON, TERMINAL, WORKING, TaskName

Deliver = Callable[[Callable[[str], None]], Awaitable[None]]
"""Submits a message, passes the id of its invocation on, and waits for the reply."""


class Sending:
    """The message that a stream begins with. `continues` if it answers in a task that has begun before."""

    def __init__(self, deliver: Deliver, continues: bool) -> None:
        self.continues = continues
        self._submitted = asyncio.Event()
        self.delivery = asyncio.ensure_future(self._deliver(deliver))

    async def _deliver(self, deliver: Deliver) -> None:
        await deliver(lambda _: self._submitted.set())

    async def submitted(self) -> None:
        """Wait until the message is submitted. Raises Problem if it was refused."""
        accepted = asyncio.ensure_future(self._submitted.wait())
        await asyncio.wait({self.delivery, accepted}, return_when=asyncio.FIRST_COMPLETED)
        accepted.cancel()
        if self.delivery.done():
            self.delivery.result()

    async def close(self) -> None:
        """Stop waiting for the reply. The message keeps running."""
        self.delivery.cancel()
        await asyncio.wait({self.delivery})


async def follow(
    request: Request, caller: Caller, name: TaskName, deliver: Deliver | None = None, continues: bool = False
) -> AsyncGenerator[Event, None]:
    """Yield a task, and what happens in it until it ends or asks. `deliver` first sends a message of the task.

    Raises A2AError and Problem.
    """
    hub: Hub = request.app.state.hub
    sessions: SessionClient = request.app.state.session_client
    read = customer_reader(sessions, name.session_id, caller)
    with hub.viewer(name.session_id, Audience(caller), read) as feed:
        page = await feed.open(None)  # Refuses another customer's session.
        release_request(request)
        viewer = Viewer(feed, Position(page.turns_total, SEQ_MAX))
        sending = Sending(deliver, continues) if deliver is not None else None
        watched = Watched(Tasks(sessions, caller), name, sending, page.turns_total)
        try:
            # Each is closed before the one that it reads from: a generator that waits cannot be closed.
            async with (
                aclosing(viewer.follow(lambda: hub.stopping, caller.expires_at)) as frames,
                aclosing(watched.events(frames)) as events,
            ):
                async for event in events:
                    yield event
        finally:
            if sending is not None:
                await sending.close()


class Watched:
    """A task that one client follows. `turns_total` are the turns of its session before the stream began."""

    def __init__(self, tasks: Tasks, name: TaskName, sending: Sending | None, turns_total: int) -> None:
        self._tasks = tasks
        self._name = name
        self._sending = sending
        self._turns_total = turns_total
        self._turn = 0
        self._asked_in = 0
        self._written = ""
        self._early: list[Shown] = []

    async def events(self, frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[Event, None]:
        """Yield the task as it is, and then what its events show. Ends when the task ends or asks."""
        first = await self._first()
        yield first.proto
        if self._is_over(first):
            return
        if first.state == INPUT_REQUIRED:
            self._asked_in = first.turn
        async with aclosing(self._shown(frames)) as all_shown:
            async for shown in all_shown:
                view = await self._look(shown)
                if view is not None and self._is_over(view):
                    for event in self._last(view):
                        yield event
                    return
                for event in self._show_known(shown):
                    yield event

    async def _first(self) -> TaskView:
        """Return the task once its message is submitted. Raises Problem if the message was refused."""
        if self._sending is not None:
            await self._sending.submitted()
        view = await self._tasks.read(self._name)
        if self._sending is not None and self._sending.continues and view.state in TERMINAL:
            await self._sending.delivery  # Raises if the task had ended before the message.
            view = await self._tasks.read(self._name)
        return view

    async def _look(self, shown: Shown | None) -> TaskView | None:
        """Read the task again when it may have changed: if an event belongs to another turn than its own, or ends one.

        The events of a turn come a moment before the session says which task it belongs to.
        """
        if shown is not None:
            ends = isinstance(shown, Numbered) and isinstance(shown.event, TurnFinished)
            if not ends and (shown.turn == self._turn or not isinstance(shown, Numbered)):
                return None
        view = await self._tasks.read(self._name)
        self._turn = view.turn if view.state == WORKING else 0
        return view

    def _is_over(self, view: TaskView) -> bool:
        """Return whether nothing more is to come: the task has ended, or asks what it had not asked at the start."""
        if view.state in TERMINAL:
            return True
        if view.state != INPUT_REQUIRED:
            return False
        if view.turn > self._turns_total:
            return view.turn != self._asked_in
        sending = self._sending
        # A message that was sent again has its reply at once, and no new turn.
        return sending is not None and (not sending.continues or sending.delivery.done())

    async def _shown(self, frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[Shown | None, None]:
        """Yield the events of the session; None when it is time to look without one. Raises A2AError and Problem."""
        delivery = self._sending.delivery if self._sending is not None else None
        waiting: asyncio.Future[bytes] = asyncio.ensure_future(anext(frames))
        try:
            while not isinstance(waiting.done() and waiting.exception(), StopAsyncIteration):
                if waiting.done():
                    shown = shown_in(waiting.result())
                    waiting = asyncio.ensure_future(anext(frames))
                    if shown is not None:
                        yield shown
                elif delivery is not None and delivery.done():
                    delivery.result()
                    delivery = None
                    yield None
                else:
                    others: set[asyncio.Future[Any]] = {delivery} if delivery is not None else set()
                    some, _ = await asyncio.wait(
                        others | {waiting},
                        timeout=CHECK_INTERVAL.total_seconds(),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if not some:
                        yield None
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})

    def _show_known(self, shown: Shown | None) -> Iterator[Event]:
        """Yield what A2A shows for the events of the task's running turn. They are kept until that turn is known."""
        if shown is not None:
            self._early.append(shown)
        for each in self._early:
            if each.turn == self._turn:
                yield from self._show(each)
        ended = isinstance(shown, Numbered) and isinstance(shown.event, TurnFinished)
        if self._turn or ended:
            self._early.clear()

    def _show(self, shown: Shown) -> Iterator[Event]:
        """Yield what A2A shows for one event."""
        match shown:
            case Delta(offset=offset, text=text, turn=turn):
                self._written = f"reply-{turn}"
                yield self._artifact({"artifactId": self._written, "parts": [{"text": text}]}, append=offset > 0)
            case Numbered(event=AgentStarted(agent=agent)):
                yield self._working({"agent": agent})
            case Numbered(event=ToolStarted(tool=tool, label=label)):
                yield self._working({"tool": tool, "label": label})
            case Numbered(event=ToolFinished(tool=tool, ok=ok, outcome=outcome)):
                yield self._working({"tool": tool, "ok": ok, "outcome": outcome})
            case _:
                pass

    def _working(self, metadata: JSON) -> Event:
        return self._status({"state": WORKING}, metadata)

    def _status(self, status: JSON, metadata: JSON) -> TaskStatusUpdateEvent:
        event = TaskStatusUpdateEvent()
        ParseDict({**self._ids(), "status": status, "metadata": metadata}, event)
        return event

    def _artifact(self, artifact: JSON, append: bool = False, last: bool = False) -> TaskArtifactUpdateEvent:
        event = TaskArtifactUpdateEvent()
        ParseDict({**self._ids(), "artifact": artifact, "append": append, "lastChunk": last}, event)
        return event

    def _last(self, view: TaskView) -> Iterator[Event]:
        """Yield the end: the reply as an artifact, which replaces what was written, and the state."""
        for artifact in view.proto.artifacts:
            yield TaskArtifactUpdateEvent(
                task_id=view.proto.id, context_id=view.proto.context_id, artifact=artifact, last_chunk=True
            )
        if self._written and view.state != COMPLETED:
            # What the model has written was no reply.
            yield self._artifact({"artifactId": self._written, "parts": [{"text": ""}]}, last=True)
        yield TaskStatusUpdateEvent(task_id=view.proto.id, context_id=view.proto.context_id, status=view.proto.status)

    def _ids(self) -> JSON:
        return {"taskId": str(self._name), "contextId": self._name.session_id}


def shown_in(sent: bytes) -> Shown | None:
    """Return the event in a frame of our own stream; None for a comment. Raises A2AError for a problem."""
    kind, data = kind_and_data(sent)
    if kind == "problem":
        details = ProblemDetails.model_validate_json(data)
        raise error_of(Problem(details.status, details.code, details.detail))
    return read_event(kind, data)
