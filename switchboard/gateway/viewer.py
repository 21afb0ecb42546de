"""One viewer's place in the events of a session, and the server-sent events that it gets next."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sse_starlette import ServerSentEvent

from switchboard.events import SEQ_MAX, Delta, Reset, TurnFinished
from switchboard.gateway.feed import NOT_SHOWN, CommittedTurn, Feed
from switchboard.gateway.live_turn import LINE_END, LiveSession, LiveTurn, unnumbered_frame
from switchboard.gateway.problems import Problem, details_of
from switchboard.session.contract import EventsPage, SendReply

EVENT_ID = re.compile(r"(\d{1,9})\.(\d{1,4})", re.ASCII)

RETRY_MS = 1_000
"""How long a client waits before it connects again."""


def first_frame(event_id: str | None = None) -> bytes:
    """Return a frame that lets proxies and clients see at once that the stream is open.

    `event_id` is the viewer's place: a client that connects again before any event then misses none.
    """
    return ServerSentEvent(comment="events follow", id=event_id, retry=RETRY_MS, sep=LINE_END).encode()


WAIT_MAX = timedelta(hours=1)
"""How long a stream's timer waits before it looks at the clock again. A token's time may be years away."""

ID_INVALID = (
    "Last-Event-ID is not the id of an event. Send the id of the last event that you have received, such as 3.5, or "
    "none."
)
ID_AHEAD = (
    "This session has {total} turns, so event {id} has not happened yet. Is it the id of another session's event? "
    "Subscribe again without Last-Event-ID."
)
ID_TOO_OLD = (
    "Event {id} is more than {max} turns ago. Read the transcript after turn {turn}, and then subscribe with "
    "Last-Event-ID: {last}."
)
TOKEN_EXPIRED = "The token has expired. Get a new one, and subscribe again with the id of your last event."
STOPPING = "This gateway is shutting down. Subscribe again with the id of your last event; another gateway continues."


@dataclass(frozen=True)
class Position:
    """After event `seq` of turn `turn`. `run` is the run that the event belongs to, if it is known."""

    turn: int
    seq: int
    run: str = ""

    @property
    def next_turn(self) -> int:
        return self.turn + 1 if self.seq >= SEQ_MAX else self.turn


def read_position(event_id: str, run: str = "") -> Position:
    """Return the position after an event. Raises Problem 400 for a text that is no event's id."""
    found = EVENT_ID.fullmatch(event_id)
    if found is None:
        raise Problem(400, "event_id_invalid", ID_INVALID)
    turn, seq = int(found[1]), int(found[2])
    return Position(turn, SEQ_MAX if turn == 0 else seq, run)


def check_position(position: Position, page: EventsPage, replay_turns_max: int) -> None:
    """Raises Problem 400 for an event that has not happened, and 410 for one that is too long ago."""
    total = page.turns_total
    event_id = f"{position.turn}.{position.seq}"
    if position.turn > total + 1 or (position.turn == total + 1 and position.seq >= SEQ_MAX):
        raise Problem(400, "event_id_ahead", ID_AHEAD.format(total=total, id=event_id))
    if position.next_turn <= total - replay_turns_max:
        raise Problem(
            410,
            "event_too_old",
            ID_TOO_OLD.format(
                id=event_id, max=replay_turns_max, turn=position.next_turn - 1, last=f"{total}.{SEQ_MAX}"
            ),
        )


@dataclass(frozen=True)
class SentText:
    """The words of a model call that a viewer has got: `end` characters."""

    seq: int
    attempt: int
    writer: str
    end: int


