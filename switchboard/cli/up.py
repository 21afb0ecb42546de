"""Runs a mesh on this machine in the foreground, until Ctrl-C or until one of its processes exits."""

import asyncio
import fcntl
import os
import shlex
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
from switchboard.local.listeners import find_listener, in_use
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.observe import TracePorts, TracingProcesses, tracing_or_reason
from switchboard.local.problem import Problem
from switchboard.local.process import Process, StartFailed
from switchboard.local.restate_server import Ports
from switchboard.models.providers import PROVIDERS, split_name
from switchboard.runtime.mesh_file import MeshDefinition, MeshProject
from switchboard.runtime.settings import ModelSettings, load

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MESH_FOLDERS = ("restate", "logs", "observe")
"""Folders that a mesh writes and --fresh removes. Other files in its folder are left alone."""

MODEL_SETTINGS = ("API_KEY", "BASE_URL", "WIRE_API", "SENDS")
MODEL_VARIABLES = (
    *(f"{provider.prefix}_{setting}" for provider in PROVIDERS.values() for setting in MODEL_SETTINGS),
    "SWITCHBOARD_MODEL",
    "SWITCHBOARD_FALLBACK_MODELS",
    "SWITCHBOARD_MODEL_OPTIONS",
    "SWITCHBOARD_MODEL_TIMEOUT",
)

RULES_ANSWER = "No key of a model is set: answers come from RULES, not from a language model."


@dataclass(frozen=True)
class PortChoice:
    """Ports given on the command line. `service_base` replaces mesh.toml's service ports by consecutive ones."""

    ingress: int
    admin: int
    node: int
    service_base: int | None = None
    gateway: GatewayPorts = field(default_factory=GatewayPorts)

    def addresses(self, definition: MeshDefinition) -> Addresses:
        addresses = Addresses.default(definition)
        restate = Ports(self.ingress, self.admin, self.node)
        if self.service_base is None:
            return replace(addresses, restate=restate)
        services = {name: self.service_base + index for index, name in enumerate(definition.services)}
        return Addresses({**services, DEMO_MODEL: self.service_base + DEMO_MODEL_OFFSET}, restate)


DEMO_MODEL_OFFSET = 18
"""Distance of the demo model's port from --service-port-base."""

DEFAULT_PORTS = Ports()
DEFAULT_FOLDER = Path(".switchboard")


