"""A whole mesh on one machine: Restate, the services, the gateway and, without a model's key, the demo model."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from switchboard.local import environment as inherited
from switchboard.local.environment import for_service, only
from switchboard.local.gateway import GatewayPorts, console_environment, gateway_process, secret_of
from switchboard.local.keys import IDENTITY_FILE, SPEAKER_FILE, identity_pem, identity_public_key, stored_key
from switchboard.local.observe import TracingProcesses
from switchboard.local.process import Process, StartFailed, first_to_exit, free_ports, wait_until
from switchboard.local.restate_server import Admin, AdminError, Ports, server_processes
from switchboard.runtime.mesh_file import DEMO_MODEL_PORT, MESH_FILE, MeshDefinition, MeshProject
from switchboard.speaker import SpeakerKeys

DEMO_MODEL = "demo_model"
DEMO_MODEL_NAME = "demo"

LOGS = "logs"
"""The folder of the processes' output, inside the mesh's folder."""

REGISTER_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True)
class Addresses:
    """Loopback ports of a local mesh. The proxy serves those of `restate`."""

    services: Mapping[str, int]
    restate: Ports = field(default_factory=Ports)

    @classmethod
    def default(cls, definition: MeshDefinition) -> "Addresses":
        """Return the ports of mesh.toml and Restate's default ports."""
        ports = {name: service.port for name, service in definition.services.items()}
        return cls({**ports, DEMO_MODEL: DEMO_MODEL_PORT})

    @classmethod
    def free(cls, definition: MeshDefinition) -> "Addresses":
        """Return free ports, for tests and demonstrations while another mesh may be running."""
        names = (*definition.services, DEMO_MODEL)
        ingress, admin, node, *others = free_ports(3 + len(names))
        return cls(dict(zip(names, others, strict=True)), Ports(ingress, admin, node))

    @property
    def ingress_url(self) -> str:
        return f"http://127.0.0.1:{self.restate.ingress}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.restate.admin}"

    def service_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.services[name]}"