class Viewer:
    """Follows a feed from a position. It keeps no events: a viewer that is slow gets the same ones later."""

    def __init__(self, feed: Feed, position: Position) -> None:
        self._feed = feed
        self._position = position
        self._text: SentText | None = None
        self._returned: set[str] = set()

    async def follow(self, stopping: Callable[[], bool], expires_at: datetime) -> AsyncGenerator[bytes, None]:
        """Yield events until the token expires, this process stops, or the session is not the viewer's any more."""
        yield first_frame(f"{self._position.turn}.{self._position.seq}")
        try:
            with notified_at(self._feed.live, expires_at):
                while may_continue(stopping(), expires_at, self._feed.problem):
                    changed = self._feed.live.changed
                    quiet = True
                    async for frame in self._available():
                        quiet = False
                        yield frame
                    if quiet:
                        await changed.wait()
        except Problem as problem:
            yield problem_frame(problem)

    async def answer(self, answer: asyncio.Task[bytes], running: Callable[[], LiveTurn | None]) -> AsyncIterator[bytes]:
        """Yield the events of one message's turn, until its reply. `running` returns the turn, once it has begun."""
        yield first_frame()
        try:
            while not answer.done():
                changed = self._feed.live.changed
                live = running()
                quiet = True
                for frame in self._live(live) if live is not None else ():
                    quiet = False
                    yield frame
                if quiet and not answer.done():
                    await changed.wait()
            reply = SendReply.model_validate_json(answer.result())
            committed = await self._record(reply.turn)
            for frame in self._rest(reply.turn, committed):
                yield frame
            yield reply_frame(reply, committed.run)
        except Problem as problem:
            yield problem_frame(problem)

    async def _available(self) -> AsyncIterator[bytes]:
        """Yield what there is at the moment."""
        feed = self._feed
        while (turn := self._position.next_turn) <= feed.turns_total:
            for frame in self._rest(turn, committed := await feed.committed(turn)):
                yield frame
            if committed.frames:
                yield committed.frames[-1].sent
            self._position = Position(turn, SEQ_MAX)
        live = feed.running(turn)
        if live is not None:
            for frame in self._live(live):
                yield frame

    async def _record(self, turn: int) -> CommittedTurn:
        """Return the turn of a reply, or without Restate no events: the reply has the whole text."""
        try:
            return await self._feed.committed(turn)
        except Problem:
            return NOT_SHOWN

    def _rest(self, turn: int, committed: CommittedTurn) -> Iterator[bytes]:
        """Yield the events of a committed turn after the position, but not its reply."""
        seen = self._seen(turn, committed.run)
        for frame in committed.frames[:-1]:
            if frame.seq > seen:
                self._position = Position(turn, frame.seq, committed.run)
                yield frame.sent

    def _live(self, live: LiveTurn) -> Iterator[bytes]:
        """Yield the events of a running turn after the position, and then what has no number."""
        for frame in live.frames[self._seen(live.turn, live.run) :]:
            self._position = Position(live.turn, frame.seq, live.run)
            yield frame.sent
        yield from self._words(live)
        for returned in live.returned:
            known = live.started.get(returned.call_id, SEQ_MAX) <= self._position.seq
            if known and returned.call_id not in self._returned | live.ended:
                self._returned.add(returned.call_id)
                yield unnumbered_frame(returned)

    def _seen(self, turn: int, run: str) -> int:
        """Return the last event of a turn that the viewer has. A turn that begins again is new to it."""
        position = self._position
        if position.turn != turn or (run and position.run and run != position.run):
            self._text, self._returned = None, set()
            return 0
        return position.seq

    def _words(self, live: LiveTurn) -> Iterator[bytes]:
        """Yield what the model has written since, after the reset of words that are void."""
        text, sent, seen = live.text, self._text, self._position.seq
        if sent is not None and sent.seq <= seen:
            sent = None  # The step's event has replaced its words.
        if sent is not None and (text is None or text.writer != sent.writer):
            yield unnumbered_frame(Reset(turn=live.turn, seq=sent.seq, attempt=sent.attempt, writer=sent.writer))
            sent = None
        if text is not None and text.seq == seen + 1:
            start = sent.end if sent is not None else 0
            sent = SentText(text.seq, text.attempt, text.writer, len(text.text))
            if sent.end > start:
                more = text.text[start:]
                yield unnumbered_frame(
                    Delta(
                        turn=live.turn, seq=text.seq, attempt=text.attempt, writer=text.writer, offset=start, text=more
                    )
                )
        self._text = sent


def may_continue(stopping: bool, expires_at: datetime, problem: Problem | None) -> bool:
    """Return True. Raises the Problem that ends a stream, if there is one."""
    if problem is not None:
        raise problem
    if stopping:
        raise Problem(503, "stopping", STOPPING)
    if datetime.now(UTC) >= expires_at:
        raise Problem(401, "unauthorized", TOKEN_EXPIRED)
    return True


@contextmanager
def notified_at(live: LiveSession, at: datetime) -> Iterator[None]:
    """Let the viewers of a session look at a time, if it comes while the block runs.

    One timer for a stream costs less than a timeout for each wait.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.Handle

    def look_at_clock() -> None:
        nonlocal timer
        left = at - datetime.now(UTC)
        if left <= timedelta(0):
            live.notify()
        else:
            timer = loop.call_later(min(left, WAIT_MAX).total_seconds(), look_at_clock)

    timer = loop.call_soon(look_at_clock)
    try:
        yield
    finally:
        timer.cancel()


def problem_frame(problem: Problem) -> bytes:
    return ServerSentEvent(details_of(problem).model_dump_json(), event="problem", sep=LINE_END).encode()


def reply_frame(reply: SendReply, run: str) -> bytes:
    """Return the last event of a message's own stream: the event of the reply, with all that a reply without a stream
    says."""
    finished = TurnFinished(**reply.model_dump(include=set(TurnFinished.model_fields) - {"kind"}))
    data = {
        "turn": reply.turn,
        "seq": SEQ_MAX,
        "run": run,
        **finished.model_dump(mode="json"),
        **reply.model_dump(mode="json"),
    }
    event_id = f"{reply.turn}.{SEQ_MAX}"
    return ServerSentEvent(json.dumps(data), event=finished.kind, id=event_id, sep=LINE_END).encode()
