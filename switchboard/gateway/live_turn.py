"""What a gateway knows of the running turns of one session: the events that the processes tell. No I/O.

Viewers read from here at their own pace, so no event is queued for a viewer: a slow one costs no memory.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sse_starlette import ServerSentEvent

from switchboard.events import (
    SEQ_MAX,
    Delta,
    Event,
    HandedBack,
    MessageReceived,
    Numbered,
    Reset,
    TakenOver,
    Told,
    ToolFinished,
    ToolReturned,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    Unnumbered,
)
from switchboard.session.contract import SendReply

LINE_END = "\n"
"""Of server-sent events. Some clients look for events between empty lines that end with it only."""

RUNS_MAX = 8
"""Runs of turns that a session remembers. There are several only while a turn ends and the next one begins."""

LIVE_TURN_MAX_CHARS = 2_000_000
"""Characters of one turn that are kept for viewers who join it. What exceeds them comes with the turn's record."""

FROM_RECORD = (TakenOver, HandedBack, TurnFinished)
"""Events that are not shown when they are told: a reply is shown when it is committed, and the record knows which names
its reader may see."""

NO_RUNS: Mapping[int, str] = {}

Allowed = Callable[["LiveTurn"], bool]
"""Returns whether an audience may see a turn."""


@dataclass(frozen=True)
class NumberedFrame:
    """A numbered event as it is sent to viewers."""

    seq: int
    sent: bytes


def numbered_frame(numbered: Numbered, run: str) -> NumberedFrame:
    return NumberedFrame(numbered.seq, event_frame(numbered.event, numbered.id, numbered.turn, numbered.seq, run))


def event_frame(event: Event, event_id: str, turn: int, seq: int, run: str) -> bytes:
    """Return a numbered event as a server-sent event: its own fields, with its turn, number and run beside them."""
    data = f'{{"turn":{turn},"seq":{seq},"run":"{run}",{event.model_dump_json()[1:]}'
    return ServerSentEvent(data, event=event.kind, id=event_id, sep=LINE_END).encode()


def unnumbered_frame(event: Unnumbered) -> bytes:
    # As ServerSentEvent writes it, without a search for line ends: JSON has none. Each word is sent in one of these.
    return f"event: {event.kind}\ndata: {event.model_dump_json()}\n\n".encode()


def kind_and_data(frame: bytes) -> tuple[str, str]:
    """Return what a server-sent event of ours says; its kind is empty for a comment."""
    fields = dict(line.split(": ", 1) for line in frame.decode().split(LINE_END) if ": " in line)
    return fields.get("event", ""), fields.get("data", "")


@dataclass
class TextSoFar:
    """The words that a model has written so far in one call; see `switchboard.events` for the rules."""

    seq: int
    attempt: int
    writer: str
    text: str

    def add(self, delta: Delta) -> None:
        """Add the words of the same writer; ignore words after a gap."""
        if delta.offset == 0 and len(delta.text) > len(self.text):
            self.text = delta.text
        elif delta.offset == len(self.text):
            self.text += delta.text


@dataclass
class LiveTurn:
    """One run of a turn: the events without a gap from the first one, and what the model writes at the moment."""

    run: str
    turn: int
    customer_id: str
    signed_in: bool
    began: datetime | None = None
    message: str | None = None
    reply: TurnFinished | None = None
    frames: list[NumberedFrame] = field(default_factory=list)
    returned: list[ToolReturned] = field(default_factory=list)
    started: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    text: TextSoFar | None = None
    _early: dict[int, Numbered] = field(default_factory=dict)
    _size_chars: int = 0
    _before_reply: int = 0

    def take(self, told: Told) -> None:
        """Add what a process tells. Events that are already known, and words that are too many, are ignored."""
        self.signed_in |= told.signed_in
        for place, numbered in enumerate(told.numbered(), start=told.first):
            if isinstance(numbered.event, TurnFinished):
                self.reply, self._before_reply = numbered.event, place - 1
            self._take_numbered(numbered)
        for unnumbered in told.unnumbered:
            self._take_unnumbered(unnumbered)

    def whole(self) -> tuple[NumberedFrame, ...]:
        """Return all events of the turn with its reply, if all were told; none otherwise.

        They are those of its record, once it is committed. An act of staff is left to the record.
        """
        if self.reply is None or self.reply.by or len(self.frames) != self._before_reply:
            return ()
        reply = Numbered(turn=self.turn, seq=SEQ_MAX, event=self.reply)
        return (*self.frames, numbered_frame(reply, self.run))

    def _take_numbered(self, numbered: Numbered) -> None:
        # A process tells all again to a gateway that begins to watch.
        known = numbered.seq <= len(self.frames) or numbered.seq in self._early
        if known or isinstance(numbered.event, FROM_RECORD) or not self._fits(numbered.event.model_dump_json()):
            return
        self._early[numbered.seq] = numbered
        while (following := self._early.pop(len(self.frames) + 1, None)) is not None:
            self._append(following)

    def _append(self, numbered: Numbered) -> None:
        self.frames.append(numbered_frame(numbered, self.run))
        match numbered.event:
            case TurnStarted(at=at):
                self.began = at
            case MessageReceived(text=text) if self.message is None:
                self.message = text
            case ToolStarted(call_id=call_id):
                self.started[call_id] = numbered.seq
            case ToolFinished(call_id=call_id):
                self.ended.add(call_id)
            case _:
                pass
        if self.text is not None and self.text.seq <= numbered.seq:
            self.text = None

    def _take_unnumbered(self, event: Unnumbered) -> None:
        match event:
            case Delta():
                self._take_delta(event)
            case Reset(writer=writer):
                if self.text is not None and self.text.writer == writer:
                    self.text = None
            case ToolReturned(call_id=call_id):
                if call_id not in self.ended and call_id not in {each.call_id for each in self.returned}:
                    self.returned.append(event)

    def _take_delta(self, delta: Delta) -> None:
        if delta.seq <= len(self.frames) or not self._fits(delta.text):
            return
        if self.text is not None and self.text.writer == delta.writer:
            self.text.add(delta)
        elif delta.offset == 0:
            self.text = TextSoFar(delta.seq, delta.attempt, delta.writer, delta.text)

    def _fits(self, text: str) -> bool:
        self._size_chars += len(text)
        return self._size_chars <= LIVE_TURN_MAX_CHARS


