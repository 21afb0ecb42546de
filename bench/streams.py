"""Event streams: how late a word is, and what viewers cost. `python -m bench.streams` prints the table, with limits.

The words of the model are the times at which it sent them, on the clock of this machine, so each viewer knows how late
each word is. Every word of every stream counts once: when it is first shown, also if that is with the whole reply.
`lateness` asks for all streams at once, and the model waits until all are open: all are written at the same time. The
middle round counts, because the speed of a shared machine changes from minute to minute. `sustained` keeps as many
streams open at all times: where one ends, the next begins. So its turns take a part of the cores as well.
What viewers cost is measured in alternation, with and without them, on one mesh.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import uvloop

from bench.stores import RestateLog
from services.project import reference
from switchboard.client import AsyncClient, Replied
from switchboard.local.gateway import GatewayPorts, local_token
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, free_ports
from switchboard.testing.laboratory import HIGH_LIMITS

STREAMS = 100
SESSIONS = 32
TURNS = 8
ROUNDS = 9
"""Rounds in which turns are counted. The middle one of fewer is not steady."""

BYTE_ROUNDS = 3
"""Rounds in which bytes are counted, which vary little."""

WORDS, WORD_MS = 100, 40
"""A model writes about 25 words a second."""

LATE_ROUNDS = 5

FIRST_WORD_MS_A_STREAM = 50
"""Two cores begin a turn within about 30 ms. The model waits for all of them."""

SUSTAINED_WORDS, SUSTAINED_FIRST_WORD_MS = 250, 500
"""Ten seconds for a long reply."""

SUSTAINED_REPLIES = 4
"""Replies of each stream. The first is not counted, because not all streams are open yet."""

LATE_MAX_MS = 50
SPEED_MIN = 0.95
BYTES_MAX = 1.02
"""The limits."""

GATEWAY_LIMITS = {
    "GATEWAY_CUSTOMER_REQUESTS_MAX": "10000",
    "GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": "0",
    "GATEWAY_ADDRESS_CONNECTIONS_MAX": "10000",
    "GATEWAY_CUSTOMER_VIEWERS_MAX": "10000",
}
TOKEN_HOURS = 1
TELLING = 3
"""Processes of the reference mesh that have agents or sessions."""

NS_PER_MS = 1_000_000
DELTA = b'data: {"kind":"delta",'
WORD = re.compile(rb"\d{9,}")
QUIET_AFTER = timedelta(seconds=2)
"""After a turn, Restate still writes for a moment: its answer to the client comes first."""

QUESTION = "how much is my balance?"


@dataclass
class Front:
    """A mesh, a client for messages, and connections for viewers: the client opens at most 100."""

    mesh: Mesh
    gateway: GatewayPorts
    client: AsyncClient
    http: aiohttp.ClientSession
    headers: dict[str, str]

    async def viewers(self) -> float:
        """Return how many event streams the gateway has open."""
        url = f"http://127.0.0.1:{self.gateway.metrics}/metrics"
        return await read_metric(self.http, url, "switchboard_gateway_viewers")

    async def connected(self) -> None:
        """Wait until the services tell the gateway what they write."""
        url = f"http://127.0.0.1:{self.gateway.metrics}/metrics"
        while await read_metric(self.http, url, "switchboard_gateway_live_connections") < TELLING:
            await asyncio.sleep(0.1)

    async def logged_bytes(self) -> float:
        """Return the number of bytes that Restate has written to its log so far."""
        return await RestateLog(f"http://127.0.0.1:{self.mesh.addresses.restate.node}", self.http).logged_bytes()


async def read_metric(http: aiohttp.ClientSession, url: str, name: str) -> float:
    """Return the sum of a metric's series."""
    async with http.get(url) as response:
        lines = (await response.text()).splitlines()
    found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
    assert found, f"{url} has no {name}"
    return sum(found)


