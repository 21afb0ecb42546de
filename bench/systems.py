"""The systems under test: processes that are called over HTTP and share one model. All are stopped at the end."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import aiohttp

from bench.workload import script
from services.project import reference
from switchboard.agent import HANDOFF_PREFIX
from switchboard.local.mesh import DEMO_MODEL, DEMO_MODEL_NAME, Addresses, Mesh
from switchboard.local.observe import TracePorts, TracingProcesses, reason_tracing_is_off
from switchboard.local.process import Process, free_ports
from switchboard.testing import JSON, Customer, ScriptedModel
from switchboard.testing.laboratory import HIGH_LIMITS

ANSWER_TIMEOUT = timedelta(minutes=2)
TRANSCRIPT_PAGE_TURNS = 50
LOGGED_BYTES = "restate_log_server_store_bytes_total"

OURS, BARE, AGENTS, DURABLE = "ours", "bare", "openai-agents", "restate.ext.openai"
TRACED, COLLECTOR_DOWN = "ours, traced", "ours, traced, collector down"
"""The mesh with tracing on. The collector's CPU time is not counted for any system."""


class WrongAnswer(Exception):
    """A system did not do the work, so its figures would be meaningless."""


class System(Protocol):
    """One way to run an agent. `results` returns the number of successful tool results of each turn, in order.

    `pids` returns all processes that do the work, by name, without the model and the load generator.
    """

    name: str

    async def send(self, session: str, text: str) -> str: ...

    async def results(self, session: str) -> list[int]: ...

    def pids(self) -> dict[str, int]: ...


