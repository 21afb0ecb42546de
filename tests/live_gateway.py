"""A gateway's end of the live channel, as a receiver for tests. It follows the rules in `switchboard.events`."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import WSMsgType, web

from switchboard.events import (
    SEQ_MAX,
    Delta,
    Event,
    Numbered,
    Reset,
    Told,
    ToolReturned,
    TurnStarted,
    Unwatch,
    Watch,
)
from switchboard.live_channel import FRAME_MAX_BYTES, LIVE_PATH, accept_channel
from switchboard.speaker import SpeakerKeys, SpeakerRefused

RECEIVED_WITHIN = timedelta(seconds=120)


@dataclass
class Heard:
    """What was heard of one turn in one run."""

    events: dict[int, Event] = field(default_factory=dict)
    repeated: list[Numbered] = field(default_factory=list)
    returned: list[ToolReturned] = field(default_factory=list)
    texts: dict[tuple[int, str], str] = field(default_factory=dict)
    resets: list[Reset] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)

    def take(self, numbered: Numbered) -> None:
        """Take an event. One that is told again must be the same."""
        if numbered.seq in self.events:
            self.repeated.append(numbered)
            assert self.events[numbered.seq] == numbered.event, numbered
        self.events[numbered.seq] = numbered.event

    @property
    def in_order(self) -> list[Event]:
        """The events by number. Asserts that none is missing."""
        numbers = sorted(self.events)
        before = [number for number in numbers if number != SEQ_MAX]
        assert before == list(range(1, len(before) + 1)), numbers
        return [self.events[number] for number in numbers]


class LiveReceiver:
    """What a gateway has heard, by session, turn and run. Knows which sessions people watch."""

    def __init__(self, keys: SpeakerKeys | None = None) -> None:
        self.keys = keys
        self.watched: set[str] = set()
        self.heard: dict[tuple[str, int, str], Heard] = defaultdict(Heard)
        self.told: list[Told] = []
        self.connections: list[web.WebSocketResponse] = []
        self.changed = asyncio.Event()
        self.refused = 0

    async def watch(self, *sessions: str) -> None:
        self.watched |= set(sessions)
        await self.send(Watch(sessions=sessions))

    async def unwatch(self, *sessions: str) -> None:
        self.watched -= set(sessions)
        await self.send(Unwatch(sessions=sessions))

    async def send(self, frame: Watch | Unwatch) -> None:
        for connection in self.connections:
            await connection.send_str(frame.model_dump_json())

    def take(self, told: Told) -> None:
        assert told.session in self.watched, told
        self.told.append(told)
        heard = self.heard[told.session, told.turn, told.run]
        for numbered in told.numbered():
            heard.take(numbered)
        for unnumbered in told.unnumbered:
            match unnumbered:
                case ToolReturned():
                    heard.returned.append(unnumbered)
                case Reset():
                    heard.resets.append(unnumbered)
                case Delta(seq=seq, writer=writer, offset=offset, text=text):
                    heard.deltas.append(unnumbered)
                    before = "" if offset == 0 else heard.texts[seq, writer]
                    assert offset == len(before), unnumbered
                    heard.texts[seq, writer] = before + text
        self.changed.set()

    def of(self, session: str, turn: int = 1) -> Heard:
        """Return what was heard of a turn in its last run."""
        runs = [heard for (name, number, _), heard in self.heard.items() if (name, number) == (session, turn)]
        return runs[-1] if runs else Heard()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something is true of what was heard."""
        async with asyncio.timeout(RECEIVED_WITHIN.total_seconds()):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def connected(self, processes: int = 1) -> None:
        """Wait until so many processes are connected."""
        await self.until(lambda: len(self.connections) >= processes)

    async def ended(self, session: str, turn: int = 1) -> Heard:
        """Wait for the last event of a turn."""
        await self.until(lambda: SEQ_MAX in self.of(session, turn).events)
        return self.of(session, turn)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        try:
            accepted = accept_channel(self.keys, request.headers)
        except SpeakerRefused as reason:
            self.refused += 1
            raise web.HTTPUnauthorized(text=str(reason)) from reason
        connection = web.WebSocketResponse(max_msg_size=FRAME_MAX_BYTES)
        connection.headers.update(accepted.headers)
        await connection.prepare(request)
        if not accepted.is_proven_by(await connection.receive_str()):
            await connection.close()
            return connection
        self.connections.append(connection)
        self.changed.set()
        if self.watched:
            await connection.send_str(Watch(sessions=tuple(self.watched)).model_dump_json())
        try:
            async for message in connection:
                if message.type is WSMsgType.TEXT:
                    self.take(Told.model_validate_json(message.data))
        finally:
            self.connections.remove(connection)
            self.changed.set()
        return connection


@asynccontextmanager
async def live_receiver(port: int, keys: SpeakerKeys | None = None) -> AsyncIterator[LiveReceiver]:
    """Accept events on a port of this machine."""
    receiver = LiveReceiver(keys)
    app = web.Application()
    app.router.add_get(LIVE_PATH, receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield receiver
    finally:
        for connection in list(receiver.connections):
            await connection.close()
        await runner.cleanup()


def kinds(events: Iterable[Event]) -> list[str]:
    return [event.kind for event in events if not isinstance(event, TurnStarted)]
