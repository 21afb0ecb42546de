"""Event streams: how late a word is, and what viewers cost. `python -m bench.streams` prints the table.

The words of the model are the times at which it sent them, on the clock of this machine, so each viewer knows how late
each word is. Every word of every stream counts once: when it is first shown, also if that is with the whole reply.
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
TURNS = 4
ROUNDS = 9
WORDS, WORD_MS = 100, 40
"""A model writes about 25 words a second."""

GATEWAY_LIMITS = {
    "GATEWAY_CUSTOMER_REQUESTS_MAX": "10000",
    "GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": "0",
    "GATEWAY_ADDRESS_CONNECTIONS_MAX": "10000",
    "GATEWAY_CUSTOMER_VIEWERS_MAX": "10000",
}
TOKEN_HOURS = 1
NS_PER_MS = 1_000_000
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
async def clock_model(folder: Path, word_ms: float) -> AsyncIterator[str]:
    """Start the model whose words are times, and yield its URL."""
    (port,) = free_ports(1)
    model = Process(
        name="clock_model",
        command=[sys.executable, "-m", "bench.clock_model"],
        environment={"PORT": str(port), "CLOCK_WORDS": str(WORDS), "CLOCK_WORD_MS": str(word_ms)},
        port=port,
        health=f"http://127.0.0.1:{port}/health",
        log=folder / "clock.log",
    )
    await model.start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await model.stop()


async def lateness(folder: Path, streams: int, word_ms: float) -> list[float]:
    """Return how late each word of all streams was, in milliseconds."""
    async with clock_model(folder, word_ms) as url, open_front(folder / "mesh", url) as front:
        await watch(front)
        seen = await asyncio.gather(*(watch(front) for _ in range(streams)))
    return sorted(late for words in seen for late in words)


async def watch(front: Front) -> list[float]:
    """Send a message, and return how late each word of its reply was. Raises RuntimeError if a word is missing.

    The stream is searched for words as it comes, because a client that reads each event would make other words late.
    """
    late: dict[bytes, float] = {}
    url, rest, answered = f"{front.gateway.url}/v1/sessions/{new_session()}/messages", b"", b""
    async with front.http.post(url, headers=front.headers, json={"text": "hello"}) as response:
        response.raise_for_status()
        async for chunk in response.content.iter_any():
            now = time.monotonic_ns()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    answered = line
                    for word in WORD.findall(json.loads(line[6:]).get("text", "").encode()):
                        late.setdefault(word, (now - int(word)) / NS_PER_MS)
    if len(late) != WORDS or min(late.values()) < 0:
        raise RuntimeError(f"A viewer has seen {len(late)} words of {WORDS}: {answered.decode()}")
    return list(late.values())


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


async def bytes_per_turn(front: Front, watched: bool) -> float:
    """Return the bytes that one turn writes to Restate's log, with or without a viewer of its events."""
    own = new_session()
    await front.client.send(own, QUESTION)
    await asyncio.sleep(QUIET_AFTER.total_seconds())
    before = await front.logged_bytes()
    for _ in range(TURNS):
        if watched:
            _ = [event async for event in front.client.stream(own, QUESTION) if isinstance(event, Replied)]
        else:
            await front.client.send(own, QUESTION)
    await asyncio.sleep(QUIET_AFTER.total_seconds())
    return (await front.logged_bytes() - before) / TURNS


async def costs(folder: Path, streams: int, rounds: int) -> dict[str, list[float]]:
    """Return what viewers cost, as ratios of each round: with them to without them."""
    speed, size = [], []
    async with open_front(folder) as front:
        sessions = [new_session() for _ in range(streams)]
        for session in sessions:
            await front.client.send(session, "hello")
        await turns_per_second(front)  # Warms the mesh up.
        for number in range(rounds):
            results: dict[bool, float] = {}
            logged: dict[bool, float] = {}
            for viewers in (False, True) if number % 2 else (True, False):
                if viewers:
                    async with idle_viewers(front, sessions):
                        results[viewers] = await turns_per_second(front)
                else:
                    results[viewers] = await turns_per_second(front)
                logged[viewers] = await bytes_per_turn(front, watched=viewers)
            speed.append(results[True] / results[False])
            size.append(logged[True] / logged[False])
    return {
        f"turns/s with {streams} idle viewers, to none": speed,
        "bytes logged per turn, watched to not watched": size,
    }


async def measure(streams: int, parts: str, rounds: int, word_ms: float) -> None:
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        if parts in ("all", "lateness"):
            late = await lateness(Path(folder), streams, word_ms)
            p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
            what = f"{len(late)} words of {streams} streams, one every {word_ms:g} ms, from the model to the viewer"
            print(f"| {what} | p50 {p50:.1f} ms, p99 {p99:.1f} ms |")
        if parts in ("all", "costs"):
            for name, ratios in (await costs(Path(folder) / "costs", streams, rounds)).items():
                middle = statistics.median(ratios)
                print(f"| {name} | {middle:.3f}x ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} rounds) |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--only", choices=("all", "lateness", "costs"), default="all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of the costs; default {ROUNDS}")
    parser.add_argument("--word-ms", type=float, default=WORD_MS, help=f"ms between two words; default {WORD_MS}")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(given.streams, given.only, given.rounds, given.word_ms))


if __name__ == "__main__":
    main()