class LiveSession:
    """A session that people watch: its running turns. `changed` is set, and replaced, when viewers have to look, and
    `news` when its feeds have to: not for each word.

    `feeds` counts its feeds, one for each audience. `committed` is the last turn that is known to have a record.
    `answered` is the last reply that came through this gateway: its turn has a record, too.
    """

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.changed = asyncio.Event()
        self.news = asyncio.Event()
        self.committed = 0
        self.feeds = 0
        self.answered: SendReply | None = None
        self._runs: dict[str, LiveTurn] = {}
        self._ended: LiveTurn | None = None

    def notify(self) -> None:
        """Let the viewers and the feeds look."""
        self.news.set()
        self.news = asyncio.Event()
        self._show()

    def _show(self) -> None:
        """Let the viewers look."""
        self.changed.set()
        self.changed = asyncio.Event()

    def take(self, told: Told) -> None:
        """Add what a process tells of a turn. A turn that is known to be committed is over."""
        if told.turn <= self.committed:
            return
        live = self._runs.get(told.run)
        if live is None:
            live = self._runs[told.run] = LiveTurn(told.run, told.turn, told.customer_id, told.signed_in)
            while len(self._runs) > RUNS_MAX:
                del self._runs[next(iter(self._runs))]
        live.take(told)
        if told.events:
            self.notify()
        else:
            self._show()

    def answer(self, reply: SendReply) -> None:
        """Take a reply that came through this gateway. It can be an old one, if its message was sent again."""
        if self.answered is None or reply.turn > self.answered.turn:
            self.answered = reply
        self.notify()

    def commit(self, turns_total: int, runs: Mapping[int, str] = NO_RUNS) -> None:
        """Forget the turns whose records can be read. Other feeds still get the last one, if all of it was told.

        `runs` are the runs that were committed, where they are known.
        """
        if turns_total <= self.committed:
            return
        self._ended = None
        if self.feeds > 1:
            ended = [live for live in self._runs.values() if live.turn == turns_total and live.whole()]
            ended = [live for live in ended if runs.get(live.turn, live.run) == live.run]
            # Two runs can have the number of one turn, if the first one was cancelled.
            self._ended = ended[0] if len(ended) == 1 else None
        self.committed = turns_total
        self._runs = {run: live for run, live in self._runs.items() if live.turn > turns_total}

    def ended(self, turn: int, allowed: Allowed) -> LiveTurn | None:
        """Return the run of a turn that is committed, if all of it was told."""
        live = self._ended
        if self.answered is not None and self.answered.turn == turn > self.committed:
            runs = [each for each in self._runs.values() if each.turn == turn and each.whole()]
            live = next((each for each in runs if each.reply and each.reply.text == self.answered.text), None)
        return live if live is not None and live.turn == turn and allowed(live) else None

    def run(self, run: str, allowed: Allowed) -> LiveTurn | None:
        """Return a run by its id."""
        live = self._runs.get(run)
        return live if live is not None and allowed(live) else None

    def answering(self, text: str, after: int, allowed: Allowed) -> LiveTurn | None:
        """Return the first run after a turn that answers this text."""
        runs = [live for live in self._runs.values() if live.turn > after and live.message == text and allowed(live)]
        return min(runs, key=lambda live: live.turn, default=None)

    def turn(self, turn: int, allowed: Allowed) -> LiveTurn | None:
        """Return the run of a turn that has begun last: an earlier one was cancelled and left its number."""
        runs = [live for live in self._runs.values() if live.turn == turn and live.began is not None and allowed(live)]
        return max(runs, key=began, default=None)

    def expected(self, allowed: Allowed) -> int:
        """Return the last turn that has a record, or will have one in a moment, by what the processes tell."""
        runs = [live for live in self._runs.values() if allowed(live)]
        answered = self.answered.turn if self.answered is not None else 0
        told = (live.turn if live.reply is not None else live.turn - 1 for live in runs)
        return max(self.committed, answered, *told)


def began(live: LiveTurn) -> datetime:
    assert live.began is not None
    return live.began
