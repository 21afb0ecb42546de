"""Event streams: how late a word is, and what viewers cost. `python -m bench.streams` prints the table.

The words of the model are the times at which it sent them, on the clock of this machine, so each viewer knows how late
each word is. What viewers cost is measured in alternation, with and without them, on one mesh.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import uvloop

from bench.stores import RestateLog
from services.project import reference
from switchboard.client import AsyncClient, Delta, Replied
from switchboard.local.gateway import GatewayPorts, local_token
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, free_ports
from switchboard.testing.laboratory import HIGH_LIMITS

STREAMS = 100
SESSIONS = 32
TURNS = 4
ROUNDS = 5
WORDS, WORD_MS = 100, 40
"""A model writes about 25 words a second."""

GATEWAY_LIMITS = {
    "GATEWAY_CUSTOMER_REQUESTS_MAX": "10000",
    "GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": "0",
    "GATEWAY_ADDRESS_CONNECTIONS_MAX": "10000",
    "GATEWAY_CUSTOMER_STREAMS_MAX": "10000",
}
TOKEN_HOURS = 1
NS_PER_MS = 1_000_000


@asynccontextmanager
async def open_mesh(folder: Path, model_url: str = "") -> AsyncIterator[tuple[Mesh, AsyncClient]]:
    """Start a mesh with a gateway, and a client of it. Without `model_url`, the demo model answers."""
    http, metrics = free_ports(2)
    gateway = GatewayPorts(http, metrics)
    model = (
        {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model_url, "SWITCHBOARD_MODEL": "clock"} if model_url else None
    )
    definition = reference().definition
    environment = {**HIGH_LIMITS, **GATEWAY_LIMITS, "SWITCHBOARD_MODEL_CALLS_MAX": str(2 * STREAMS)}
    mesh = Mesh(reference(), folder, Addresses.free(definition), model, environment, gateway=gateway)
    async with mesh:
        token = local_token(mesh.folder, "alice", TOKEN_HOURS, True)
        async with AsyncClient(gateway.url, token) as client:
            yield mesh, client


def session() -> str:
    return f"bench-{uuid4().hex}"


async def lateness(folder: Path, streams: int) -> list[float]:
    """Return how late each word of all streams was, in milliseconds."""
    (port,) = free_ports(1)
    environment = {"PORT": str(port), "CLOCK_WORDS": str(WORDS), "CLOCK_WORD_MS": str(WORD_MS)}
    model = Process(
        name="clock_model",
        command=[sys.executable, "-m", "bench.clock_model"],
        environment=environment,
        port=port,
        health=f"http://127.0.0.1:{port}/health",
        log=folder / "clock.log",
    )
    await model.start()
    try:
        async with open_mesh(folder, f"http://127.0.0.1:{port}/v1") as (_, client):
            await watch(client, [])
            late: list[float] = []
            await asyncio.gather(*(watch(client, late) for _ in range(streams)))
            return late
    finally:
        await model.stop()


async def watch(client: AsyncClient, late: list[float]) -> None:
    """Send a message, and note how late each word is."""
    async for event in client.stream(session(), "hello"):
        if isinstance(event, Delta):
            now = time.monotonic_ns()
            late += [(now - int(word)) / NS_PER_MS for word in event.text.split()]


async def turns_per_second(client: AsyncClient) -> float:
    """Return how many turns the mesh finishes in a second, for SESSIONS customers."""

    async def converse() -> None:
        own = session()
        for _ in range(TURNS):
            reply = await client.send(own, "how much is my balance?")
            if reply.failed:
                raise RuntimeError(f"The mesh did not answer: {reply.text}")

    began = time.monotonic()
    await asyncio.gather(*(converse() for _ in range(SESSIONS)))
    return SESSIONS * TURNS / (time.monotonic() - began)


@asynccontextmanager
async def idle_viewers(client: AsyncClient, count: int) -> AsyncIterator[None]:
    """Watch sessions in which nothing happens."""
    sessions = [session() for _ in range(count)]
    await asyncio.gather(*(client.send(each, "hello") for each in sessions))

    async def follow(own: str) -> None:
        async for _ in client.events(own):
            pass

    async with AsyncExitStack() as stack:
        for own in sessions:
            task = asyncio.create_task(follow(own))
            stack.callback(task.cancel)
        await asyncio.sleep(1)
        yield


async def logged_bytes(mesh: Mesh) -> float:
    """Return the number of bytes that Restate has written to its log so far."""
    async with aiohttp.ClientSession() as http:
        return await RestateLog(f"http://127.0.0.1:{mesh.addresses.restate.node}", http).logged_bytes()


async def bytes_per_turn(mesh: Mesh, client: AsyncClient, watched: bool) -> float:
    """Return the bytes that one turn writes to Restate's log, with or without a viewer of its events."""
    own, before = session(), await logged_bytes(mesh)
    for _ in range(TURNS):
        if watched:
            _ = [event async for event in client.stream(own, "how much is my balance?") if isinstance(event, Replied)]
        else:
            await client.send(own, "how much is my balance?")
    await asyncio.sleep(1)
    return (await logged_bytes(mesh) - before) / TURNS


async def costs(folder: Path) -> dict[str, float]:
    """Return what viewers cost, as ratios: with them to without them."""
    without, with_viewers, unwatched, watched = [], [], [], []
    async with open_mesh(folder) as (mesh, client):
        await turns_per_second(client)
        for _ in range(ROUNDS):
            without.append(await turns_per_second(client))
            async with idle_viewers(client, STREAMS):
                with_viewers.append(await turns_per_second(client))
            unwatched.append(await bytes_per_turn(mesh, client, watched=False))
            watched.append(await bytes_per_turn(mesh, client, watched=True))
    return {
        f"turns/s with {STREAMS} idle viewers, to none": statistics.median(with_viewers) / statistics.median(without),
        "bytes logged per turn, watched to not watched": statistics.median(watched) / statistics.median(unwatched),
    }


async def measure(streams: int, parts: str) -> None:
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        if parts in ("all", "lateness"):
            late = sorted(await lateness(Path(folder) / "lateness", streams))
            p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
            print(f"| words of {streams} streams, from the model to the viewer | p50 {p50:.1f} ms, p99 {p99:.1f} ms |")
        if parts in ("all", "costs"):
            for name, ratio in (await costs(Path(folder) / "costs")).items():
                print(f"| {name} | {ratio:.3f}x |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--only", choices=("all", "lateness", "costs"), default="all")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(given.streams, given.only))


if __name__ == "__main__":
    main()
