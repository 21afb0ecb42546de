"""The events of one session for one audience: records of committed turns, and what is told of running ones.

All viewers of an audience share a feed, so that a committed turn is read once, however many people watch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import LiveSession, LiveTurn, NumberedFrame, numbered_frame
from switchboard.gateway.problems import Problem
from switchboard.session.contract import EventsPage
from switchboard.session.turn_events import events_of_record

logger = logging.getLogger(__name__)

CHECK_INTERVAL = timedelta(seconds=15)
"""When a watched session is read after the last news in any case: the process that works on it may not be connected."""

CHECK_SELDOM_INTERVAL = timedelta(minutes=2)
"""The same at most, if nothing happens: the interval doubles with every read that finds nothing. A read costs Restate
kilobytes of its log."""

CHECK_ALONE_INTERVAL = timedelta(seconds=5)
"""The same while no process is connected to this gateway, so that it learns of new turns in no other way."""

FIRST_PAUSE = timedelta(milliseconds=10)
"""Pause before a turn that has just ended is read, because its record is not there yet. It doubles each time."""

REPLY_PAUSE = timedelta(milliseconds=60)
"""The same while a reply is awaited at this gateway: with the reply, nothing has to be read."""

PAGE_TURNS = 10
"""Turns in one read."""

TURNS_KEPT = 2 * PAGE_TURNS
"""Committed turns that a feed keeps for its viewers. A viewer who is further behind causes reads."""

SERVER_ERROR = 500

STARTED_AGAIN = (
    "This conversation has expired and was started again, so its turns are numbered from 1. Subscribe again without "
    "Last-Event-ID."
)

ReadPage = Callable[[int, int], Awaitable[EventsPage]]
"""Reads at most `limit` turns after a turn. Raises Problem."""


@dataclass(frozen=True)
class Audience:
    """Who may see a session's events: its customer, or, if `staff` is set, that staff member."""

    caller: Caller | None = None
    staff: str = ""

    def allows(self, live: LiveTurn) -> bool:
        """Return whether this audience may see a running turn, by the session's own rules."""
        if self.caller is None:
            return bool(self.staff)
        return live.customer_id == self.caller.customer_id and (self.caller.signed_in or not live.signed_in)


@dataclass(frozen=True)
class CommittedTurn:
    """The events of a record; none if the audience may not see the turn. `run` is empty in older records.

    `asks` while the turn's question is open, which the events then contain.
    """

    run: str
    frames: tuple[NumberedFrame, ...]
    asks: bool = False


NOT_SHOWN = CommittedTurn("", ())