@dataclass
class Ours:
    """The whole mesh: ingress, session, agent, tools."""

    mesh: Mesh
    http: aiohttp.ClientSession
    processes: Sequence[Process]
    name: str = OURS

    def _customer(self, session: str) -> Customer:
        return Customer(self.mesh.addresses.ingress_url, self.http, session=session, speaker=self.mesh.speaker)

    async def send(self, session: str, text: str) -> str:
        return (await self._customer(session).says(text)).text

    async def results(self, session: str) -> list[int]:
        customer = self._customer(session)
        turns: list[JSON] = []
        total = 1
        while len(turns) < total:
            page = (await customer.asks("transcript", after=len(turns), limit=TRANSCRIPT_PAGE_TURNS)).body
            turns, total = turns + page["turns"], page["turns_total"]
        return [successful_results(turn["messages"]) for turn in turns]

    def pids(self) -> dict[str, int]:
        return {process.name: process.pid for process in self.processes}

    async def logged_bytes(self) -> float:
        """Return the number of bytes that Restate has written to its log so far."""
        url = f"http://127.0.0.1:{self.mesh.addresses.restate.node}/metrics"
        async with self.http.get(url) as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{LOGGED_BYTES}{{"))


def successful_results(messages: Sequence[JSON]) -> int:
    """Return the number of successful tool results of a turn, without the result of a hand-off."""
    requested = [call for message in messages if message["kind"] == "model" for call in message["calls"]]
    tools = {call["call_id"] for call in requested if not call["tool"].startswith(HANDOFF_PREFIX)}
    return sum(message["kind"] == "tool" and message["ok"] and message["call_id"] in tools for message in messages)


@dataclass
class Peer:
    """A process that accepts `{"text": …}` at `url`, in which `{}` is replaced by the session."""

    name: str
    http: aiohttp.ClientSession
    url: str
    processes: Sequence[Process]
    _results: dict[str, list[int]] = field(default_factory=dict)

    async def send(self, session: str, text: str) -> str:
        async with self.http.post(self.url.format(session), json={"text": text}) as response:
            if response.status != 200:
                raise WrongAnswer(f"{self.name}: HTTP {response.status}: {await response.text()}")
            done = await response.json()
        self._results.setdefault(session, []).append(done["results"])
        return str(done["text"])

    async def results(self, session: str) -> list[int]:
        return self._results[session]

    def pids(self) -> dict[str, int]:
        return {process.name: process.pid for process in self.processes}


@dataclass(frozen=True)
class PeerProgram:
    """A module to run, and the interpreter that has its packages.

    `restate_object` is the virtual object that it serves if Restate calls it; it then shares our tools.
    """

    name: str
    module: str
    python: str
    restate_object: str = ""


def peer_programs(peer_python: Path, more: bool) -> list[PeerProgram]:
    """Return the peers that are always measured and, with `more`, the durable one, which takes much longer."""
    durable = PeerProgram(DURABLE, "bench.peers.restate_openai", str(peer_python), restate_object="DurableBench")
    return [
        PeerProgram(BARE, "bench.peers.bare", sys.executable),
        PeerProgram(AGENTS, "bench.peers.openai_agents", str(peer_python)),
        *([durable] if more else []),
    ]


@dataclass(frozen=True)
class Laboratory:
    """All systems. They run at the same time, but only the measured one gets requests."""

    ours: Ours
    traced: tuple[Ours, ...]
    peers: tuple[Peer, ...]
    http: aiohttp.ClientSession
    model_url: str

    @property
    def systems(self) -> tuple[System, ...]:
        return (self.ours, *self.traced, *self.peers)

    async def set_model_latency(self, milliseconds: int) -> None:
        """Set the latency of all further model calls."""
        url = f"{self.model_url}/demo/latency"
        async with self.http.put(url, json={"ms": milliseconds}) as response:
            response.raise_for_status()


@asynccontextmanager
async def laboratory(folder: Path, programs: Sequence[PeerProgram]) -> AsyncIterator[Laboratory]:
    """Start all systems, and stop them at the end, also after an error. Raises StartFailed."""
    mesh = Mesh(reference(), folder, Addresses.free(reference().definition), environment=HIGH_LIMITS)
    # aiohttp's default allows only 100 concurrent connections.
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT.total_seconds())
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        await stack.enter_async_context(mesh)
        own = await start_bench_services(stack, mesh)
        model_url = mesh.addresses.service_url(DEMO_MODEL)
        traced = await traced_meshes(stack, folder, model_url, http)
        ports = iter(free_ports(len(programs)))
        peers = []
        for program in programs:
            process = mesh.service(program.name, next(ports), program.module)
            process.command = [program.python, "-m", program.module]
            await start(stack, process)
            peers.append(await peer(program, process, mesh, own[0], http))
        await ScriptedModel(model_url, http).plays(*script())
        yield Laboratory(Ours(mesh, http, under_test(mesh, own)), traced, tuple(peers), http, model_url)


def under_test(mesh: Mesh, own: Sequence[Process]) -> list[Process]:
    return [process for process in (mesh.restate, *mesh.services.values(), *own) if process.name != DEMO_MODEL]


async def start_bench_services(stack: AsyncExitStack, mesh: Mesh) -> list[Process]:
    """Start and register the benchmark's agent and tools in a mesh."""
    ports = iter(free_ports(2))
    own = [mesh.service(f"bench_{part}", next(ports), f"bench.ours.{part}") for part in ("tools", "agent")]
    for process in own:
        await start(stack, process)
        await mesh.register(f"http://127.0.0.1:{process.port}")
    return own


async def traced_meshes(
    stack: AsyncExitStack, folder: Path, model_url: str, http: aiohttp.ClientSession
) -> tuple[Ours, ...]:
    """Start two more meshes with tracing: with a collector, if it is installed, and with one that is down."""
    collector_down = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}"}
    restate_collector_down = {"RESTATE_TRACING_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}"}
    model = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{model_url}/v1", "SWITCHBOARD_MODEL": DEMO_MODEL_NAME}
    tracing = None if reason_tracing_is_off({}) else TracingProcesses(folder / "observe", TracePorts.free())
    meshes = {
        COLLECTOR_DOWN: Mesh(
            reference(),
            folder / "away",
            Addresses.free(reference().definition),
            model,
            {**HIGH_LIMITS, **collector_down},
            restate_collector_down,
        )
    }
    if tracing is not None:
        meshes[TRACED] = Mesh(
            reference(), folder / "traced", Addresses.free(reference().definition), model, HIGH_LIMITS, tracing=tracing
        )
    found = []
    for name, mesh in meshes.items():
        await stack.enter_async_context(mesh)
        own = await start_bench_services(stack, mesh)
        found.append(Ours(mesh, http, under_test(mesh, own), name))
    return tuple(found)


async def peer(program: PeerProgram, process: Process, mesh: Mesh, tools: Process, http: aiohttp.ClientSession) -> Peer:
    """Return a running peer, which is called through its own HTTP server or through Restate."""
    address = f"http://127.0.0.1:{process.port}"
    if not program.restate_object:
        return Peer(program.name, http, f"{address}/sessions/{{}}", [process])
    await mesh.register(address)
    url = f"{mesh.addresses.ingress_url}/{program.restate_object}/{{}}/send"
    return Peer(program.name, http, url, [process, tools, mesh.restate])


async def start(stack: AsyncExitStack, process: Process) -> None:
    stack.push_async_callback(process.stop)
    await process.start()
