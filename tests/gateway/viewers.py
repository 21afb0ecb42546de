"""Viewers of event streams: a parser of server-sent events, and a viewer that continues when its connection breaks."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp

from switchboard.events import SEQ_MAX
from switchboard.testing import JSON
from tests.gateway.front import Visitor

NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_read=120)
RETRY_PAUSE = timedelta(milliseconds=100)


@dataclass(frozen=True)
class Shown:
    """One server-sent event. `id` is empty for events without a number, `at` is the time of the loop in seconds."""

    kind: str
    id: str
    data: JSON
    at: float = 0.0

    @property
    def turn(self) -> int:
        return int(self.data["turn"])

    @property
    def seq(self) -> int:
        return int(self.data["seq"])


async def read_events(response: aiohttp.ClientResponse, places: bool = False) -> AsyncIterator[Shown]:
    """Yield the events of a stream as they come, with `places` also ids without an event. Comments are skipped."""
    fields: dict[str, str] = {}
    async for line in response.content:
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name:
            fields[name] = f"{fields[name]}\n{value}" if name in fields and name == "data" else value
            continue
        if "data" in fields:
            now = asyncio.get_running_loop().time()
            yield Shown(fields["event"], fields.get("id", ""), json.loads(fields["data"]), now)
        elif "id" in fields and places:
            yield Shown("", fields["id"], {})
        fields = {}


@asynccontextmanager
async def opened(
    visitor: Visitor, path: str = "events", method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Open a stream of a visitor's session."""
    sent = {"authorization": f"Bearer {visitor.token}", "accept": "text/event-stream", **(headers or {})}
    url = f"{visitor.url}/v1/sessions/{visitor.session}/{path}"
    async with visitor.http.request(method, url, headers=sent, timeout=NO_LIMIT, **more) as response:
        yield response


async def asks(visitor: Visitor, text: str, key: str = "", **body: Any) -> list[Shown]:
    """Send a message, and return the events of its stream."""
    headers = {"idempotency-key": key} if key else {}
    async with opened(visitor, "messages", "POST", headers, json={"text": text, **body}) as response:
        assert response.status == 200, await response.text()
        return [event async for event in read_events(response)]


@dataclass
class Watcher:
    """A viewer that keeps what it has seen, and continues at the next gateway when its connection breaks.

    `seen` are the numbered events, without those of runs that were abandoned. `words` is what deltas add up to in the
    step that is written at the moment.
    """

    visitors: Sequence[Visitor]
    seen: list[Shown] = field(default_factory=list)
    all: list[Shown] = field(default_factory=list)
    words: str = ""
    writer: str = ""
    faults: list[str] = field(default_factory=list)
    connections: int = 0
    problems: list[JSON] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    place: str = ""

    async def watch(self, after: str = "") -> None:
        """Follow the session until cancelled."""
        self.place = after
        for visitor in itertools.cycle(self.visitors):
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._follow(visitor)
            await asyncio.sleep(RETRY_PAUSE.total_seconds())

    async def _follow(self, visitor: Visitor) -> None:
        last = self.seen[-1] if self.seen else None
        headers = {"last-event-id": last.id if last else self.place} if last or self.place else {}
        params = {"run": last.data["run"]} if last else {}
        async with opened(visitor, headers=headers, params=params) as response:
            if response.status != 200:
                self.problems.append(await response.json(content_type=None))
                return
            self.connections += 1
            self.words = self.writer = ""
            async with self.changed:
                self.changed.notify_all()
            async for event in read_events(response, places=True):
                self.take(event)
                async with self.changed:
                    self.changed.notify_all()

    def take(self, event: Shown) -> None:
        if not event.kind:
            self.place = event.id
            return
        self.all.append(event)
        if event.id:
            self._take_numbered(event)
        elif event.kind == "delta":
            self._take_delta(event.data)
        elif event.kind == "reset":
            self.words = self.writer = ""
        elif event.kind == "problem":
            self.problems.append(event.data)

    def _take_numbered(self, event: Shown) -> None:
        self.words = self.writer = ""
        last = self.seen[-1] if self.seen else None
        if event.id != f"{event.turn}.{event.seq}":
            self.faults.append(f"id {event.id} of {event.data}")
        if event.kind == "turn_started" and last is not None and last.turn == event.turn:
            if last.data["run"] == event.data["run"] or last.seq == SEQ_MAX:
                self.faults.append(f"{event.id} begins again after {last.id}")
            self.seen = [each for each in self.seen if each.turn < event.turn]
        elif last is not None and not follows(last, event):
            self.faults.append(f"{event.id} after {last.id}")
        self.seen.append(event)

    def _take_delta(self, delta: JSON) -> None:
        if delta["offset"] == 0:
            self.words, self.writer = delta["text"], delta["writer"]
        elif delta["writer"] == self.writer and delta["offset"] == len(self.words):
            self.words += delta["text"]

    async def until(self, holds: Callable[["Watcher"], bool], within: timedelta = timedelta(seconds=120)) -> None:
        """Wait until `holds` is true of this viewer."""
        async with asyncio.timeout(within.total_seconds()), self.changed:
            await self.changed.wait_for(lambda: holds(self))

    def replies(self) -> dict[int, str]:
        """Return the texts of the replies, by turn."""
        return {event.turn: event.data["text"] for event in self.seen if event.kind == "reply"}


def follows(last: Shown, event: Shown) -> bool:
    """Return whether an event is the next one: of the same turn, or the first of the next one."""
    if event.turn == last.turn:
        return last.seq < event.seq and (event.seq in (last.seq + 1, SEQ_MAX))
    return event.turn > last.turn and last.seq == SEQ_MAX and event.seq == 1


@asynccontextmanager
async def watching(*visitors: Visitor, after: str = "") -> AsyncIterator[Watcher]:
    """Watch a session, at one gateway after the other, while the block runs. At the end, no fault was seen."""
    watcher = Watcher(visitors)
    task = asyncio.create_task(watcher.watch(after))
    try:
        await watcher.until(lambda each: each.connections > 0)
        yield watcher
    finally:
        task.cancel()
    assert not watcher.faults, watcher.faults