def model_variables(environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables of a real model, or None without an API key. The demo model answers then."""
    named, _ = split_name(environment.get("SWITCHBOARD_MODEL", ""))
    keys = (f"{provider.prefix}_API_KEY" for provider in PROVIDERS.values())
    without_key = named is not None and not PROVIDERS[named].key_needed
    if not without_key and not any(environment.get(key) for key in keys):
        return None
    return {name: environment[name] for name in MODEL_VARIABLES if environment.get(name)}


def up(project: MeshProject, folder: Path, fresh: bool, ports: PortChoice, observed: bool = False) -> None:
    """Run a mesh until a signal, with tracing if `observed`. Raises Problem, after stopping every process."""
    with locked(folder):
        if fresh:
            for name in MESH_FOLDERS:
                shutil.rmtree(folder / name, ignore_errors=True)
        try:
            asyncio.run(run(project, folder, ports, observed))
        except StartFailed as failure:
            raise Problem(str(failure)) from failure


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder. The kernel releases the lock when the process ends, so locks are never stale."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise Problem(f"Cannot write to {folder} ({error.strerror}). Choose another folder with --folder.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Problem(
                f"Another `switchboard up` (pid {lock.read().strip() or 'unknown'}) is using the folder {folder}. "
                "Stop it, or choose another folder with --folder, and other ports."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def refuse_taken_ports(addresses: Addresses, gateway: GatewayPorts, with_demo_model: bool) -> None:
    """Raise Problem with every taken port, the process that uses it, and the option that chooses another port."""
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
            by = find_listener(port)
            taken.append(f"port {port} for {what}{f', used by {by}' if by else ''} (change it with {option})")
    if taken:
        raise Problem(
            f"In use: {'; '.join(taken)}. Choose other ports or stop these programs. Is a mesh running already?"
        )


async def run(project: MeshProject, folder: Path, ports: PortChoice, observed: bool) -> None:
    addresses = ports.addresses(project.definition)
    stop_requested = asyncio.Event()
    for signum in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, stop_requested.set)
    model = model_variables(os.environ)
    refuse_taken_ports(addresses, ports.gateway, with_demo_model=model is None)
    # The demo model has no fallback models, so ignore any that the shell sets.
    environment = {} if model else {"SWITCHBOARD_FALLBACK_MODELS": ""}
    tracing, tracing_off = tracing_or_reason(folder, TracePorts.preferred()) if observed else (None, "")
    mesh = Mesh(project, folder, addresses, model, environment, tracing=tracing, gateway=ports.gateway)
    stop = asyncio.create_task(stop_requested.wait())
    try:
        if await started(mesh, stop):
            show(mesh, model, tracing_off)
            await until_stopped(mesh, stop)
    finally:
        if any(process.alive for process in mesh.processes):
            note("Stopping …")  # This may take seconds: services finish their work first.
        stop.cancel()
        await mesh.stop()


async def started(mesh: Mesh, stop: "asyncio.Task[bool]") -> bool:
    """Start the mesh. Returns False if a signal arrived first. Raises StartFailed."""
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
    """Wait for a signal. Raises Problem if a process exits; if only the collector or Jaeger does, prints a note."""
    exit_watch = asyncio.create_task(mesh.first_to_exit())
    tracing_watch = asyncio.create_task(report_tracing_stop(mesh.tracing))
    await asyncio.wait({exit_watch, stop}, return_when=asyncio.FIRST_COMPLETED)
    tracing_watch.cancel()
    if exit_watch.done():
        process = exit_watch.result()
        raise Problem(exit_message(process, await process.wait()))
    exit_watch.cancel()


async def report_tracing_stop(tracing: TracingProcesses | None) -> None:
    """Print a note when the collector or Jaeger exits, but only for the first of them."""
    if tracing is not None:
        note(await tracing.stopped())


def exit_message(process: Process, code: int) -> str:
    return (
        f"{process.name} {process.exit_reason(code)}, so the mesh was stopped. No conversation is lost: "
        f"run `switchboard up` to continue. Last output: {process.last_output()} (full output: {process.log})"
    )


def model_address() -> tuple[str, str]:
    """Return address and name of the first model."""
    settings = load(ModelSettings)
    choice = settings.choose(settings.names()[0])
    return choice.base_url or "", choice.name


def show(mesh: Mesh, model: Mapping[str, str] | None, tracing_off: str = "") -> None:
    """Print the addresses and the next steps. `tracing_off` is the reason if requested traces are not available."""
    addresses = mesh.addresses
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True, style="dim")
    table.add_row("Restate UI", f"{addresses.admin_url}/ui/", "running turns and calls")
    if mesh.gateway is not None:
        table.add_row("console", f"http://127.0.0.1:{mesh.gateway.port}/", "chat; staff work at /staff")
        table.add_row("gateway", f"http://127.0.0.1:{mesh.gateway.port}", "get a token with `switchboard token`")
    table.add_row("ingress", addresses.ingress_url, "only signed requests; keep it private")
    table.add_row("admin", addresses.admin_url, "service registry and SQL")
    for name in mesh.names:
        table.add_row(name, addresses.service_url(name), "/metrics /health")
    if model is None:
        table.add_row("model", f"{addresses.service_url(DEMO_MODEL)}/v1", "rules, not a language model")
    else:
        table.add_row("model", *model_address())
    if mesh.tracing is not None:
        table.add_row("collector", f"http://127.0.0.1:{mesh.tracing.ports.http}", "accepts spans (OTLP over HTTP)")
        table.add_row("Jaeger", mesh.tracing.jaeger_url or "external", "a trace of every turn")
    out.print()
    out.print(table)
    out.print()
    if model is None:
        print_line(RULES_ANSWER, "bold yellow")
        out.print()
    if tracing_off:
        print_line(tracing_off, "bold yellow")
        out.print()
    print_line("The mesh is up. In another terminal:")
    for command in commands(addresses, mesh.folder, mesh.project.definition.example):
        print_line(f"  {command}", "bold")
    out.print()
    print_line(f"Press Ctrl-C to stop. Conversations are kept in {mesh.folder}, logs in {mesh.log('*').parent}.", "dim")


def print_line(line: str, style: str = "") -> None:
    """Print a line without wrapping, so that it can be copied."""
    out.print(Text(line, style=style), soft_wrap=True)


def commands(addresses: Addresses, folder: Path, example: str) -> list[str]:
    """Return two commands to try. With other than the default ports or folder, an `export` of them comes first."""
    exported = []
    if addresses.restate != DEFAULT_PORTS:
        exported += [f"RESTATE_INGRESS_URL={addresses.ingress_url}", f"RESTATE_ADMIN_URL={addresses.admin_url}"]
    if folder != DEFAULT_FOLDER.absolute():
        exported.append(f"SWITCHBOARD_FOLDER={shlex.quote(str(folder))}")
    own = [f"export {' '.join(exported)}"] if exported else []
    return [*own, f'switchboard ask "{example}"', "switchboard chat"]
