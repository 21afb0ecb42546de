"""Which sessions are watched at this gateway, and by how many viewers."""

import asyncio
import random
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from switchboard.events import Told
from switchboard.gateway.feed import Audience, Feed, ReadPage
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import LiveSession
from switchboard.gateway.metrics import VIEWERS
from switchboard.gateway.problems import Problem
from switchboard.session.contract import SendReply

RETRY_AFTER_S = 5

LOOK_WITHIN = timedelta(seconds=1)
"""When a process is gone, all watched sessions are read within this time, and not at once."""

KNOWN_MAX = 10_000
"""Sessions whose owner and number of turns are remembered, so that the next message needs no read of the session."""

SESSION_FULL = "This conversation has {max} viewers at this gateway, which is the limit. Close one of them, and retry."
CALLER_FULL = "You have {max} event streams at this gateway, which is the limit. Close one of them, and retry."
GATEWAY_FULL = "The gateway is at its limit of event streams. Retry in a few seconds."


@dataclass(frozen=True)
class ViewerLimits:
    """Maximum numbers of viewers in this process: of one session for one audience, of one audience, and in all."""

    session: int
    audience: int
    total: int


class Hub:
    """The feeds that viewers share, and the sessions whose running turns the processes tell.

    `changed` is set, and replaced, when other sessions are watched. `sources` are the connections through which
    processes tell: without any, running turns are not seen here.
    """

    def __init__(self, limits: ViewerLimits) -> None:
        self.sessions: dict[str, LiveSession] = {}
        self.changed = asyncio.Event()
        self.sources: set[object] = set()
        self.stopping = False
        self._limits = limits
        self._feeds: dict[tuple[str, Audience], Feed] = {}
        self._keeping_up: dict[Feed, asyncio.Task[None]] = {}
        self._viewers: Counter[Audience] = Counter()
        self._awaited: Counter[str] = Counter()
        self._known: OrderedDict[tuple[str, Caller], int] = OrderedDict()

    @contextmanager
    def viewer(self, session_id: str, audience: Audience, read: ReadPage) -> Iterator[Feed]:
        """Watch a session while the block runs. Raises Problem 429 or 503 if there are too many viewers."""
        feed = self._open(session_id, audience, read)
        VIEWERS.inc()
        try:
            yield feed
        finally:
            VIEWERS.dec()
            self._close(session_id, feed)

    def told(self, told: Told) -> None:
        """Take what a process tells. Sessions that are not watched any more are ignored."""
        live = self.sessions.get(told.session)
        if live is not None:
            live.take(told)

    @contextmanager
    def awaiting(self, session_id: str) -> Iterator[None]:
        """Expect a reply of a session while the block runs."""
        self._awaited[session_id] += 1
        try:
            yield
        finally:
            self._awaited[session_id] -= 1
            if not self._awaited[session_id]:
                del self._awaited[session_id]

    def answered(self, session_id: str, caller: Caller, reply: SendReply) -> None:
        """Take a reply that has come through this gateway: its turn is committed, so it need not be read."""
        self.know(session_id, caller, reply.turn)
        live = self.sessions.get(session_id)
        if live is not None:
            live.answer(reply)

    def know(self, session_id: str, caller: Caller, turns_total: int) -> None:
        """Remember that a session is this caller's, and has so many turns or more."""
        key = session_id, caller
        self._known[key] = max(turns_total, self._known.pop(key, 0))
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def hears(self) -> bool:
        """Return whether any process, or the broker, is connected to this gateway."""
        return bool(self.sources)

    def look(self) -> None:
        """Look for new turns of all sessions soon: a process that was connected may not have told everything."""
        loop = asyncio.get_running_loop()
        for feed in self._feeds.values():
            loop.call_later(random.uniform(0, LOOK_WITHIN.total_seconds()), feed.look)

    def stop(self) -> None:
        """End all streams, because this process is shutting down."""
        self.stopping = True
        for live in self.sessions.values():
            live.notify()

    def _open(self, session_id: str, audience: Audience, read: ReadPage) -> Feed:
        key = (session_id, audience)
        feed = self._feeds.get(key)
        limits = self._limits
        if feed is not None and feed.viewers >= limits.session:
            raise Problem(429, "too_many_viewers", SESSION_FULL.format(max=limits.session), RETRY_AFTER_S)
        if self._viewers[audience] >= limits.audience:
            raise Problem(429, "too_many_viewers", CALLER_FULL.format(max=limits.audience), RETRY_AFTER_S)
        if self._viewers.total() >= limits.total:
            raise Problem(503, "busy", GATEWAY_FULL, RETRY_AFTER_S)
        if feed is None:
            live = self._watched(session_id)
            live.feeds += 1
            known = self._known.get((session_id, audience.caller)) if audience.caller is not None else None
            live.commit(known or 0)
            feed = Feed(live, audience, read, self.hears, lambda: session_id in self._awaited, known)
            self._feeds[key] = feed
            self._keeping_up[feed] = asyncio.create_task(feed.keep_up())
        feed.viewers += 1
        self._viewers[audience] += 1
        return feed

    def _watched(self, session_id: str) -> LiveSession:
        live = self.sessions.get(session_id)
        if live is None:
            live = self.sessions[session_id] = LiveSession(session_id)
            self._notify()
        return live

    def _close(self, session_id: str, feed: Feed) -> None:
        feed.viewers -= 1
        self._viewers[feed.audience] -= 1
        if self._viewers[feed.audience] == 0:
            del self._viewers[feed.audience]
        if feed.viewers:
            return
        caller = feed.audience.caller
        if caller is not None and feed.problem is not None:
            self._known.pop((session_id, caller), None)
        elif caller is not None and feed.owned:
            self.know(session_id, caller, feed.turns_total)
        self._keeping_up.pop(feed).cancel()
        del self._feeds[session_id, feed.audience]
        feed.live.feeds -= 1
        if feed.live.feeds == 0:
            del self.sessions[session_id]
            self._notify()

    def _notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
