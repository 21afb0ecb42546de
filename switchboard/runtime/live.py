"""What this process tells about its running turns, to gateways on which people watch them.

Events are neither stored nor journaled. For a turn without viewers, this process keeps them in a list and sends none.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from switchboard.events import (
    Delta,
    Event,
    Reset,
    Told,
    ToolReturned,
    TurnFinished,
    Unnumbered,
    events_of_messages,
)
from switchboard.messages import Message, ToolResult, TurnRequest
from switchboard.rule_numbers import RuleFilter

DELTA_INTERVAL = timedelta(milliseconds=30)
"""Deltas of a text are sent at most this often. Faster ones look the same to people and cost more."""

COMMITTED_KEPT = timedelta(seconds=10)
"""A committed turn is kept for this long: a gateway that begins to watch may have read the session just before."""

COMMITTED_MAX = 1_000
"""Committed turns that a process keeps at most."""

WRITER_BYTES = 4

NOTHING_UNNUMBERED = ',"unnumbered":[]}'
"""How a frame without unnumbered events ends."""


class Watcher(Protocol):
    """A connection to a gateway on which people watch sessions, or to a broker."""

    def put(self, session: str, frame: str) -> None:
        """Send a frame of a session after those before it."""
        ...

    def put_delta(self, turn: "LiveTurn", frame: str) -> None:
        """Send a part of a text, unless too much waits. The whole text so far is then sent later."""
        ...


class Live:
    """The turns of this process, and who watches them. Not `enabled` if the settings name no gateway."""

    def __init__(self) -> None:
        self.enabled = False
        self._turns: dict[str, list[LiveTurn]] = {}
        self._watchers: dict[str, list[Watcher]] = {}
        self._committed: OrderedDict[LiveTurn, float] = OrderedDict()

    @contextmanager
    def turn(
        self, session: str, customer_id: str, signed_in: bool, run: str, number: int, first: int = 1
    ) -> "Iterator[LiveTurn]":
        """Tell a turn, or an agent's part of it whose events begin with number `first`, until this attempt ends.

        An attempt also ends when Restate suspends it. The next attempt then tells the same again.
        """
        turn = LiveTurn(self, session, customer_id, signed_in, run, number, first)
        self._drop_old()
        if self.enabled:
            self._turns.setdefault(session, []).append(turn)
        try:
            yield turn
        finally:
            turn.end()
            if turn.committed and self.enabled:
                self._committed[turn] = time.monotonic()
            else:
                self._drop(turn)

    def watchers(self, session: str) -> Sequence[Watcher]:
        return self._watchers.get(session, ())

    def watch(self, watcher: Watcher, session: str) -> None:
        """Tell the watcher the session's running turns so far, and what happens from now on."""
        watchers = self._watchers.setdefault(session, [])
        if watcher not in watchers:
            watchers.append(watcher)
        for turn in self._turns.get(session, ()):
            for frame in turn.so_far():
                watcher.put(session, frame)

    def unwatch(self, watcher: Watcher, session: str) -> None:
        watchers = [other for other in self._watchers.get(session, ()) if other is not watcher]
        if watchers:
            self._watchers[session] = watchers
        else:
            self._watchers.pop(session, None)

    def _drop_old(self) -> None:
        oldest = time.monotonic() - COMMITTED_KEPT.total_seconds()
        while self._committed:
            turn, at = next(iter(self._committed.items()))
            if at > oldest and len(self._committed) <= COMMITTED_MAX:
                return
            del self._committed[turn]
            self._drop(turn)

    def _drop(self, turn: "LiveTurn") -> None:
        turns = [other for other in self._turns.get(turn.session, ()) if other is not turn]
        if turns:
            self._turns[turn.session] = turns
        else:
            self._turns.pop(turn.session, None)


LIVE = Live()
"""The turns of this process. `serve` connects it to the gateways."""


@contextmanager
def agent_turn(live: Live, request: TurnRequest) -> "Iterator[LiveTurn | None]":
    """Tell an agent's part of a turn. None if the session does not number events: its journal is of an older version"""
    if not request.turn:
        yield None
        return
    who = request.identity
    args = (who.session_id, who.customer_id, who.signed_in, request.run, request.turn, request.seq)
    with live.turn(*args) as turn:
        yield turn


