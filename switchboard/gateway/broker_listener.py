"""The gateway's side of the broker: subscribes to the sessions that people watch here, and says which ones they are."""

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import ValidationError

from switchboard.events import Told, Unwatch, Watch
from switchboard.gateway.hub import Hub
from switchboard.gateway.live_server import in_parts
from switchboard.gateway.live_turn import LiveSession
from switchboard.gateway.metrics import BROKER_CONNECTED, FRAMES_REFUSED
from switchboard.live_broker import (
    ASKED_CHANNEL,
    PROCESS_CHANNEL,
    SESSION_CHANNEL,
    WATCHED_CHANNEL,
    FrameOpener,
    FrameRefused,
    FrameSealer,
)
from switchboard.runtime.broker import WATCH_INTERVAL
from switchboard.runtime.broker_connection import Broker, done, messages
from switchboard.runtime.gateways import stopping

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

logger = logging.getLogger(__name__)


async def listen_to_broker(broker: Broker, hub: Hub) -> None:
    """Take from the broker what processes tell of the sessions that people watch here, until cancelled."""

    async def serve(redis: "Redis") -> None:
        try:
            await BrokerListener(broker, hub, redis).serve()
        finally:
            BROKER_CONNECTED.set(0)
            hub.sources.discard(broker)
            hub.look()

    await broker.keep_connected(serve)


class BrokerListener:
    """One connection of a gateway to the broker.

    A session is watched only after the broker has confirmed the subscription to its channel, so that nothing is missed
    of what processes then tell.
    """

    def __init__(self, broker: Broker, hub: Hub, redis: "Redis") -> None:
        self._broker = broker
        self._hub = hub
        self._redis = redis
        self._sealer = FrameSealer(broker.keys)
        self._opener = FrameOpener(broker.keys)
        self._publishing = asyncio.Lock()
        self._unconfirmed: Counter[str] = Counter()
        self._confirmed: set[str] = set()
        self._new: set[str] = set()
        self._askers: list[str] = []
        self._wake = asyncio.Event()

    async def serve(self) -> None:
        """Listen until the connection breaks."""
        async with self._redis.pubsub() as pubsub:
            await done(pubsub.subscribe(ASKED_CHANNEL))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._subscribe(pubsub))
                group.create_task(self._say())
                group.create_task(self._repeat())
                async for message in messages(pubsub):
                    self._take(message["type"], message["channel"], message["data"])

    def _take(self, kind: str, channel: bytes | None, data: bytes) -> None:
        name = (channel or b"").decode()
        session = name.removeprefix(SESSION_CHANNEL) if name.startswith(SESSION_CHANNEL) else None
        match kind:
            case "subscribe" if session is None:
                BROKER_CONNECTED.set(1)
                self._hub.sources.add(self._broker)
            case "subscribe":
                self._confirm(str(session))
            case "message":
                self._take_frame(name, session, data)
            case _:
                pass

    def _confirm(self, session: str) -> None:
        """Note that the broker has carried out one subscription, which may have ended since."""
        self._unconfirmed[session] -= 1
        if self._unconfirmed[session] == 0:
            del self._unconfirmed[session]
            self._confirmed.add(session)
            self._new.add(session)
            self._wake.set()

    def _take_frame(self, channel: str, session: str | None, sealed: bytes) -> None:
        try:
            opened = self._opener.open(channel, sealed)
            if session is None:
                self._askers.append(opened.sender)
                self._wake.set()
                return
            told = Told.model_validate_json(opened.content)
        except FrameRefused as refused:
            FRAMES_REFUSED.labels(refused.reason).inc()
            return
        except ValidationError as error:
            # A newer service may tell kinds of events that this gateway does not know. The record has them too.
            logger.warning("ignored a live frame with %d errors", error.error_count())
            return
        if told.session == session:
            self._hub.told(told)

    async def _subscribe(self, pubsub: "PubSub") -> None:
        """Subscribe to the channels of sessions that are watched here, and to no others."""
        subscribed: dict[str, LiveSession] = {}
        while not stopping():
            changed, watched = self._hub.changed, dict(self._hub.sessions)
            # A session that was left and is watched again needs what was told before.
            new = [session for session, live in watched.items() if subscribed.get(session) is not live]
            gone = [session for session in subscribed if session not in watched]
            again = [session for session in new if session in subscribed]
            for some in in_parts(gone + again):
                self._confirmed.difference_update(some)
                await self._publish(Unwatch(sessions=some))
            for some in in_parts(gone):
                await done(pubsub.unsubscribe(*(SESSION_CHANNEL + session for session in some)))
            for some in in_parts(new):
                self._unconfirmed.update(some)
                await done(pubsub.subscribe(*(SESSION_CHANNEL + session for session in some)))
            subscribed = watched
            await changed.wait()

    async def _say(self) -> None:
        """Say what people watch: what is new to all processes, and everything to a process that asks."""
        while not stopping():
            await self._wake.wait()
            self._wake.clear()
            new, askers = self._new, self._askers
            self._new, self._askers = set(), []
            await self._watch(new)
            for asker in askers:
                await self._watch(set(self._confirmed), PROCESS_CHANNEL + asker)

    async def _repeat(self) -> None:
        while not stopping():
            await asyncio.sleep(WATCH_INTERVAL.total_seconds())
            await self._watch(set(self._confirmed))

    async def _watch(self, sessions: set[str], channel: str = WATCHED_CHANNEL) -> None:
        for some in in_parts(list(sessions & self._hub.sessions.keys())):
            await self._publish(Watch(sessions=some), channel)

    async def _publish(self, frame: Watch | Unwatch, channel: str = WATCHED_CHANNEL) -> None:
        # One after the other: a frame that arrives after a later one is refused.
        async with self._publishing:
            await done(self._redis.publish(channel, self._sealer.seal(channel, frame.model_dump_json())))