@asynccontextmanager
async def open_front(folder: Path, model_url: str = "") -> AsyncIterator[Front]:
    """Start a mesh with a gateway. Without `model_url`, the demo model answers."""
    gateway = GatewayPorts(*free_ports(3))
    model = (
        {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model_url, "SWITCHBOARD_MODEL": "clock"} if model_url else None
    )
    definition = reference().definition
    environment = {**HIGH_LIMITS, **GATEWAY_LIMITS, "SWITCHBOARD_MODEL_CALLS_MAX": str(2 * STREAMS)}
    mesh = Mesh(reference(), folder, Addresses.free(definition), model, environment, gateway=gateway)
    async with mesh:
        token = local_token(mesh.folder, "alice", TOKEN_HOURS, True)
        headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
        no_limit = aiohttp.ClientTimeout(total=None)
        async with (
            AsyncClient(gateway.url, token) as client,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=no_limit) as http,
        ):
            yield Front(mesh, gateway, client, http, headers)


def new_session() -> str:
    return f"bench-{uuid4().hex}"


@asynccontextmanager
async def clock_model(folder: Path, words: int, word_ms: float, first_word_ms: int) -> AsyncIterator[str]:
    """Start the model whose words are times, and yield its URL."""
    (port,) = free_ports(1)
    model = Process(
        name="clock_model",
        command=[sys.executable, "-m", "bench.clock_model"],
        environment={
            "PORT": str(port),
            "CLOCK_FIRST_WORD_MS": str(first_word_ms),
            "CLOCK_WORDS": str(words),
            "CLOCK_WORD_MS": str(word_ms),
        },
        port=port,
        health=f"http://127.0.0.1:{port}/health",
        log=folder / "clock.log",
    )
    await model.start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await model.stop()


async def sustained(folder: Path, streams: int, word_ms: float) -> list[float]:
    """Return how late each word was while as many streams were open at all times, in milliseconds."""
    words = SUSTAINED_WORDS
    reply_s = (SUSTAINED_FIRST_WORD_MS + words * word_ms) / 1000

    async def replies(front: Front, number: int) -> list[Seen]:
        # The streams begin one after another, as customers do.
        await asyncio.sleep(number * reply_s / streams)
        await watch(front, words)
        return [await watch(front, words) for _ in range(SUSTAINED_REPLIES - 1)]

    async with (
        clock_model(folder, words, word_ms, SUSTAINED_FIRST_WORD_MS) as url,
        open_front(folder / "sustained", url) as front,
    ):
        await front.connected()
        await watch(front, words)
        seen = await asyncio.gather(*(replies(front, number) for number in range(streams)))
    return sorted(late for stream in seen for each in stream for late in each.lateness())


async def lateness(folder: Path, streams: int, word_ms: float, rounds: int) -> list[list[float]]:
    """Return how late each word was when all streams are written at the same time, in milliseconds, for each round."""
    first_word_ms = streams * FIRST_WORD_MS_A_STREAM
    async with clock_model(folder, WORDS, word_ms, first_word_ms) as url, open_front(folder / "mesh", url) as front:
        await front.connected()
        await watch(front, WORDS)
        found = list[list[float]]()
        for _ in range(rounds):
            seen = await asyncio.gather(*(watch(front, WORDS) for _ in range(streams)))
            found.append(sorted(late for each in seen for late in each.lateness()))
    return found


async def watch(front: Front, words: int) -> "Seen":
    """Send a message whose reply has so many words, and return what came.

    It is searched for words at the end, because a client that reads it as it comes would make other words late.
    """
    url, chunks = f"{front.gateway.url}/v1/sessions/{new_session()}/messages", list[tuple[int, bytes]]()
    async with front.http.post(url, headers=front.headers, json={"text": "hello"}) as response:
        response.raise_for_status()
        async for chunk in response.content.iter_any():
            chunks.append((time.monotonic_ns(), chunk))
    return Seen(chunks, words)


