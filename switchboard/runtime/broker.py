"""Tells the frames of watched sessions to a broker, once each, however many gateways there are.

Gateways say through the broker what people watch there, and say it again from time to time, because a gateway that was
killed cannot say that it is gone.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from switchboard.events import Frame, Unwatch, Watch
from switchboard.live_broker import (
    ASKED_CHANNEL,
    PROCESS_CHANNEL,
    SESSION_CHANNEL,
    WATCHED_CHANNEL,
    FrameOpener,
    FrameRefused,
    FrameSealer,
)
from switchboard.runtime.broker_connection import Broker, done, messages
from switchboard.runtime.gateways import FRAME, WATCHED_MAX, stopping
from switchboard.runtime.live import LIVE, Live, LiveTurn
from switchboard.runtime.outbox import Outbox
from switchboard.speaker import SpeakerKeys

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

WATCH_INTERVAL = timedelta(seconds=30)
"""How often a gateway says again what people watch there. All processes read it, so it is not said more often."""

WATCH_LASTS = 3 * WATCH_INTERVAL
"""How long what a gateway says is valid."""


class Watches:
    """Which sessions people watch, by what gateways have said. `sender` is a gateway's connection."""

    def __init__(self) -> None:
        self._until: dict[str, dict[str, float]] = defaultdict(dict)

    def add(self, sender: str, sessions: Iterable[str], now_s: float) -> list[str]:
        """Extend the watches of a gateway, and return its new ones. Raises ValueError if there are too many."""
        new = []
        for session in sessions:
            senders = self._until[session]
            if sender not in senders:
                new.append(session)
            senders[sender] = now_s + WATCH_LASTS.total_seconds()
        if len(self._until) > WATCHED_MAX:
            raise ValueError(f"the gateways watch more than {WATCHED_MAX} sessions")
        return new

    def remove(self, sender: str, sessions: Iterable[str]) -> list[str]:
        """End watches of a gateway. Return the sessions that are watched nowhere else."""
        return [session for session in sessions if self._left(session, [sender])]

    def expire(self, now_s: float) -> list[str]:
        """End the watches of gateways that have not repeated them, and return the sessions that are watched no more."""
        gone = []
        for session, senders in list(self._until.items()):
            if self._left(session, [sender for sender, until_s in senders.items() if until_s < now_s]):
                gone.append(session)
        return gone

    def sessions(self) -> list[str]:
        return list(self._until)

    def _left(self, session: str, senders: Iterable[str]) -> bool:
        others = self._until.get(session)
        if others is None:
            return False
        for sender in senders:
            others.pop(sender, None)
        if others:
            return False
        del self._until[session]
        return True


class BrokerConnection:
    """One connection of a process to the broker. A `Watcher` of the sessions that people watch at any gateway."""

    def __init__(self, live: Live, keys: SpeakerKeys) -> None:
        self._live = live
        self._watches = Watches()
        self._outbox = Outbox()
        self._sealer = FrameSealer(keys)
        self._opener = FrameOpener(keys)

    def put(self, session: str, frame: str) -> None:
        self._outbox.put(session, frame)

    def put_delta(self, turn: LiveTurn, frame: str) -> None:
        self._outbox.put_delta(turn, frame)

    async def serve(self, redis: "Redis") -> None:
        """Send and receive until the connection breaks, or is too slow."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._listen(redis)), group.create_task(self._expire())]
                await self._send(redis)
                for task in tasks:
                    task.cancel()
        finally:
            self._unwatch(self._watches.sessions())
            self._outbox.drop()

    def take(self, channel: str, sealed: bytes) -> None:
        """Begin or stop to watch sessions, as a gateway says. Frames of others are ignored."""
        try:
            opened = self._opener.open(channel, sealed)
            self._take(opened.sender, FRAME.validate_json(opened.content))
        except (FrameRefused, ValueError) as error:
            logger.warning("ignored a frame from the broker of live events: %s", error)

    def _take(self, sender: str, frame: Frame) -> None:
        match frame:
            case Watch(sessions=sessions):
                for session in self._watches.add(sender, sessions, time.monotonic()):
                    self._live.watch(self, session)
            case Unwatch(sessions=sessions):
                self._unwatch(self._watches.remove(sender, sessions))
            case _:
                pass

    async def _listen(self, redis: "Redis") -> None:
        async with redis.pubsub() as pubsub:
            own = PROCESS_CHANNEL + self._sealer.sender
            await done(pubsub.subscribe(WATCHED_CHANNEL, own))
            async for message in messages(pubsub):
                channel = (message["channel"] or b"").decode()
                if message["type"] == "message":
                    self.take(channel, message["data"])
                elif message["type"] == "subscribe" and channel == own:
                    await done(redis.publish(ASKED_CHANNEL, self._sealer.seal(ASKED_CHANNEL, "")))

    async def _expire(self) -> None:
        while not stopping():
            await asyncio.sleep(WATCH_INTERVAL.total_seconds())
            self._unwatch(self._watches.expire(time.monotonic()))

    async def _send(self, redis: "Redis") -> None:
        async for frames in self._outbox.batches():
            pipeline = redis.pipeline(transaction=False)
            for session, frame in frames:
                channel = SESSION_CHANNEL + session
                pipeline.publish(channel, self._sealer.seal(channel, frame))
            await done(pipeline.execute())
        logger.warning("the broker of live events takes frames too slowly; its connection is opened again")

    def _unwatch(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            self._live.unwatch(self, session)


class BrokerClient:
    """Keeps this process connected to the broker."""

    def __init__(self, broker: Broker, live: Live = LIVE) -> None:
        self._broker = broker
        self._live = live

    async def keep_connected(self) -> None:
        """Tell running turns to the broker, until cancelled."""
        self._live.enabled = True
        await self._broker.keep_connected(lambda redis: BrokerConnection(self._live, self._broker.keys).serve(redis))