class Feed:
    """What viewers of one audience read. `problem` is set when the audience may not see the session any more.

    `known` is set when `turns_total` was read, or is known without that, and `owned` when the session exists and the
    audience may see it: an id without a session may become another customer's.
    """

    def __init__(
        self,
        live: LiveSession,
        audience: Audience,
        read: ReadPage,
        hears: Callable[[], bool] = lambda: True,
        awaits: Callable[[], bool] = lambda: False,
        known_turns: int | None = None,
    ) -> None:
        self.live = live
        self.audience = audience
        self.turns_total = known_turns or 0
        self.known = self.owned = known_turns is not None
        self.problem: Problem | None = None
        self.viewers = 0
        self._read = read
        self._hears = hears
        self._awaits = awaits
        self._turns: dict[int, CommittedTurn] = {}
        self._reads: dict[tuple[int, int], asyncio.Task[EventsPage]] = {}
        self._reading = asyncio.Lock()
        self._look = False

    async def open(self, after: int | None) -> EventsPage:
        """Read the session for a new viewer, whose place is after turn `after`, or at the end. Raises Problem."""
        return await self._load(after or 0, 0 if after is None else PAGE_TURNS)

    async def open_known(self) -> None:
        """Make sure that the audience may see the session. Reads it only if this gateway does not know that yet.

        Raises Problem.
        """
        if not self.owned:
            await self.open(None)

    def run(self, run: str) -> LiveTurn | None:
        return self.live.run(run, self.audience.allows)

    def answering(self, text: str, after: int) -> LiveTurn | None:
        return self.live.answering(text, after, self.audience.allows)

    def running(self, turn: int) -> LiveTurn | None:
        return self.live.turn(turn, self.audience.allows)

    async def committed(self, turn: int) -> CommittedTurn:
        """Return the events of a committed turn. Raises Problem."""
        while turn not in self._turns:
            self._catch_up()
            async with self._reading:
                if turn not in self._turns:
                    await self._load(turn - 1, PAGE_TURNS)
        return self._turns[turn]

    def look(self) -> None:
        """Look for new turns now, because something may have been missed."""
        self._look = True
        self.live.notify()

    async def keep_up(self) -> None:
        """Look for new turns until cancelled: when a process tells that one has ended, and from time to time."""
        pause, quiet = self._first_pause(), CHECK_INTERVAL
        while self.problem is None:
            expected = self._expects()
            if not await self._due(pause if expected else self._check_interval(quiet)):
                pause, quiet = self._first_pause(), CHECK_INTERVAL
                continue
            known = self.turns_total
            try:
                async with self._reading:
                    if self.turns_total == known:
                        await self._load(known, PAGE_TURNS)
            except Problem as problem:
                if problem.status < SERVER_ERROR:
                    self._end(problem)
                else:
                    logger.warning("cannot read a watched session: %s", problem.code)
                    quiet = CHECK_INTERVAL
            else:
                quiet = min(2 * quiet, CHECK_SELDOM_INTERVAL) if self.turns_total == known else CHECK_INTERVAL
            late = expected and self.turns_total == known
            pause = min(2 * pause, CHECK_INTERVAL) if late else self._first_pause()

    def _expects(self) -> bool:
        """Return whether there are turns that were not read yet."""
        return self.known and self.live.expected(self.audience.allows) > self.turns_total

    def _first_pause(self) -> timedelta:
        return REPLY_PAUSE if self._awaits() else FIRST_PAUSE

    def _check_interval(self, quiet: timedelta) -> timedelta:
        return quiet if self._hears() else CHECK_ALONE_INTERVAL

    async def _due(self, within: timedelta) -> bool:
        """Return True when it is time to read: after this time, or when `look` was called. False after other news."""
        expected, expects = self.live.expected(self.audience.allows), self._expects()
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while not self._look:
                    if self._catch_up() or self._expects() != expects:
                        return False
                    if self.live.expected(self.audience.allows) > expected:
                        return False
                    await self.live.news.wait()
        self._look = False
        return True

    def _catch_up(self) -> bool:
        """Take the next turns from what the processes have told, if all of it was told. Returns whether there are any.

        Then they need not be read.
        """
        before = self.turns_total
        while self.known and (ended := self.live.ended(self.turns_total + 1, self.audience.allows)) is not None:
            assert ended.reply is not None
            committed = CommittedTurn(ended.run, ended.whole(), asks=ended.reply.confirmation is not None)
            # The turn may have closed an earlier question.
            self._turns = {turn: each for turn, each in self._turns.items() if not each.asks}
            self._turns[ended.turn] = committed
            self._trim()
            self.turns_total = ended.turn
            self.live.commit(ended.turn, {ended.turn: ended.run})
        if self.turns_total > before:
            self.live.notify()
        return self.turns_total > before

    async def _load(self, after: int, limit: int) -> EventsPage:
        """Read a page. Viewers who want the same page at the same time share one read."""
        key = after, limit
        if key not in self._reads:
            reading = self._reads[key] = asyncio.create_task(self._read_page(after, limit))
            reading.add_done_callback(lambda done: self._read_ended(key, done))
        return await asyncio.shield(self._reads[key])

    def _read_ended(self, key: tuple[int, int], done: asyncio.Task[EventsPage]) -> None:
        del self._reads[key]
        if not done.cancelled():
            done.exception()  # Marks it as seen: all who waited for it may have left.

    async def _read_page(self, after: int, limit: int) -> EventsPage:
        known = self.turns_total
        page = await self._read(after, limit)
        if page.turns_total < known:
            problem = Problem(410, "session_restarted", STARTED_AGAIN)
            self._end(problem)
            raise problem
        self.owned |= page.turns_total > 0
        if not self.known:
            self.known = True
            self.live.notify()
        self._take(page, after, limit)
        return page

    def _take(self, page: EventsPage, after: int, limit: int) -> None:
        records = {record.turn: record for record in page.turns}
        # A turn whose record is missing would otherwise be read for ever.
        last = max(page.last, min(after + 1, page.turns_total) if limit else after)
        for turn in range(after + 1, last + 1):
            self._turns.pop(turn, None)  # The newest reads are kept longest.
            record = records.get(turn)
            if record is None:
                self._turns[turn] = NOT_SHOWN
                continue
            run = page.runs.get(turn, "")
            confirmation = page.confirmation if page.asked_in == turn else None
            frames = tuple(numbered_frame(each, run) for each in events_of_record(record, confirmation))
            self._turns[turn] = CommittedTurn(run, frames, asks=confirmation is not None)
        # Turns may have ended since the page was read, and closed its question.
        asked_in = page.asked_in if page.turns_total >= self.turns_total else 0
        self._turns = {turn: each for turn, each in self._turns.items() if not each.asks or turn == asked_in}
        self._trim()
        if page.turns_total > self.turns_total:
            self.turns_total = page.turns_total
            self.live.commit(page.turns_total, page.runs)
            self.live.notify()

    def _trim(self) -> None:
        while len(self._turns) > TURNS_KEPT:
            del self._turns[next(iter(self._turns))]

    def _end(self, problem: Problem) -> None:
        self.problem = problem
        self.live.notify()
