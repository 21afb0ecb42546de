"""Event streams: server-sent events of a session, and of one message until its reply."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from switchboard.events import SEQ_MAX
from switchboard.gateway.feed import Audience, Feed, ReadPage
from switchboard.gateway.hub import Hub
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import LINE_END, LiveTurn
from switchboard.gateway.middleware import RELEASE
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.viewer import Position, Viewer, check_position, read_position
from switchboard.session.contract import EventsPage, EventsRequest
from switchboard.session.turn_events import run_id

EVENT_STREAM = "text/event-stream"

HEARTBEAT = timedelta(seconds=15)
"""How often a comment is sent. Proxies close connections on which nothing comes, often after a minute."""

SEND_TIMEOUT = timedelta(seconds=30)
"""How long a viewer may read nothing before its connection is closed. Then it can continue with a new one."""

FIRST_EVENT_MAX = timedelta(seconds=1)
"""How long the answer to a message waits for its first event. Until then, a refusal has a status of its own."""

HEADERS = {
    # Compression would hold events back.
    "cache-control": "no-store, no-transform",
    # nginx then passes each event on at once.
    "x-accel-buffering": "no",
}

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="Id of the last event that you have received: the events after it come."),
]
After = Annotated[
    str | None, Query(max_length=32, description="The same as the header Last-Event-ID, which takes precedence.")
]
Run = Annotated[
    str,
    Query(
        max_length=32,
        description="The `run` of that event. If its turn has begun again since, all events of the turn come.",
    ),
]

STREAM_CONTENT: dict[str, Any] = {EVENT_STREAM: {"schema": {"type": "string"}}}

KINDS = (
    "Server-sent events. `event` is the kind, `id` is `turn.seq`, and `data` is JSON: the event's own fields with "
    "`turn`, `seq` and `run`. `delta`, `reset` and `tool_returned` have no id. `problem` has the same fields as an "
    "error, and ends the stream. Ignore kinds that you do not know."
)

DOCUMENTED_STREAM: dict[int | str, dict[str, Any]] = {200: {"description": KINDS, "content": STREAM_CONTENT}}
DOCUMENTED_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": f"The reply, or with `Accept: text/event-stream`: {KINDS}", "content": STREAM_CONTENT}
}
"""Streams in the OpenAPI document."""


class EventStream(EventSourceResponse):
    """The response. `closing` is closed when it ends, also if its client left before the first event."""

    def __init__(self, frames: AsyncIterator[bytes], closing: ExitStack) -> None:
        super().__init__(
            frames,
            headers=HEADERS,
            ping=HEARTBEAT.total_seconds(),
            ping_message_factory=heartbeat,
            send_timeout=SEND_TIMEOUT.total_seconds(),
        )
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._closing, suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def heartbeat() -> ServerSentEvent:
    return ServerSentEvent(comment="", sep=LINE_END)


def wants_events(request: Request) -> bool:
    """Return whether the client asks for events instead of one reply."""
    accepted = ",".join(request.headers.getlist("accept"))
    return any(part.split(";")[0].strip().lower() == EVENT_STREAM for part in accepted.split(","))


async def session_stream(
    request: Request,
    session_id: str,
    audience: Audience,
    expires_at: datetime,
    read: ReadPage,
    last_event_id: str | None,
    run: str,
) -> EventStream:
    """Return the events of a session after an event, or from now on. Raises Problem before the stream begins."""
    hub: Hub = request.app.state.hub
    position = None if last_event_id is None else read_position(last_event_id, run)
    with ExitStack() as opened:
        feed = opened.enter_context(hub.viewer(session_id, audience, read))
        page = await feed.open(None if position is None else position.next_turn - 1)
        if position is None:
            position = Position(page.turns_total, SEQ_MAX)
        else:
            check_position(position, page, request.app.state.events_replay_turns_max)
        viewer = Viewer(feed, begun_again(position, page))
        release_request(request)
        return EventStream(viewer.follow(lambda: hub.stopping, expires_at), opened.pop_all())


def begun_again(position: Position, page: EventsPage) -> Position:
    """Return the position, or the start of its turn if the run that the viewer has seen was cancelled since."""
    if position.turn <= page.turns_total:
        return position  # The record says which run it was.
    running = page.running
    known = running is not None and position.run in ("", running.run)
    return position if known else Position(page.turns_total, SEQ_MAX)


async def answer_stream(
    request: Request,
    session_id: str,
    caller: Caller,
    read: ReadPage,
    deliver: "Deliver",
    steering: str | None = None,
    translate: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] = lambda frames: frames,
) -> EventStream:
    """Submit a message, and return the events of its turn until the reply. Raises Problem before the stream begins.

    `steering` is the text of a message that first stops a running turn. Its turn is another invocation than the one
    that was submitted, so it is recognised by the text. `translate` turns the events into those of another protocol.
    """
    hub: Hub = request.app.state.hub
    with ExitStack() as opened:
        feed = opened.enter_context(hub.viewer(session_id, Audience(caller), read))
        if steering is None:
            await feed.open_known()  # Refuses another customer's session.
        else:
            await feed.open(None)
        answering = Answering(feed, deliver, steering, feed.turns_total)
        opened.callback(answering.cancel)
        await answering.begun()
        viewer = Viewer(feed, Position(0, SEQ_MAX))
        release_request(request)
        return EventStream(translate(viewer.answer(answering.task, answering.running)), opened.pop_all())


Deliver = Callable[[Callable[[str], None]], Awaitable[bytes]]
"""Submits a message, passes the id of its invocation on, and waits for the reply."""


class Answering:
    """A message whose reply is awaited."""

    def __init__(self, feed: Feed, deliver: Deliver, steering: str | None, turns_total: int) -> None:
        self._feed = feed
        self._run = ""
        self._steering = steering
        self._turns_total = turns_total
        self.task = asyncio.ensure_future(self._deliver(deliver))
        self.task.add_done_callback(self._ended)

    def running(self) -> LiveTurn | None:
        """Return the turn of the message, once it has begun."""
        if self._steering is not None:
            return self._feed.answering(self._steering, self._turns_total)
        return self._feed.run(self._run)

    async def _deliver(self, deliver: Deliver) -> bytes:
        return await deliver(self._submitted)

    def _submitted(self, invocation_id: str) -> None:
        self._run = run_id(invocation_id)
        self._feed.live.notify()

    def _ended(self, task: asyncio.Task[bytes]) -> None:
        if not task.cancelled():
            task.exception()  # Marks it as seen: the client may have left.
        self._feed.live.notify()

    async def begun(self) -> None:
        """Wait until the turn has begun, or for FIRST_EVENT_MAX after it was submitted. Raises Problem if it failed."""
        while not (self._run or self.task.done()):
            await self._feed.live.changed.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_EVENT_MAX.total_seconds()):
                while not (self.running() or self.task.done()):
                    await self._feed.live.changed.wait()
        if self.task.done():
            self.task.result()

    def cancel(self) -> None:
        """Stop waiting for the reply. The message keeps running."""
        self.task.cancel()


def customer_reader(session_client: SessionClient, session_id: str, caller: Caller) -> ReadPage:
    """Return the reads of a customer's own session. A session without messages has no turns."""

    async def read(after: int, limit: int) -> EventsPage:
        wanted = EventsRequest(customer_id=caller.customer_id, signed_in=caller.signed_in, after=after, limit=limit)
        try:
            return EventsPage.model_validate_json(await session_client.read(session_id, "events", wanted))
        except Problem as problem:
            if problem.code != "session_unknown":
                raise
            return EventsPage(
                customer_id=caller.customer_id, signed_in=caller.signed_in, turns=(), last=0, turns_total=0
            )

    return read


def release_request(request: Request) -> None:
    """Free the request's place among the concurrent requests: viewers have limits of their own."""
    release: Callable[[], None] | None = request.scope.get(RELEASE)
    if release is not None:
        release()


async def never() -> MutableMapping[str, Any]:
    """Wait forever, in place of a client that leaves: the response notices that itself."""
    await asyncio.Event().wait()
    return {}
