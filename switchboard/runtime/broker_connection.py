"""The connection of a process or a gateway to the broker of live events: a Redis. It is opened again when it breaks."""

import asyncio
import logging
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from switchboard.live_channel import HANDSHAKE_TIMEOUT, PING_INTERVAL
from switchboard.runtime.gateways import stopping
from switchboard.runtime.settings import BrokerSettings, EventsKeySettings, load
from switchboard.speaker import SpeakerKeys

if TYPE_CHECKING:
    # The package is installed only where a broker is used.
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

RECONNECT_MIN = timedelta(milliseconds=200)
RECONNECT_MAX = timedelta(seconds=10)
"""Pause before the connection is opened again; it doubles with every failure."""

STABLE_AFTER = timedelta(seconds=30)
"""After a connection that lasted for so long, the pause is short again, and a failure is logged again."""

NOT_INSTALLED = (
    "SWITCHBOARD_EVENTS_BROKER_URL is set, but the package redis is not installed. Install switchboard[redis].\n"
)
NO_KEYS = (
    "SWITCHBOARD_EVENTS_BROKER_URL is set, but SWITCHBOARD_EVENTS_KEYS is not. Other clients of the broker could send "
    "events of any conversation. Give this process, the mesh's other processes and the gateways a key.\n"
)


class Broker:
    """A Redis that carries live events, and the keys that sign them."""

    def __init__(self, url: str, keys: SpeakerKeys) -> None:
        self.keys = keys
        self._url = url

    async def keep_connected(self, serve: Callable[["Redis"], Awaitable[None]]) -> None:
        """Call `serve` with an open connection, and again whenever it fails or returns, until cancelled."""
        pause, last = RECONNECT_MIN, ""
        # A failure while this task is cancelled takes the cancellation's place.
        while not stopping():
            began = time.monotonic()
            try:
                async with self._open() as redis:
                    await serve(redis)
            except* Exception as failures:  # noqa: BLE001  # Turns go on without a broker, whatever its client raises.
                reason = describe(failures)
                # A broker that is away for hours makes one line, not thousands.
                logger.log(logging.DEBUG if reason == last else logging.WARNING, "%s", reason)
                last = reason
            if stopping():
                return
            if time.monotonic() - began > STABLE_AFTER.total_seconds():
                pause, last = RECONNECT_MIN, ""
            # Not all at once, when the broker has restarted.
            await asyncio.sleep(pause.total_seconds() * random.uniform(0.5, 1))
            pause = min(2 * pause, RECONNECT_MAX)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator["Redis"]:
        from redis.asyncio import Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        timeout_s = HANDSHAKE_TIMEOUT.total_seconds()
        # Without retries: what was published while a connection was broken is lost, and has to be asked for again.
        redis = Redis.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            client_name="switchboard",
        )
        try:
            yield redis
        finally:
            await redis.aclose()


def describe(failures: BaseExceptionGroup[Exception]) -> str:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    reason = f"{type(error).__name__}: {error}".rstrip(".")
    return (
        f"No connection to the broker of live events: {reason}. Viewers get turns when they have ended. It is tried "
        "again."
    )


async def done(call: Awaitable[Answer]) -> Answer:
    """Await a call of Redis's client. Raises CancelledError if this task was cancelled meanwhile.

    The client uses `asyncio.wait_for`, which can swallow a cancellation before Python 3.12.
    """
    answer = await call
    if stopping():
        raise asyncio.CancelledError
    return answer


async def messages(pubsub: "PubSub") -> AsyncIterator[dict[str, Any]]:
    """Yield what comes from the broker. Raises TimeoutError if the broker does not answer a ping."""
    pinged = False
    while not stopping():
        message = await done(pubsub.get_message(timeout=PING_INTERVAL.total_seconds()))
        if message is not None:
            pinged = False
            yield message
        elif pinged:
            raise TimeoutError("it does not answer")
        else:
            await done(pubsub.ping())
            pinged = True


def broker_of_settings() -> Broker | None:
    """Return the broker that the environment names; None if it names none. Exits if it cannot be used."""
    url = load(BrokerSettings).events_broker_url.get_secret_value()
    if not url:
        return None
    try:
        import redis  # noqa: F401, PLC0415
    except ImportError:
        sys.stderr.write(NOT_INSTALLED)
        raise SystemExit(1) from None
    keys = load(EventsKeySettings).channel()
    if keys is None:
        sys.stderr.write(NO_KEYS)
        raise SystemExit(1)
    return Broker(url, keys)
