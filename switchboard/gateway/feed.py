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
"""How often a watched session is read in any case: the process that works on it may not be connected."""

CHECK_ALONE_INTERVAL = timedelta(seconds=5)
"""The same while no process is connected to this gateway, so that it learns of new turns in no other way."""

FIRST_PAUSE = timedelta(milliseconds=5)
"""Pause before a turn that has just ended is read again, if its record was not there yet. It doubles each time."""

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
    """What viewers of one audience read. `problem` is set when the audience may not see the session any more."""

    def __init__(
        self, live: LiveSession, audience: Audience, read: ReadPage, hears: Callable[[], bool] = lambda: True
    ) -> None:
        self.live = live
        self.audience = audience
        self.turns_total = 0
        self.problem: Problem | None = None
        self.viewers = 0
        self._read = read
        self._hears = hears
        self._turns: dict[int, CommittedTurn] = {}
        self._reading = asyncio.Lock()
        self._look = False

    async def open(self, after: int | None) -> EventsPage:
        """Read the session for a new viewer, whose place is after turn `after`, or at the end. Raises Problem."""
        return await self._load(after or 0, 0 if after is None else PAGE_TURNS)

    def run(self, run: str) -> LiveTurn | None:
        return self.live.run(run, self.audience.allows)

    def answering(self, text: str, after: int) -> LiveTurn | None:
        return self.live.answering(text, after, self.audience.allows)

    def running(self, turn: int) -> LiveTurn | None:
        return self.live.turn(turn, self.audience.allows)

    async def committed(self, turn: int) -> CommittedTurn:
        """Return the events of a committed turn. Raises Problem."""
        while turn not in self._turns:
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
        pause = FIRST_PAUSE
        while self.problem is None:
            expected = self.live.expected(self.audience.allows) > self.turns_total
            await self._due(pause if expected else self._check_interval())
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
            late = expected and self.turns_total == known
            pause = min(2 * pause, CHECK_INTERVAL) if late else FIRST_PAUSE

    def _check_interval(self) -> timedelta:
        return CHECK_INTERVAL if self._hears() else CHECK_ALONE_INTERVAL

    async def _due(self, within: timedelta) -> None:
        """Return after this time, or as soon as there is a reason to look for new turns."""
        expected = self.live.expected(self.audience.allows)
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while not self._look and self.live.expected(self.audience.allows) <= expected:
                    await self.live.changed.wait()
        self._look = False

    async def _load(self, after: int, limit: int) -> EventsPage:
        page = await self._read(after, limit)
        if page.turns_total < self.turns_total:
            problem = Problem(410, "session_restarted", STARTED_AGAIN)
            self._end(problem)
            raise problem
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
        self._turns = {turn: each for turn, each in self._turns.items() if not each.asks or turn == page.asked_in}
        while len(self._turns) > TURNS_KEPT:
            del self._turns[next(iter(self._turns))]
        if page.turns_total > self.turns_total:
            self.turns_total = page.turns_total
            self.live.commit(page.turns_total)
            self.live.notify()

    def _end(self, problem: Problem) -> None:
        self.problem = problem
        self.live.notify()