@dataclass(frozen=True)
class Seen:
    """What came of one stream, each part with its time, and how many words were sent."""

    chunks: list[tuple[int, bytes]]
    words: int

    def lateness(self) -> list[float]:
        """Return how late each word was, in milliseconds. Raises RuntimeError if a word is missing."""
        late: dict[bytes, float] = {}
        rest, answered = b"", b""
        for at, chunk in self.chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    answered = line
                    for word in WORD.findall(text_of(line)):
                        late.setdefault(word, (at - int(word)) / NS_PER_MS)
        if len(late) != self.words or min(late.values()) < 0:
            raise RuntimeError(f"A viewer has seen {len(late)} words of {self.words}: {answered.decode()}")
        return list(late.values())


def text_of(line: bytes) -> bytes:
    """Return the text of an event. That of a delta is cut out: reading its JSON would take time from the streams."""
    if line.startswith(DELTA):
        return line.rpartition(b'"text":"')[2]
    return str(json.loads(line.removeprefix(b"data: ")).get("text", "")).encode()


async def turns_per_second(front: Front) -> float:
    """Return how many turns the mesh finishes in a second, for SESSIONS customers."""

    async def converse() -> None:
        own = new_session()
        for _ in range(TURNS):
            reply = await front.client.send(own, QUESTION)
            if reply.failed:
                raise RuntimeError(f"The mesh did not answer: {reply.text}")

    began = time.monotonic()
    await asyncio.gather(*(converse() for _ in range(SESSIONS)))
    return SESSIONS * TURNS / (time.monotonic() - began)


@asynccontextmanager
async def idle_viewers(front: Front, sessions: Sequence[str]) -> AsyncIterator[None]:
    """Watch sessions in which nothing happens."""

    async def follow(session: str) -> None:
        url = f"{front.gateway.url}/v1/sessions/{session}/events"
        async with front.http.get(url, headers=front.headers) as response:
            response.raise_for_status()
            async for _ in response.content.iter_any():
                pass

    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(follow(session)) for session in sessions]
        stack.callback(lambda: [task.cancel() for task in tasks])
        while await front.viewers() < len(sessions):
            assert not any(task.done() for task in tasks), "a viewer's stream has ended"
            await asyncio.sleep(0.1)
        yield
        assert not any(task.done() for task in tasks), "a viewer's stream has ended"
    while await front.viewers():
        await asyncio.sleep(0.1)


@asynccontextmanager
async def no_viewers() -> AsyncIterator[None]:
    yield


async def speed_ratio(front: Front, sessions: Sequence[str], viewers_first: bool) -> float:
    """Return the turns per second while these sessions are watched, to those without viewers."""
    speed: dict[bool, float] = {}
    for viewers in (viewers_first, not viewers_first):
        async with idle_viewers(front, sessions) if viewers else no_viewers():
            speed[viewers] = await turns_per_second(front)
    return speed[True] / speed[False]


async def bytes_per_turn(front: Front, streamed: bool = False, watched: bool = False) -> float:
    """Return the bytes that one turn writes to Restate's log: with its events as the answer, or watched by a viewer."""
    own = new_session()
    await front.client.send(own, QUESTION)
    async with idle_viewers(front, [own]) if watched else no_viewers():
        await asyncio.sleep(QUIET_AFTER.total_seconds())
        before = await front.logged_bytes()
        for _ in range(TURNS):
            if streamed:
                _ = [event async for event in front.client.stream(own, QUESTION) if isinstance(event, Replied)]
            else:
                await front.client.send(own, QUESTION)
        await asyncio.sleep(QUIET_AFTER.total_seconds())
        return (await front.logged_bytes() - before) / TURNS


@dataclass(frozen=True)
class Ratios:
    """One figure of each round, with viewers to without them, and the limit of the middle one."""

    name: str
    found: list[float]
    limit: str
    met: bool

    def __str__(self) -> str:
        middle = statistics.median(self.found)
        spread = f"{min(self.found):.3f} to {max(self.found):.3f}, {len(self.found)} rounds"
        return row(self.name, f"{middle:.3f}x ({spread})", self.limit, self.met)


