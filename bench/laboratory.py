"""Starts all systems on one machine, with one model for all of them, and stops them at the end."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp

from bench.postgres import create_database, create_server, dsn
from bench.programs import Program, Store
from bench.stores import Log, PostgresLog, RestateLog
from bench.systems import COLLECTOR_DOWN, TRACED, Ours, Peer, System
from bench.temporal import ADDRESS, create_dev_server
from bench.work import EFFECTS
from bench.workload import script
from services.project import reference
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh, demo_model_environment
from switchboard.local.observe import TracePorts, TracingProcesses, reason_tracing_is_off
from switchboard.local.process import Process, StartFailed, free_ports
from switchboard.testing import JSON, ScriptedModel
from switchboard.testing.laboratory import HIGH_LIMITS

ANSWER_TIMEOUT = timedelta(minutes=2)
SESSIONS_SERVICE = "triage"
"""The process of the reference mesh that serves the sessions."""

DATABASE_URL = "DATABASE_URL"
WORKER = "BENCH_WORKER"
"""Environment variable with the number of a peer's process. DBOS recovers the work of the process with its own id."""


@dataclass(frozen=True)
class Laboratory:
    """All systems. They run at the same time, but only the measured one gets requests."""

    ours: Ours
    traced: tuple[Ours, ...]
    peers: tuple[Peer, ...]
    http: aiohttp.ClientSession
    model_url: str
    effects: Path

    @property
    def systems(self) -> tuple[System, ...]:
        return (self.ours, *self.traced, *self.peers)

    async def set_model_latency(self, milliseconds: int) -> None:
        """Set the latency of all further model calls."""
        await self._model("PUT", "latency", {"ms": milliseconds})

    async def plays(self, *scenes: JSON) -> None:
        """Answer from these scenes, and forget all requests."""
        await ScriptedModel(self.model_url, self.http).plays(*scenes)
        await self._model("DELETE", "requests")

    async def model_requests(self) -> list[JSON]:
        """Return the latest requests to the model, with their bodies."""
        requests: list[JSON] = (await self._model("GET", "requests?full=1"))["requests"]
        return requests

    async def _model(self, method: str, path: str, body: JSON | None = None) -> JSON:
        async with self.http.request(method, f"{self.model_url}/demo/{path}", json=body) as response:
            response.raise_for_status()
            answer: JSON = await response.json()
            return answer


@asynccontextmanager
async def laboratory(
    folder: Path, programs: Sequence[Program], traced: bool = False, services: Sequence[str] | None = None
) -> AsyncIterator[Laboratory]:
    """Start all systems, and stop them at the end, also after an error. Raises StartFailed.

    `services` are those of the reference mesh that run; by default all.
    """
    effects = folder / "effects"
    effects.touch()
    environment = {**HIGH_LIMITS, EFFECTS: str(effects)}
    addresses = Addresses.free(reference().definition)
    mesh = Mesh(reference(), folder / "mesh", addresses, environment=environment, services=services)
    # aiohttp's default allows only 100 concurrent connections.
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT.total_seconds())
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        await stack.enter_async_context(mesh)
        own = await start_bench_services(stack, mesh)
        model_url = mesh.addresses.service_url(DEMO_MODEL)
        more = await traced_meshes(stack, folder, model_url, http) if traced else ()
        stores = Stores(stack, folder, mesh, own[0], http)
        peers = [peer for program in programs if (peer := await stores.start_or_skip(program)) is not None]
        lab = Laboratory(measured(mesh, own, http), more, tuple(peers), http, model_url, effects)
        await lab.plays(*script())
        yield lab


def measured(mesh: Mesh, own: Sequence[Process], http: aiohttp.ClientSession) -> Ours:
    """Return a running mesh as a system. Services without work cost nothing and are left out."""
    workers = [mesh.services[SESSIONS_SERVICE], *own]
    return Ours(mesh, http, [mesh.restate, mesh.proxy, *workers], workers, restate_log(mesh, http))


