"""Frames that wait for one connection of the live channel: to a gateway or to the broker.

A connection that is slow or away never slows a turn: little waits for it, and the rest is left out.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from switchboard.live_channel import FRAME_MAX_BYTES
from switchboard.runtime.live import LiveTurn
from switchboard.telemetry.metrics import LIVE_FRAMES_DROPPED, LIVE_FRAMES_SENT, LIVE_WAITING

WAITING_MAX_CHARS = 2 * FRAME_MAX_BYTES
"""What may wait for one connection. A connection on which more waits is closed."""

DELTAS_WAITING_MAX_CHARS = 1024 * 1024
"""Above this, deltas are left out, and the whole text is sent once everything that waits is sent."""

BATCH_MAX_CHARS = 256 * 1024
"""Frames that are sent together."""

SessionFrame = tuple[str, str]
"""A session, and a frame about it."""


class Outbox:
    """The frames of one connection, in order. `full` if too much waits: then the connection has to be closed."""

    def __init__(self) -> None:
        self.full = False
        self._frames: deque[SessionFrame] = deque()
        self._waiting_chars = 0
        self._behind: dict[LiveTurn, None] = {}
        self._wake = asyncio.Event()

    def put(self, session: str, frame: str) -> None:
        """Add a frame, unless too much waits."""
        self.full |= self._waiting_chars + len(frame) > WAITING_MAX_CHARS
        if self.full:
            LIVE_FRAMES_DROPPED.labels("full").inc()
        else:
            self._frames.append((session, frame))
            self._waiting_chars += len(frame)
            LIVE_WAITING.inc(len(frame))
        self._wake.set()

    def put_delta(self, turn: LiveTurn, frame: str) -> None:
        """Add a part of a text. If much waits, it is left out, and the whole text is added later."""
        if turn in self._behind or self._waiting_chars > DELTAS_WAITING_MAX_CHARS:
            self._behind[turn] = None
            LIVE_FRAMES_DROPPED.labels("slow").inc()
        else:
            self.put(turn.session, frame)

    async def batches(self) -> AsyncIterator[Sequence[SessionFrame]]:
        """Yield frames that have to be sent, as they come. Ends when the outbox is full."""
        while not self.full:
            await self._wake.wait()
            self._wake.clear()
            while self._frames and not self.full:
                frames = self._frames_of_a_batch()
                yield frames
                self._sent(frames)

    def drop(self) -> None:
        """Leave out what still waits, because the connection has ended."""
        for _, frame in self._frames:
            LIVE_FRAMES_DROPPED.labels("disconnected").inc()
            LIVE_WAITING.dec(len(frame))
        self._frames.clear()
        self._behind.clear()
        self._waiting_chars = 0

    def _frames_of_a_batch(self) -> list[SessionFrame]:
        size, frames = 0, list[SessionFrame]()
        for frame in self._frames:
            size += len(frame[1])
            if frames and size > BATCH_MAX_CHARS:
                break
            frames.append(frame)
        return frames

    def _sent(self, frames: Sequence[SessionFrame]) -> None:
        """Forget frames that were sent, and add the texts that were left out once nothing waits."""
        for _, frame in frames:
            self._frames.popleft()
            self._waiting_chars -= len(frame)
            LIVE_WAITING.dec(len(frame))
        LIVE_FRAMES_SENT.inc(len(frames))
        if not self._frames:
            behind, self._behind = self._behind, {}
            for turn in behind:
                for text in turn.text_so_far():
                    self.put(turn.session, text)