class Mesh:
    """Starts and stops a local mesh. An async context manager, which stops every process on exit.

    - `project`: the services and their modules.
    - `folder`: for Restate's data and the logs.
    - `addresses`: `Addresses.default` by default.
    - `model`: the OPENAI_* variables of a real endpoint. Without it, the demo model is started.
    - `environment`: added to the environment of every service and of the gateway (faults, limits, log levels).
    - `restate_environment`: added to Restate's process.
    - `tracing`: started and stopped with the mesh; receives every span.
    - `services`: the services to start; all by default.
    - `gateway`: ports of a gateway for customers over HTTP; without them, no gateway is started.

    `speaker` signs requests to its sessions, as the gateway does. `speaker_environment` gives another gateway the key.
    """

    def __init__(
        self,
        project: MeshProject,
        folder: Path,
        addresses: Addresses | None = None,
        model: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        restate_environment: Mapping[str, str] | None = None,
        tracing: TracingProcesses | None = None,
        services: Sequence[str] | None = None,
        gateway: GatewayPorts | None = None,
    ) -> None:
        self.project = project
        self.addresses = addresses or Addresses.default(project.definition)
        self.folder = folder.absolute()
        self.admin = Admin(self.addresses.admin_url)
        self.uses_demo_model = model is None
        demo_model = demo_model_environment(self.addresses.service_url(DEMO_MODEL))
        self._model = demo_model if model is None else dict(model)
        self._environment = dict(environment or {})
        speaker_key = stored_key(self.folder / SPEAKER_FILE)
        self.speaker = SpeakerKeys([speaker_key])
        self.speaker_environment = {"SWITCHBOARD_SPEAKER_KEYS": speaker_key}
        identity = stored_key(self.folder / IDENTITY_FILE, identity_pem)
        self._keys = {**self.speaker_environment, "RESTATE_IDENTITY_KEY": identity_public_key(identity)}
        self._events_urls = "" if gateway is None else gateway.events_url
        self.tracing = tracing
        traced = tracing.restate_environment if tracing else {}
        self.restate, self.proxy = server_processes(
            self.addresses.restate,
            self.folder / "restate",
            self.folder / LOGS,
            {
                "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(self.folder / IDENTITY_FILE),
                **traced,
                **(restate_environment or {}),
            },
        )
        self.names = tuple(project.definition.services if services is None else services)
        started = (*self.names, DEMO_MODEL) if self.uses_demo_model else self.names
        self.services = {name: self.service(name, self.addresses.services[name]) for name in started}
        self.gateway = None if gateway is None else self.gateway_service(gateway)

    @property
    def processes(self) -> list[Process]:
        gateway = [self.gateway] if self.gateway else []
        return [
            self.restate,
            self.proxy,
            *self.services.values(),
            *gateway,
            *(self.tracing.processes if self.tracing else ()),
        ]

    def log(self, name: str) -> Path:
        return self.folder / LOGS / f"{name}.log"

    def service(self, name: str, port: int, module: str | None = None) -> Process:
        """Return the process of a service, not yet started."""
        return Process(
            name=name,
            command=[sys.executable, "-m", module or self.project.definition.module(name)],
            environment={
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "RESTATE_ADMIN_URL": self.addresses.admin_url,
                **({} if name == DEMO_MODEL else {"SWITCHBOARD_EVENTS_URLS": self._events_urls, **self._keys}),
                **(self._model if self.uses_model(name) else {}),
                **(self.tracing.environment(name) if self.tracing else {}),
                **self._environment,
            },
            port=port,
            health=f"http://127.0.0.1:{port}/health",
            log=self.log(name),
            folder=self.project.root,
            inherited=only(inherited.DEMO_MODEL, os.environ)
            if name == DEMO_MODEL
            else for_service(os.environ, self.uses_model(name)),
        )

    def uses_model(self, name: str) -> bool:
        """Return whether a service gets the model's key. A service that is not in mesh.toml does."""
        listed = self.project.definition.services.get(name)
        return name != DEMO_MODEL and (listed is None or "model" in listed.uses)

    def gateway_service(self, ports: GatewayPorts) -> Process:
        """Return the process of a gateway, not yet started."""
        traced = self.tracing.environment("gateway") if self.tracing else {}
        console = console_environment(
            self.project.definition.customers,
            f"{self.addresses.admin_url}/ui/",
            self.tracing.jaeger_url if self.tracing else "",
        )
        environment = {**self.speaker_environment, **console, **traced, **self._environment}
        secret = secret_of(self.folder)
        return gateway_process(ports, self.addresses.ingress_url, secret, self.log("gateway"), environment)

    async def start(self) -> None:
        """Start all processes and register the services. Raises StartFailed after stopping those that did start."""
        await refuse_missing_modules(self.project, self.names)
        try:
            async with asyncio.TaskGroup() as group:
                for process in self.processes:
                    group.create_task(process.start())
            for name in self.names:
                await self.register(self.addresses.service_url(name))
        except* StartFailed as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except* AdminError as failures:
            await self.stop()
            raise StartFailed(f"Restate rejected a service: {failures.exceptions[0]}") from None

    async def register(self, service_url: str) -> None:
        """Register a deployment. Retries, because a Restate that has just started may not accept it yet."""
        last = "no answer"

        async def registered() -> bool:
            nonlocal last
            try:
                await self.admin.register(service_url)
            except (AdminError, OSError) as error:
                last = str(error)
                return False
            return True

        await wait_until(registered, REGISTER_TIMEOUT, f"Restate did not register the service at {service_url}: {last}")

    async def stop(self) -> None:
        """Stop all processes, the services before Restate: it then has nothing left to call."""
        gateway = [self.gateway] if self.gateway else []
        await asyncio.gather(*(process.stop() for process in (*gateway, *self.services.values())))
        await self.restate.stop()
        await self.proxy.stop()
        for process in self.tracing.processes if self.tracing else ():
            await process.stop()

    async def __aenter__(self) -> "Mesh":
        try:
            await self.start()
        except BaseException:
            await self.stop()  # Also after Ctrl-C during the start.
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def first_to_exit(self) -> Process:
        """Wait until a process that messages need exits unexpectedly. The collector and Jaeger are not among them."""
        tracing = self.tracing.processes if self.tracing else []
        return await first_to_exit([process for process in self.processes if process not in tracing])


def demo_model_environment(url: str) -> dict[str, str]:
    """Return the environment of agents that use the demo model at this URL."""
    return {
        "OPENAI_API_KEY": "not-needed",
        "OPENAI_BASE_URL": f"{url}/v1",
        # It tells agents apart by a field that other endpoints may refuse.
        "OPENAI_SENDS": "all",
        "SWITCHBOARD_MODEL": DEMO_MODEL_NAME,
        "SWITCHBOARD_FALLBACK_MODELS": "",
    }


FIND_MODULES = """
import importlib.util, sys
for name in sys.argv[1:]:
    found, why = None, "there is no module with this name"
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            why = f"its package cannot be imported: {error!r}"
    except BaseException as error:
        why = f"its package cannot be imported: {error!r}"
    if found is None:
        print(name, " ".join(why.split()), sep="\\t")
"""


async def refuse_missing_modules(project: MeshProject, names: Sequence[str]) -> None:
    """Raise StartFailed if a service's module does not exist. Checks in a separate process: it imports packages."""
    modules = {name: project.definition.module(name) for name in names}
    python = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FIND_MODULES, *modules.values()), cwd=project.root, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await python.communicate()
    reasons = dict(line.split("\t", 1) for line in printed.decode().splitlines() if "\t" in line)
    wrong = [
        f"services.{name}.module: {module}: {reasons[module]}" for name, module in modules.items() if module in reasons
    ]
    if wrong:
        raise StartFailed(f"{MESH_FILE}: {'; '.join(wrong)}. Modules are looked up in {project.root}.")
