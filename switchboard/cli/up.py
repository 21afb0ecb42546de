"""Keeps a mesh on this machine in the foreground, until Ctrl-C or until one of its parts ends."""

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from switchboard.cli.console import err, note, out
from switchboard.local.gateway import GatewayPorts
from switchboard.local.listeners import in_use, who_listens
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.observe import Observe, TracePorts, observe_or_say
from switchboard.local.problem import Problem
from switchboard.local.process import Process, StartFailed
from switchboard.local.restate_server import Ports
from switchboard.runtime.mesh_file import MeshDefinition, MeshProject

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

KEPT = ("restate", "logs", "observe")
"""What a mesh keeps in its folder, and all that --fresh removes: the folder may hold other things."""

MODEL_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "SWITCHBOARD_MODEL", "SWITCHBOARD_FALLBACK_MODELS")
KEY = MODEL_VARIABLES[0]

RULES_ANSWER = "No OPENAI_API_KEY is set: answers come from RULES, not from a language model."


@dataclass(frozen=True)
class PortChoice:
    """Ports of the command line. With `service_base` the services get consecutive ports instead of mesh.toml's."""

    ingress: int
    admin: int
    node: int
    service_base: int | None = None
    gateway: GatewayPorts = field(default_factory=GatewayPorts)

    def addresses(self, definition: MeshDefinition) -> Addresses:
        usual = Addresses.usual(definition)
        restate = Ports(self.ingress, self.admin, self.node)
        if self.service_base is None:
            return replace(usual, restate=restate)
        services = {name: self.service_base + index for index, name in enumerate(definition.services)}
        return Addresses({**services, DEMO_MODEL: self.service_base + DEMO_MODEL_OFFSET}, restate)


DEMO_MODEL_OFFSET = 18
"""The demo model's port after the first service's, where --service-port-base is given."""

DEFAULT_PORTS = Ports()


def model_of(environment: Mapping[str, str]) -> dict[str, str] | None:
    """The variables of a real model; None when there is no key, and the demo model answers."""
    if not environment.get(KEY):
        return None
    return {name: environment[name] for name in MODEL_VARIABLES if environment.get(name)}


def up(project: MeshProject, folder: Path, fresh: bool, ports: PortChoice, observed: bool = False) -> None:
    """Run a mesh until a signal asks it to end, observed if that is wanted and can be. Raises Problem; then nothing is
    left running.
    """
    with only_one(folder):
        if fresh:
            for name in KEPT:
                shutil.rmtree(folder / name, ignore_errors=True)
        try:
            asyncio.run(run(project, folder, ports, observed))
        except StartFailed as failure:
            raise Problem(str(failure)) from failure


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder. The lock goes with the process, however that ends, so no stale one is ever in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise Problem(f"Cannot write to {folder} ({error.strerror}); choose another with --folder.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Problem(
                f"Another `switchboard up` (pid {lock.read().strip() or 'unknown'}) uses the folder {folder}; "
                "stop it, or choose another folder with --folder and other ports."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def refuse_taken_ports(addresses: Addresses, gateway: GatewayPorts, with_demo_model: bool) -> None:
    """Name every port that is taken, by whom, and the option that chooses another."""
    restate = addresses.restate
    wanted = [
        (restate.ingress, "Restate's ingress", "--ingress-port"),
        (restate.admin, "Restate's admin API and UI", "--admin-port"),
        (restate.node, "Restate's node", "--node-port"),
        (gateway.http, "the gateway", "--gateway-port"),
        (gateway.metrics, "the gateway's metrics", "--gateway-metrics-port"),
    ]
    services = [name for name in addresses.services if name != DEMO_MODEL or with_demo_model]
    wanted += [(addresses.services[name], f"the service {name}", "--service-port-base") for name in services]
    taken = []
    for port, what, option in wanted:
        if in_use(port):
            by = who_listens(port)
            taken.append(f"{port} (wanted by {what}{f', held by {by}' if by else ''}; choose another with {option})")
    if taken:
        raise Problem(f"In use: port {'; port '.join(taken)}. Or stop what uses it: is a mesh running already?")


async def run(project: MeshProject, folder: Path, ports: PortChoice, observed: bool) -> None:
    addresses = ports.addresses(project.definition)
    asked_to_stop = asyncio.Event()
    for signum in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, asked_to_stop.set)
    model = model_of(os.environ)
    refuse_taken_ports(addresses, ports.gateway, with_demo_model=model is None)
    # A fallback that the shell still names is none of the demo model's.
    environment = {} if model else {"SWITCHBOARD_FALLBACK_MODELS": ""}
    observe, off = observe_or_say(folder, TracePorts.usual()) if observed else (None, "")
    mesh = Mesh(project, folder, addresses, model, environment, observe=observe, gateway=ports.gateway)
    stop = asyncio.create_task(asked_to_stop.wait())
    try:
        if await started(mesh, stop):
            show(mesh, model, off)
            await until_stopped(mesh, stop)
    finally:
        if any(process.alive for process in mesh.processes):
            note("Stopping …")  # Services get some seconds to finish their work.
        stop.cancel()
        await mesh.stop()


