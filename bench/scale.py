"""How a mesh grows: replicas, active sessions, idle sessions. `python -m bench.scale` prints a table of each.

One Restate, on one machine. So that replicas and not the machine's cores are the limit, the model is slow and each
process may make few model calls at once.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import uvloop

from bench.load import new_session, play_for
from bench.machine import memory_mb
from bench.stores import RestateLog
from bench.systems import Ours
from bench.work import EFFECTS
from bench.workload import HELLO, TRIAGE, fan_out, script
from services.project import reference
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.process import Process, free_ports
from switchboard.testing import ScriptedModel, says
from switchboard.testing.balancer import balanced
from switchboard.testing.laboratory import HIGH_LIMITS

ANSWER_TIMEOUT = timedelta(minutes=2)

REPLICAS = (1, 2, 4)
REPLICA_SESSIONS = 64
REPLICA_MODEL_CALLS = 8
REPLICA_MODEL_MS = 500
REPLICA_TIME = timedelta(seconds=5)
STREAMS_PER_CONNECTION = (128, 8)
"""Restate's default, and that of the chart mesh-platform."""

STREAMS_SETTING = "RESTATE_WORKER__INVOKER__HTTP2_STREAMS_PER_CONNECTION_LIMIT"

FEW, MANY = 32, 1_000
ACTIVE_TOOLS = 4
ACTIVE_TIME = timedelta(seconds=10)

IDLE = 100_000
AT_ONCE = 64
SAMPLE = 50
QUIET_AFTER = timedelta(seconds=5)
"""After the last message, Restate still writes for a moment."""

BYTES_PER_KB = 1_000
KB_PER_MB = 1_000
GREETING = "Good morning."
SEED = 1

GREETED = {"user": {"matches": GREETING}, "agent": TRIAGE, "steps": [says("Good morning to you.")]}


@dataclass
class Place:
    """A running mesh, the ports of its agent's replicas, and a client."""

    mesh: Mesh
    ours: Ours
    http: aiohttp.ClientSession
    front: int
    replicas: Sequence[Process]

    async def set_model_latency(self, milliseconds: int) -> None:
        url = f"{self.mesh.addresses.service_url(DEMO_MODEL)}/demo/latency"
        async with self.http.put(url, json={"ms": milliseconds}) as response:
            response.raise_for_status()

    @property
    def data_bytes(self) -> int:
        """The size of Restate's data folder."""
        return sum(file.stat().st_size for file in (self.mesh.folder / "restate").rglob("*") if file.is_file())


@asynccontextmanager
async def open_place(
    folder: Path,
    replicas: int = 1,
    environment: Mapping[str, str] | None = None,
    restate: Mapping[str, str] | None = None,
) -> AsyncIterator[Place]:
    """Start a mesh with the bench's tools and replicas of its agent, registered behind one address."""
    mesh = Mesh(
        reference(),
        folder,
        Addresses.free(reference().definition),
        environment={**HIGH_LIMITS, EFFECTS: "/dev/null", **(environment or {})},
        restate_environment=dict(restate or {}),
        services=["triage"],
    )
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT.total_seconds())
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        await stack.enter_async_context(mesh)
        front, tools_port, *ports = free_ports(replicas + 2)
        tools = mesh.service("bench_tools", tools_port, "bench.ours.tools")
        agents = [mesh.service(f"bench_agent_{port}", port, "bench.ours.agent") for port in ports]
        for process in (tools, *agents):
            await process.start()
            stack.push_async_callback(process.stop)
        await mesh.register(f"http://127.0.0.1:{tools_port}")
        async with balanced(front, ports):
            await mesh.register(f"http://127.0.0.1:{front}")
        await ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http).plays(GREETED, *script())
        workers = [mesh.services["triage"], tools, *agents]
        log = RestateLog(f"http://127.0.0.1:{mesh.addresses.restate.node}", http)
        ours = Ours(mesh, http, [mesh.restate, mesh.proxy, *workers], workers, log)
        yield Place(mesh, ours, http, front, agents)


async def replicas(folder: Path) -> None:
    """Print how turns per second grow with the replicas of an agent."""
    print("| invocations per connection | replicas | turns/s | of one replica |\n|---|---|---|---|")
    environment = {"SWITCHBOARD_MODEL_CALLS_MAX": str(REPLICA_MODEL_CALLS)}
    for streams in STREAMS_PER_CONNECTION:
        restate = {STREAMS_SETTING: str(streams)}
        async with open_place(folder / f"streams-{streams}", max(REPLICAS), environment, restate) as place:
            names = [new_session() for _ in range(REPLICA_SESSIONS)]
            ports = [process.port for process in place.replicas]
            async with balanced(place.front, ports):
                await asyncio.gather(*(place.ours.send(name, HELLO.text) for name in names))
            await place.set_model_latency(REPLICA_MODEL_MS)
            found = []
            for number in REPLICAS:
                async with balanced(place.front, ports[:number]):
                    found.append(await turns_per_second(place.ours, names))
                print(f"| {streams} | {number} | {found[-1]:.1f} | {found[-1] / found[0]:.2f}x |", flush=True)


