"""A mesh for one evaluation, on free ports and in a temporary folder. It can be reset to the initial state."""

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from services.project import reference
from switchboard.ingress import exchange
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.process import Process, free_ports, wait_until
from switchboard.local.restate_server import AdminError
from switchboard.testing import Customer
from switchboard.testing.laboratory import HIGH_LIMITS, NO_SYNC

ANSWER_TIMEOUT = timedelta(minutes=5)
READY_TIMEOUT = timedelta(seconds=30)

DUMP = "EvalCaller/dump"
"""The evaluation's own service, which may call the private one of staff."""

REFERENCE_NOW = "2024-05-15T15:00:00-05:00"
"""The time at which the benchmark's data is set."""


class HandlerFailed(Exception):
    """A handler that the evaluation depends on has failed; the message is the handler's."""


def airline_environment(data: Path) -> dict[str, str]:
    """Return the settings for the reference's data, clock and ids, with our policy."""
    return {
        "AIRLINE_DATA_DIR": str(data.resolve()),
        "AIRLINE_NOW": REFERENCE_NOW,
        "AIRLINE_IDS": "benchmark",
        "POLICY": "enforce",
    }


@dataclass
class EvalMesh:
    """A running mesh and the evaluation's own services."""

    mesh: Mesh
    http: aiohttp.ClientSession
    beside: Sequence[Process]

    def customer(self, customer_id: str, session: str) -> Customer:
        return Customer(self.mesh.addresses.ingress_url, self.http, customer_id, session, speaker=self.mesh.speaker)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the demo model's control API, for example to set a script."""
        return await self._exchange(method, f"{self.mesh.addresses.service_url(DEMO_MODEL)}/demo/{path}", body)

    async def call(self, target: str, body: Any) -> Any:
        """Call a public handler such as `Service/handler`. Raises HandlerFailed."""
        return await self._exchange("POST", f"{self.mesh.addresses.ingress_url}/{target}", body)

    async def dump(self) -> Any:
        """Return the airline's current records: all users, reservations and flights by id."""
        return await self.call(DUMP, {})

    async def reset(self) -> None:
        """Replace Restate by an empty one: no state, no journal, no session. The services keep running.

        This takes a third of a second, and it needs no knowledge of which service has which state.
        """
        await self.mesh.restate.kill()
        data = self.mesh.folder / "restate"
        shutil.rmtree(data)
        data.mkdir()
        await self.mesh.restate.start()
        for url in self._deployments():
            await self.mesh.register(url)
        await self.wait_until_ready()

    async def wait_until_ready(self) -> None:
        """Return when every partition of the new server has started and its tables can be read."""

        async def readable() -> bool:
            try:
                await self.mesh.admin.query("SELECT service_name FROM state LIMIT 1")
            except AdminError:
                return False
            return True

        await wait_until(readable, READY_TIMEOUT, "Restate's tables could not be read")

    def _deployments(self) -> list[str]:
        ours = [self.mesh.addresses.service_url(name) for name in self.mesh.names]
        return ours + [f"http://127.0.0.1:{process.port}" for process in self.beside]

    async def _exchange(self, method: str, url: str, body: Any) -> Any:
        headers = {"content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        response = await exchange(self.http, method, url, content, headers)
        if response.status >= 300:
            raise HandlerFailed(f"{url}: HTTP {response.status}: {response.content.decode(errors='replace')}")
        return json.loads(response.content)


@asynccontextmanager
async def open_mesh(
    environment: Mapping[str, str] | None = None,
    model: Mapping[str, str] | None = None,
    services: Sequence[str] | None = None,
    beside: Mapping[str, str] | None = None,
) -> AsyncIterator[EvalMesh]:
    """Run a mesh of these services; stop and delete it afterwards. Raises StartFailed.

    `environment` is added to every process. `model` holds the OPENAI_* variables of an endpoint; None uses the demo
    model, and an empty mapping is for services that call no model. `beside` maps names of the evaluation's own services
    to their modules.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="switchboard-evals-")))
        mesh = Mesh(
            reference(),
            folder,
            Addresses.free(reference().definition),
            model=model,
            environment={**HIGH_LIMITS, **(environment or {})},
            restate_environment=NO_SYNC,
            services=services,
        )
        ports = free_ports(len(beside or {}))
        added = [
            mesh.service(name, port, module) for (name, module), port in zip((beside or {}).items(), ports, strict=True)
        ]
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT.total_seconds())
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        await stack.enter_async_context(mesh)
        for process in added:
            stack.push_async_callback(process.stop)
            await process.start()
            await mesh.register(f"http://127.0.0.1:{process.port}")
        opened = EvalMesh(mesh, http, added)
        await opened.wait_until_ready()
        yield opened