def restate_log(mesh: Mesh, http: aiohttp.ClientSession) -> Log:
    return RestateLog(f"http://127.0.0.1:{mesh.addresses.restate.node}", http)


async def start_bench_services(stack: AsyncExitStack, mesh: Mesh) -> list[Process]:
    """Start and register the benchmark's tools and agent in a mesh."""
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
    model = demo_model_environment(model_url)
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
        found.append(replace(measured(mesh, own, http), name=name))
    return tuple(found)


class Stores:
    """Starts peers and what they store their work in. Each store is started once, for the first peer that needs it."""

    def __init__(
        self, stack: AsyncExitStack, folder: Path, mesh: Mesh, tools: Process, http: aiohttp.ClientSession
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._mesh = mesh
        self._tools = tools
        self._http = http
        self._postgres: Process | None = None
        self._temporal: Process | None = None

    async def start_or_skip(self, program: Program) -> Peer | None:
        """Start the peer's processes. One that does not start is reported and left out, and the others are measured."""
        try:
            return await self.start_peer(program)
        except StartFailed as error:
            sys.stderr.write(f"{program.name} is skipped: {error}\n")
            return None

    async def start_peer(self, program: Program) -> Peer:
        """Start the peer's processes. Raises StartFailed."""
        store = await self._start_store(program)
        workers = []
        for number, part in enumerate([*program.parts] * program.workers):
            process = self._process(program, part, number)
            # One after another: DBOS creates its indexes concurrently, which never ends while another worker waits.
            await start(self._stack, process)
            workers.append(process)
        urls = [f"http://127.0.0.1:{process.port}/sessions/{{}}" for process in workers]
        if program.store is Store.RESTATE:
            for process in workers:
                await self._mesh.register(f"http://127.0.0.1:{process.port}")
            urls = [f"{self._mesh.addresses.ingress_url}/{program.restate_object}/{{}}/send"]
            workers += [self._tools] if program.shares_our_tools else []
        return Peer(program.name, self._http, urls, [*workers, *store], workers, self._log(program))

    def _process(self, program: Program, part: str, number: int) -> Process:
        (port,) = free_ports(1)
        process = self._mesh.service(f"{program.name}-{part or number}".replace(" ", "-"), port, program.module)
        process.command = [str(program.python), "-m", program.module, *([part] if part else [])]
        process.environment = {**process.environment, **self._addresses(program), WORKER: str(number)}
        return process

    def _addresses(self, program: Program) -> dict[str, str]:
        if program.store is Store.POSTGRES:
            assert self._postgres is not None
            return {DATABASE_URL: dsn(self._postgres.port, database_of(program))}
        if program.store is Store.TEMPORAL:
            assert self._temporal is not None
            return {ADDRESS: f"127.0.0.1:{self._temporal.port}"}
        return {}

    async def _start_store(self, program: Program) -> list[Process]:
        """Return the processes of the peer's store, which a crash of the peer's workers leaves alone."""
        if program.store is Store.POSTGRES:
            if self._postgres is None:
                self._postgres = create_server(self._folder / "postgres", free_ports(1)[0])
                await start(self._stack, self._postgres)
            await create_database(self._postgres.port, database_of(program))
            return [self._postgres]
        if program.store is Store.TEMPORAL:
            if self._temporal is None:
                self._temporal = create_dev_server(self._folder / "temporal")
                await start(self._stack, self._temporal)
            return [self._temporal]
        return [self._mesh.restate, self._mesh.proxy] if program.store is Store.RESTATE else []

    def _log(self, program: Program) -> Log | None:
        if program.store is Store.POSTGRES:
            assert self._postgres is not None
            return PostgresLog(dsn(self._postgres.port))
        return restate_log(self._mesh, self._http) if program.store is Store.RESTATE else None


def database_of(program: Program) -> str:
    return program.module.rpartition(".")[2]


async def start(stack: AsyncExitStack, process: Process) -> None:
    stack.push_async_callback(process.stop)
    await process.start()
