"""The gateway's side of the live channel: accepts the mesh's processes, and tells them which sessions are watched."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import ValidationError

from switchboard.events import Told, Unwatch, Watch
from switchboard.gateway.hub import Hub
from switchboard.gateway.metrics import LIVE_CONNECTIONS
from switchboard.live_channel import (
    FRAME_MAX_BYTES,
    HANDSHAKE_TIMEOUT,
    LIVE_PATH,
    PING_INTERVAL,
    Accepted,
    accept_channel,
)
from switchboard.speaker import SpeakerKeys, SpeakerRefused

logger = logging.getLogger(__name__)

PROCESSES_MAX = 1_000
"""Connections of processes that a gateway accepts. A mesh has a few processes for each of its services."""

SESSIONS_A_FRAME = 500

CLOSE_TIMEOUT = timedelta(seconds=1)

NOT_A_PROCESS = "The request {reason}. Only the processes of this mesh may open this channel.\n"
TOO_MANY = "This gateway has as many connections as it accepts. Try again later.\n"


async def serve_live(host: str, port: int, hub: Hub, speaker: SpeakerKeys | None) -> web.AppRunner:
    """Listen for the mesh's processes; `cleanup` of the returned runner ends it."""
    app = web.Application()
    app.router.add_get(LIVE_PATH, LiveServer(hub, speaker).accept)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT.total_seconds())
    await runner.setup()
    await web.TCPSite(runner, host, port, reuse_address=True).start()
    return runner


class LiveServer:
    """The connections of the mesh's processes."""

    def __init__(self, hub: Hub, speaker: SpeakerKeys | None) -> None:
        self._hub = hub
        self._speaker = speaker
        self._connections = 0

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Serve one process for as long as it is connected."""
        try:
            accepted = accept_channel(self._speaker, request.headers)
        except SpeakerRefused as reason:
            logger.warning("refused a live connection: the request %s", reason)
            return web.Response(status=401, text=NOT_A_PROCESS.format(reason=reason))
        if self._connections >= PROCESSES_MAX:
            return web.Response(status=503, text=TOO_MANY)
        self._connections += 1
        try:
            return await self._serve(request, accepted)
        finally:
            self._connections -= 1

    async def _serve(self, request: web.Request, accepted: Accepted) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            heartbeat=PING_INTERVAL.total_seconds(),
            max_msg_size=FRAME_MAX_BYTES,
            timeout=CLOSE_TIMEOUT.total_seconds(),
            compress=False,
        )
        socket.headers.update(accepted.headers)
        await socket.prepare(request)
        if not await is_proven(socket, accepted):
            logger.warning("refused a live connection: its first frame is not signed with a key of this mesh")
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            return socket
        LIVE_CONNECTIONS.inc()
        self._hub.sources.add(socket)
        telling = asyncio.create_task(self._tell_watched(socket))
        try:
            await self._listen(socket)
        finally:
            telling.cancel()
            LIVE_CONNECTIONS.dec()
            self._hub.sources.discard(socket)
            self._hub.look()
            await socket.close()
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                self._hub.told(Told.model_validate_json(message.data))
            except ValidationError as error:
                # A newer service may tell kinds of events that this gateway does not know. The record has them too.
                logger.warning("ignored a live frame with %d errors", error.error_count())

    async def _tell_watched(self, socket: web.WebSocketResponse) -> None:
        """Keep the process informed about the sessions that are watched here. Ends with the connection."""
        told: dict[str, object] = {}
        with suppress(ConnectionError):
            for _ in count():
                changed, watched = self._hub.changed, dict(self._hub.sessions)
                # A session that was left and is watched again needs what was told before.
                new = [session for session, live in watched.items() if told.get(session) is not live]
                gone = [session for session in told if session not in watched]
                for some in in_parts(new):
                    await socket.send_str(Watch(sessions=some).model_dump_json())
                for some in in_parts(gone):
                    await socket.send_str(Unwatch(sessions=some).model_dump_json())
                told = dict(watched)
                await changed.wait()


def in_parts(sessions: list[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(sessions), SESSIONS_A_FRAME):
        yield tuple(sessions[start : start + SESSIONS_A_FRAME])


async def is_proven(socket: web.WebSocketResponse, accepted: Accepted) -> bool:
    """Return whether the first frame proves that a process of this mesh has opened the connection."""
    try:
        return accepted.is_proven_by(await socket.receive_str(timeout=HANDSHAKE_TIMEOUT.total_seconds()))
    except (TimeoutError, TypeError):  # aiohttp's error for a frame that is no text.
        return False
