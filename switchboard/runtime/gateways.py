"""Connects this process to every gateway, to tell the gateways about the turns that people watch.

A gateway that is slow or away never slows a turn: little waits for a connection, and a connection that cannot take it
is closed.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Sequence
from datetime import timedelta

import aiohttp
from pydantic import TypeAdapter, ValidationError

from switchboard.events import Frame, Unwatch, Watch
from switchboard.live_channel import (
    FRAME_MAX_BYTES,
    HANDSHAKE_TIMEOUT,
    LIVE_PATH,
    PING_INTERVAL,
    first_frame,
    open_channel,
)
from switchboard.runtime.live import LIVE, Live, LiveTurn
from switchboard.runtime.outbox import Outbox
from switchboard.runtime.settings import EventsKeySettings, LiveSettings, load
from switchboard.speaker import SpeakerKeys, SpeakerRefused

logger = logging.getLogger(__name__)

NO_KEYS = (
    "SWITCHBOARD_EVENTS_URLS is set, but SWITCHBOARD_EVENTS_KEYS is not: people who watch a conversation see only "
    "turns that have ended. Give this process and the gateways a key."
)

LOOKUP_INTERVAL = timedelta(seconds=3)
"""How often the gateways' names are looked up again. A new gateway learns of running turns after so long."""

RECONNECT_MIN = timedelta(milliseconds=200)
RECONNECT_MAX = timedelta(seconds=3)
"""Pause before a connection is opened again; it doubles with every failure."""

WATCHED_MAX = 100_000
"""Sessions that one gateway may watch."""

FRAME: TypeAdapter[Frame] = TypeAdapter(Frame)


class GatewayConnection:
    """One connection to one gateway. A `Watcher` of the sessions that people watch there."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._watched: set[str] = set()
        self._outbox = Outbox()

    def put(self, session: str, frame: str) -> None:
        self._outbox.put(session, frame)

    def put_delta(self, turn: LiveTurn, frame: str) -> None:
        self._outbox.put_delta(turn, frame)

    async def serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send and receive until the connection ends."""
        sending = asyncio.create_task(self._send(socket))
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                self.take(FRAME.validate_json(message.data))
        finally:
            for session in self._watched:
                self._live.unwatch(self, session)
            sending.cancel()
            # A frame that could not be sent is no news: the reader above has seen the connection end.
            await asyncio.gather(sending, return_exceptions=True)
            self._outbox.drop()

    def take(self, frame: Frame) -> None:
        """Begin or stop to watch sessions. Raises ValueError if the gateway watches too many."""
        match frame:
            case Watch(sessions=sessions):
                self._watched.update(sessions)
                if len(self._watched) > WATCHED_MAX:
                    raise ValueError(f"a gateway watches more than {WATCHED_MAX} sessions")
                for session in sessions:
                    self._live.watch(self, session)
            case Unwatch(sessions=sessions):
                self._watched.difference_update(sessions)
                for session in sessions:
                    self._live.unwatch(self, session)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frames in self._outbox.batches():
            for _, frame in frames:
                await socket.send_str(frame)
        logger.warning("a gateway takes events too slowly; its connection is opened again")
        await socket.close()


class Gateways:
    """Keeps a connection to every address of the gateways."""

    def __init__(self, addresses: Sequence[tuple[str, int]], keys: SpeakerKeys | None, live: Live = LIVE) -> None:
        self._addresses = addresses
        self._keys = keys
        self._live = live
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def keep_connected(self) -> None:
        """Connect to every gateway, and again to each that goes away or is new, until cancelled."""
        self._live.enabled = True
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=HANDSHAKE_TIMEOUT.total_seconds())
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as http:
            try:
                while not stopping():
                    await self._look_up(http)
                    await asyncio.sleep(LOOKUP_INTERVAL.total_seconds())
            finally:
                self._live.enabled = False
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look_up(self, http: aiohttp.ClientSession) -> None:
        """Start a task for each new address. A task whose address is gone ends with its connection."""
        self._tasks = {address: task for address, task in self._tasks.items() if not task.done()}
        for name, port in self._addresses:
            for address in await addresses_of(name, port):
                if address not in self._tasks:
                    self._tasks[address] = asyncio.create_task(self._stay_connected(http, name, address))

    async def _stay_connected(self, http: aiohttp.ClientSession, name: str, address: tuple[str, int]) -> None:
        """Keep the connection to one address open while the gateways' name has this address."""
        pause = RECONNECT_MIN
        while not stopping():
            if await self._connect(http, name, address):
                pause = RECONNECT_MIN
            # Not all at once, when a gateway has restarted.
            await asyncio.sleep(pause.total_seconds() * random.uniform(0.5, 1))
            pause = min(pause * 2, RECONNECT_MAX)
            if address not in await addresses_of(name, address[1]):
                return

    async def _connect(self, http: aiohttp.ClientSession, name: str, address: tuple[str, int]) -> bool:
        """Serve one connection until it ends. Returns whether it was open."""
        host, port = address
        opening = open_channel(self._keys)
        url = f"ws://[{host}]:{port}{LIVE_PATH}" if ":" in host else f"ws://{host}:{port}{LIVE_PATH}"
        opened = False
        try:
            async with http.ws_connect(
                url,
                headers={**opening.headers, "Host": f"{name}:{port}"},
                heartbeat=PING_INTERVAL.total_seconds(),
                max_msg_size=FRAME_MAX_BYTES,
            ) as connection:
                await connection.send_str(first_frame(self._keys, opening, connection._response.headers))
                opened = True
                await GatewayConnection(self._live).serve(connection)
        except SpeakerRefused as reason:
            logger.warning("the connection to the gateway at %s %s", url, reason)
        except (ValidationError, ValueError) as error:
            logger.warning("the gateway at %s sent something else than a frame: %s", url, error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.debug("no connection to the gateway at %s: %s", url, error)
        return opened


def stopping() -> bool:
    """Whether the task that asks is being cancelled."""
    task = asyncio.current_task()
    return task is None or bool(task.cancelling())


async def addresses_of(name: str, port: int) -> list[tuple[str, int]]:
    """Return all addresses of a name; none if it cannot be looked up now."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys((str(address[0]), port) for *_, address in found))


def gateways_of_settings() -> Gateways | None:
    """Return the gateways that the environment names; None if it names none. Exits if a setting is invalid."""
    settings = load(LiveSettings)
    if not settings.addresses:
        return None
    keys = load(EventsKeySettings)
    if not keys.may_be_open:
        logger.warning(NO_KEYS)
        return None
    return Gateways(settings.addresses, keys.channel())