async def turns_per_second(ours: Ours, names: Sequence[str]) -> float:
    """Return the turns per second of these sessions, each with one message after the other."""
    began, turns = time.monotonic(), 0

    async def converse(name: str) -> None:
        nonlocal turns
        while time.monotonic() - began < REPLICA_TIME.total_seconds():
            await ours.send(name, HELLO.text)
            turns += 1

    await asyncio.gather(*map(converse, names))
    return turns / (time.monotonic() - began)


async def active(folder: Path) -> None:
    """Print what many active sessions cost, to few."""
    print(
        "| active sessions | turns/s | CPU ms per turn | slowest turn in 100, s | memory, MB |\n|---|---|---|---|---|"
    )
    async with open_place(folder) as place, balanced(place.front, [place.replicas[0].port]):
        for sessions in (FEW, MANY):
            result = await play_for(place.ours, fan_out(ACTIVE_TOOLS), sessions, ACTIVE_TIME)
            slow = statistics.quantiles(result.latencies_ms, n=100)[-1] / 1000
            memory = memory_mb(place.ours.processes)
            speed, cpu = result.turns / result.seconds, result.cpu_ms / result.turns
            print(f"| {sessions} | {speed:.1f} | {cpu:.1f} | {slow:.1f} | {memory:.0f} |", flush=True)


async def idle(folder: Path, sessions: int) -> None:
    """Print what idle sessions cost, and how long one of them takes to answer, to a session that is alone."""
    async with open_place(folder) as place, balanced(place.front, [place.replicas[0].port]):
        names = [new_session() for _ in range(sessions)]
        await greet(place.ours, names[:AT_ONCE])  # Warms the mesh up.
        alone = await answer_ms(place.ours, names[:AT_ONCE])
        disk, memory = place.data_bytes, memory_by_process(place)
        began = time.monotonic()
        await greet(place.ours, names[AT_ONCE:])
        took = time.monotonic() - began
        await asyncio.sleep(QUIET_AFTER.total_seconds())
        among = await answer_ms(place.ours, names[AT_ONCE:])
        more = sessions - AT_ONCE
        disk_kb = (place.data_bytes - disk) / more / BYTES_PER_KB
        print("| idle sessions | what | found |\n|---|---|---|")
        print(f"| {sessions} | first messages per second | {more / took:.0f} |")
        print(f"| | disk of Restate, with its log | {disk_kb:.1f} KB a session |")
        for name, now in memory_by_process(place).items():
            before = memory[name]
            each = (now - before) / more * KB_PER_MB
            print(f"| | memory of {name} | {before:.0f} MB before, {now:.0f} MB after: {each:.2f} KB a session |")
        ratio = among / alone
        print(f"| | a message in one of them, to one in {AT_ONCE} | {among:.0f} to {alone:.0f} ms: {ratio:.2f}x |")
        began = time.monotonic()
        await place.mesh.restate.kill()
        await place.mesh.restate.start()
        await greet(place.ours, random.Random(SEED).sample(names, 1))
        print(f"| | from a kill of Restate to the next answer | {time.monotonic() - began:.1f} s |")


def memory_by_process(place: Place) -> dict[str, float]:
    shown = (place.mesh.restate, place.mesh.services["triage"])
    return {process.name: memory_mb([process]) for process in shown}


async def greet(ours: Ours, names: Sequence[str]) -> None:
    """Send a message in each session, AT_ONCE at a time."""
    places = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def send(name: str) -> None:
        nonlocal done
        await ours.send(name, GREETING)
        done += 1
        if done % 1_000 == 0:
            sys.stderr.write(f"{done} of {len(names)}\n")
        places.release()

    async with asyncio.TaskGroup() as group:
        for name in names:
            await places.acquire()
            group.create_task(send(name))


async def answer_ms(ours: Ours, names: Sequence[str]) -> float:
    """Return the median time of a message in some of the sessions, one after the other."""
    found = []
    for name in random.Random(SEED).sample(names, min(SAMPLE, len(names))):
        began = time.monotonic()
        await ours.send(name, GREETING)
        found.append((time.monotonic() - began) * 1000)
    return statistics.median(found)


async def measure(parts: Sequence[str], sessions: int) -> None:
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        if "replicas" in parts:
            await replicas(Path(folder) / "replicas")
        if "active" in parts:
            await active(Path(folder) / "active")
        if "idle" in parts:
            await idle(Path(folder) / "idle", sessions)


PARTS = ("replicas", "active", "idle")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--idle", type=int, default=IDLE, help=f"idle sessions; default {IDLE}")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(given.only, given.idle))


if __name__ == "__main__":
    main()