def at_least(name: str, found: list[float], least: float) -> Ratios:
    return Ratios(name, found, f"at least {least}x", statistics.median(found) >= least)


def at_most(name: str, found: list[float], most: float) -> Ratios:
    return Ratios(name, found, f"at most {most}x", statistics.median(found) <= most)


def row(name: str, found: str, limit: str, met: bool) -> str:
    return f"| {name} | {found} | {limit} | {'met' if met else 'NOT MET'} |"


async def costs(folder: Path, streams: int, rounds: int) -> list[Ratios]:
    """Return what viewers cost."""
    speed, streamed, watched = list[float](), list[float](), list[float]()
    async with open_front(folder) as front:
        sessions = [new_session() for _ in range(streams)]
        for session in sessions:
            await front.client.send(session, "hello")
        await turns_per_second(front)  # Warms the mesh up.
        for number in range(rounds):
            speed.append(await speed_ratio(front, sessions, viewers_first=number % 2 == 0))
        for _ in range(min(rounds, BYTE_ROUNDS)):
            plain = await bytes_per_turn(front)
            streamed.append(await bytes_per_turn(front, streamed=True) / plain)
            watched.append(await bytes_per_turn(front, watched=True) / plain)
    return [
        at_least(f"turns/s with {streams} idle viewers, to none", speed, SPEED_MIN),
        at_most("bytes logged per turn, with events as the answer to without", streamed, BYTES_MAX),
        at_most("bytes logged per turn, with a viewer to without", watched, BYTES_MAX),
    ]


def percentile(late: Sequence[float], percent: int) -> float:
    return late[len(late) * percent // 100]


def late_row(streams: int, word_ms: float, rounds: list[list[float]]) -> str:
    """Return the row of words that were late by so many milliseconds, sorted, in each round."""
    p50 = statistics.median(percentile(late, 50) for late in rounds)
    all_p99 = [percentile(late, 99) for late in rounds]
    p99 = statistics.median(all_p99)
    what = f"{streams} streams at once, a word every {word_ms:g} ms in each: from the model to the viewer"
    found = f"p50 {p50:.1f} ms, p99 {p99:.0f} ms ({min(all_p99):.0f} to {max(all_p99):.0f} ms, {len(rounds)} rounds)"
    return row(what, found, f"p99 at most {LATE_MAX_MS} ms", p99 <= LATE_MAX_MS)


def sustained_row(streams: int, word_ms: float, late: list[float]) -> str:
    turns = 1000 * streams / (SUSTAINED_FIRST_WORD_MS + SUSTAINED_WORDS * word_ms)
    what = f"the same with {streams} streams at all times, of which {turns:.1f} end in a second"
    p99 = percentile(late, 99)
    found = f"p50 {percentile(late, 50):.1f} ms, p99 {p99:.0f} ms"
    return row(what, found, f"p99 at most {LATE_MAX_MS} ms", p99 <= LATE_MAX_MS)


async def measure(streams: int, parts: str, rounds: int, word_ms: float) -> None:
    print("| what | found | limit | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as temporary:
        folder = Path(temporary)
        if parts in ("all", "lateness"):
            print(late_row(streams, word_ms, await lateness(folder, streams, word_ms, LATE_ROUNDS)), flush=True)
        if parts in ("all", "sustained"):
            print(sustained_row(streams, word_ms, await sustained(folder, streams, word_ms)), flush=True)
        if parts in ("all", "costs"):
            for ratios in await costs(folder / "costs", streams, rounds):
                print(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--only", choices=("all", "lateness", "sustained", "costs"), default="all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of the costs; default {ROUNDS}")
    parser.add_argument("--word-ms", type=float, default=WORD_MS, help=f"ms between two words; default {WORD_MS}")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(given.streams, given.only, given.rounds, given.word_ms))


if __name__ == "__main__":
    main()