class LiveTurn:
    """The events that this process has told of one turn, and the text that a model writes in it."""

    def __init__(
        self, live: Live, session: str, customer_id: str, signed_in: bool, run: str, number: int, first: int
    ) -> None:
        self.session = session
        self.committed = False
        self._live = live
        self._told = Told(
            session=session, customer_id=customer_id, signed_in=signed_in, run=run, turn=number, first=first
        )
        self._events: list[Event] = []
        self._returned: list[ToolReturned] = []
        self._messages = 0
        self._text: TextSender | None = None
        self._begin_of_deltas = (0, "")
        self._ended = False

    @property
    def next_seq(self) -> int:
        """The number of the next event."""
        return self._told.first + len(self._events)

    @property
    def last(self) -> Event | None:
        """The last event."""
        return self._events[-1] if self._events else None

    @property
    def number(self) -> int:
        return self._told.turn

    def tell(self, *events: Event) -> None:
        """Tell the next events."""
        if not events:
            return
        self._end_text()
        self._returned.clear()
        first = self.next_seq
        self._events += events
        self._send(first, events)

    def said(self, messages: Sequence[Message]) -> None:
        """Tell the events of the turn's messages so far that were not told yet."""
        before, new = messages[: self._messages], messages[self._messages :]
        self._messages = len(messages)
        self.tell(*events_of_messages(before, new))

    def commit(self, finished: TurnFinished) -> None:
        """Tell the last event of the turn."""
        self.committed = True
        self.tell(finished)

    def returned(self, result: ToolResult) -> None:
        """Tell how a call ended while others still run."""
        event = ToolReturned(turn=self.number, call_id=result.call_id, ok=result.ok, outcome=result.outcome)
        self._returned.append(event)
        self._send(self.next_seq, unnumbered=(event,))

    @property
    def watched(self) -> bool:
        """Whether people watch the session now."""
        return bool(self._live.watchers(self.session))

    def observe(self, request: TurnRequest, step: int, attempt: int) -> "TextSender | None":
        """Return an observer that shows the text of a model call which begins now; None if no one watches."""
        self._end_text()
        if self._ended or not self.watched:
            return None
        self._text = TextSender(self, self.next_seq, attempt)
        return self._text

    def show(self, text: "TextSender", delta: Delta) -> None:
        """Send a part of a text, unless another call has begun since."""
        if text is not self._text:
            return
        frame = self._delta_frame(delta)
        for watcher in self._live.watchers(self.session):
            watcher.put_delta(self, frame)

    def reset(self, text: "TextSender", reset: Reset) -> None:
        """Say that a text is void."""
        if text is self._text:
            self._text = None
            self._send(self.next_seq, unnumbered=(reset,))

    def so_far(self) -> Iterator[str]:
        """Return the frames that tell everything so far: one for each event, because some contain long texts."""
        for seq, event in enumerate(self._events, start=self._told.first):
            yield self._frame(seq, (event,))
        if self._returned:
            yield self._frame(self.next_seq, unnumbered=tuple(self._returned))
        yield from self.text_so_far()

    def text_so_far(self) -> Iterator[str]:
        """Return the frame with the whole text of the current model call, if there is one."""
        whole = self._text.whole() if self._text is not None else None
        if whole is not None:
            yield self._frame(self.next_seq, unnumbered=(whole,))

    def end(self) -> None:
        """End this attempt of the turn. A model call that it has left behind shows no more text."""
        self._ended = True
        self._end_text()

    def _end_text(self) -> None:
        if self._text is not None:
            self._text.end()
            self._text = None

    def _send(self, first: int, events: Sequence[Event] = (), unnumbered: Sequence[Unnumbered] = ()) -> None:
        watchers = self._live.watchers(self.session)
        if not watchers:
            return
        frame = self._frame(first, events, unnumbered)
        for watcher in watchers:
            watcher.put(self.session, frame)

    def _delta_frame(self, delta: Delta) -> str:
        """Return the frame with one delta. All deltas of a step have the rest of it in common, which is built once."""
        first, begin = self._begin_of_deltas
        if first != self.next_seq:
            first = self.next_seq
            begin = self._frame(first).removesuffix(NOTHING_UNNUMBERED)
            self._begin_of_deltas = first, begin
        return f'{begin},"unnumbered":[{delta.model_dump_json()}]}}'

    def _frame(self, first: int, events: Sequence[Event] = (), unnumbered: Sequence[Unnumbered] = ()) -> str:
        update = {"first": first, "events": tuple(events), "unnumbered": tuple(unnumbered)}
        return self._told.model_copy(update=update).model_dump_json()


class TextSender:
    """Shows the text of one model call while it is written: an `Observer` of the model."""

    def __init__(self, turn: LiveTurn, seq: int, attempt: int) -> None:
        self._turn = turn
        self._seq = seq
        self._attempt = attempt
        self._writer = secrets.token_hex(WRITER_BYTES)
        self._rules = RuleFilter()
        self._half = ""
        self._sent: list[str] = []
        self._offset = 0
        self._waiting: list[str] = []
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def text_delta(self, text: str) -> None:
        """Take more of the text. It is sent at once, or together with what comes within DELTA_INTERVAL."""
        shown = self._rules.push(self._whole_characters(text))
        if not shown:
            return
        self._waiting.append(shown)
        if self._timer is not None:
            return
        pause = self._sent_at + DELTA_INTERVAL.total_seconds() - time.monotonic()
        if pause <= 0:
            self._flush()
        else:
            self._timer = asyncio.get_running_loop().call_later(pause, self._flush)

    def attempt_failed(self) -> None:
        """Void the text."""
        self.end()
        reset = Reset(turn=self._turn.number, seq=self._seq, attempt=self._attempt, writer=self._writer)
        self._turn.reset(self, reset)

    def end(self) -> None:
        """Send no more of the text."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def whole(self) -> Delta | None:
        """Return the text that was sent so far as one delta."""
        return self._delta(0, "".join(self._sent)) if self._sent else None

    def _flush(self) -> None:
        self._timer = None
        text, offset = "".join(self._waiting), self._offset
        self._waiting.clear()
        self._sent.append(text)
        self._offset += len(text)
        self._sent_at = time.monotonic()
        self._turn.show(self, self._delta(offset, text))

    def _delta(self, offset: int, text: str) -> Delta:
        return Delta(
            turn=self._turn.number,
            seq=self._seq,
            attempt=self._attempt,
            writer=self._writer,
            offset=offset,
            text=text,
        )

    def _whole_characters(self, text: str) -> str:
        """Join a character whose halves arrive in two parts. A half without the other one cannot be sent."""
        if text.isascii() and not self._half:
            return text
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        whole = text.removesuffix(self._half)
        return whole.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
