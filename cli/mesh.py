"""The whole mesh on one machine: a Restate server, a demo model when there is no key, the services and the gateway."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cli.gateway import GatewayPorts, gateway_process, secret_of
from cli.observe import Observe
from cli.process import Process, StartFailed, first_to_end, free_ports, wait_until
from cli.restate_server import Admin, AdminError, Ports, server_process

SERVICES = ("triage", "bank", "airline", "tools")
DEMO_MODEL = "demo_model"
DEMO_MODEL_NAME = "demo"

REGISTER_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True)
class Addresses:
    """Ports of a local mesh. The default ones are those that Restate's documentation uses."""

    restate: Ports = field(default_factory=Ports)
    services: Mapping[str, int] = field(
        default_factory=lambda: {"triage": 9081, "bank": 9082, "airline": 9083, "tools": 9084, DEMO_MODEL: 9099}
    )

    @classmethod
    def free(cls) -> "Addresses":
        """Ports that nobody uses, for tests and demonstrations beside a mesh that runs."""
        ingress, admin, node, *others = free_ports(3 + len(SERVICES) + 1)
        return cls(Ports(ingress, admin, node), dict(zip((*SERVICES, DEMO_MODEL), others, strict=True)))

    @property
    def ingress_url(self) -> str:
        return f"http://127.0.0.1:{self.restate.ingress}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.restate.admin}"

    def service_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.services[name]}"


class Mesh:
    """Starts and ends a local mesh. An async context manager: whatever happens inside, nothing is left running.

    `model` holds the OPENAI_* variables of a real endpoint; without it the demo model is started. `folder` takes
    Restate's data and the logs. `environment` is added to every process (faults, limits, log levels). `observe` is
    started and ended with it, and gets every span. `services` may name fewer than all. With `gateway`, customers can
    reach it over HTTP.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Addresses | None = None,
        model: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        restate_environment: Mapping[str, str] | None = None,
        observe: Observe | None = None,
        services: Sequence[str] = SERVICES,
        gateway: GatewayPorts | None = None,
    ) -> None:
        self.addresses = addresses or Addresses()
        self.folder = folder
        self.admin = Admin(self.addresses.admin_url)
        self.uses_demo_model = model is None
        self._model = dict(model) if model is not None else self._demo_model_environment()
        self._environment = dict(environment or {})
        self.observe = observe
        traced = observe.restate_environment if observe else {}
        self.restate = server_process(
            self.addresses.restate, folder / "restate", self.log("restate"), {**traced, **(restate_environment or {})}
        )
        self.names = tuple(services)
        started = (*self.names, DEMO_MODEL) if self.uses_demo_model else self.names
        self.services = {name: self.service(name, self.addresses.services[name]) for name in started}
        self.gateway = None if gateway is None else self.edge(gateway)

    @property
    def processes(self) -> list[Process]:
        edge = [self.gateway] if self.gateway else []
        return [self.restate, *self.services.values(), *edge, *(self.observe.processes if self.observe else ())]

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def service(self, name: str, port: int, module: str | None = None) -> Process:
        """A service of ours as a process, not yet started."""
        return Process(
            name=name,
            command=[sys.executable, "-m", module or f"services.{name}"],
            environment={
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "RESTATE_ADMIN_URL": self.addresses.admin_url,
                **self._model,
                **(self.observe.environment(name) if self.observe else {}),
                **self._environment,
            },
            port=port,
            health=f"http://127.0.0.1:{port}/health",
            log=self.log(name),
        )

    def edge(self, ports: GatewayPorts) -> Process:
        """A gateway as a process, not yet started."""
        environment = {**(self.observe.environment("gateway") if self.observe else {}), **self._environment}
        secret = secret_of(self.folder)
        return gateway_process(ports, self.addresses.ingress_url, secret, self.log("gateway"), environment)

    async def start(self) -> None:
        """Start everything and register the services. Raises StartFailed; then what did start has been ended."""
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
            raise StartFailed(f"Restate did not take a service: {failures.exceptions[0]}") from None

    async def register(self, service_url: str) -> None:
        """Register a deployment, waiting for a server that has just started to take it."""
        last = "no answer"

        async def registered() -> bool:
            nonlocal last
            try:
                await self.admin.register(service_url)
            except (AdminError, OSError) as error:
                last = str(error)
                return False
            return True

        await wait_until(registered, REGISTER_TIMEOUT, f"Restate did not take the service at {service_url}: {last}")

    async def stop(self) -> None:
        """End what was started, services first: Restate then has nobody left to call."""
        edge = [self.gateway] if self.gateway else []
        await asyncio.gather(*(process.stop() for process in (*edge, *self.services.values())))
        await self.restate.stop()
        for process in self.observe.processes if self.observe else ():
            await process.stop()

    async def __aenter__(self) -> "Mesh":
        try:
            await self.start()
        except BaseException:
            await self.stop()  # Also on a Ctrl-C in the middle of it.
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def first_to_end(self) -> Process:
        """Wait until a part ends by itself that messages need, the gateway as well. What observes is none of these."""
        watching = self.observe.processes if self.observe else []
        return await first_to_end([process for process in self.processes if process not in watching])

    def _demo_model_environment(self) -> dict[str, str]:
        return {
            "OPENAI_API_KEY": "not-needed",
            "OPENAI_BASE_URL": f"{self.addresses.service_url(DEMO_MODEL)}/v1",
            "SWITCHBOARD_MODEL": DEMO_MODEL_NAME,
            "SWITCHBOARD_FALLBACK_MODELS": "",
        }