async def started(mesh: Mesh, stop: "asyncio.Task[bool]") -> bool:
    """Start the mesh; False when a signal came first. Raises StartFailed."""
    start = asyncio.create_task(mesh.start())
    with err.status("Starting the mesh …"):
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        with suppress(asyncio.CancelledError, StartFailed):
            await start
        return False
    start.result()
    return True


async def until_stopped(mesh: Mesh, stop: "asyncio.Task[bool]") -> None:
    """Wait for a signal. Raises Problem when a part of the mesh ends by itself; of one that observes it, it tells."""
    watch = asyncio.create_task(mesh.first_to_end())
    watch_tracing = asyncio.create_task(tell_when_tracing_stops(mesh.observe))
    await asyncio.wait({watch, stop}, return_when=asyncio.FIRST_COMPLETED)
    watch_tracing.cancel()
    if watch.done():
        process = watch.result()
        raise Problem(why_ended(process, await process.ended()))
    watch.cancel()


async def tell_when_tracing_stops(observe: Observe | None) -> None:
    """Once, also when the other part of it ends as well."""
    if observe is not None:
        note(await observe.stopped())


def why_ended(process: Process, code: int) -> str:
    return (
        f"{process.name} {process.how_ended(code)}, so the whole mesh was stopped. No conversation is lost: "
        f"`switchboard up` goes on with them. Its last words: {process.last_words()} (all of them: {process.log})"
    )


def show(mesh: Mesh, model: Mapping[str, str] | None, tracing_off: str = "") -> None:
    """Where everything is, and what to do next; `tracing_off` says why there are no traces, where they are wanted."""
    addresses = mesh.addresses
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True, style="dim")
    table.add_row("Restate UI", f"{addresses.admin_url}/ui/", "turns and calls, as they run")
    if mesh.gateway is not None:
        table.add_row("gateway", f"http://127.0.0.1:{mesh.gateway.port}", "`switchboard token` opens it")
    table.add_row("ingress", addresses.ingress_url, "no authentication: keep it private")
    table.add_row("admin", addresses.admin_url, "registry and SQL")
    for name in mesh.names:
        table.add_row(name, addresses.service_url(name), "/metrics /health")
    if model is None:
        table.add_row("model", f"{addresses.service_url(DEMO_MODEL)}/v1", "rules, no language model")
    else:
        table.add_row("model", model.get("OPENAI_BASE_URL", "OpenAI's own"), model.get("SWITCHBOARD_MODEL", ""))
    if mesh.observe is not None:
        table.add_row("collector", f"http://127.0.0.1:{mesh.observe.ports.http}", "takes spans, OTLP over HTTP")
        table.add_row("Jaeger", mesh.observe.jaeger_url or "elsewhere", "every turn as a trace")
    out.print()
    out.print(table)
    out.print()
    if model is None:
        tell(RULES_ANSWER, "bold yellow")
        out.print()
    if tracing_off:
        tell(tracing_off, "bold yellow")
        out.print()
    tell("The mesh is up. In another terminal:")
    for command in commands(addresses, mesh.project.definition.example):
        tell(f"  {command}", "bold")
    out.print()
    tell(f"Ctrl-C ends it. Conversations are kept in {mesh.folder}, logs in {mesh.log('*').parent}.", "dim")


def tell(line: str, style: str = "") -> None:
    """A line that is not broken, so that it can be copied."""
    out.print(Text(line, style=style), soft_wrap=True)


def commands(addresses: Addresses, example: str) -> list[str]:
    """Return two commands to begin with, after the addresses where these are not the default ones."""
    here = f"export RESTATE_INGRESS_URL={addresses.ingress_url} RESTATE_ADMIN_URL={addresses.admin_url}"
    own = [] if addresses.restate == DEFAULT_PORTS else [here]
    return [*own, f'switchboard ask "{example}"', "switchboard chat"]
