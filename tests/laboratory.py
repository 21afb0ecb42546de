"""A real mesh for the tests: Restate, four services, the demo model, and a probe agent with tools that misbehave.

The durable tests run twice: as it is, and with Restate made to suspend and replay at every await.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.project import reference
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.process import Process, free_ports, wait_until
from switchboard.local.restate_server import AdminError, find_binary
from switchboard.testing.scripted_model import Customer, ScriptedModel
from tests.parts import need

STARTS_WITHIN = timedelta(seconds=90)
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=120)
SOON = {"SWITCHBOARD_TIMER_AHEAD_MIN": "PT1S"}
"""No test waits a minute for a timer."""

ALWAYS_REPLAY = {"RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "0s"}


@dataclass
class Laboratory:
    """A running mesh with what a test needs to look into it."""

    mesh: Mesh
    http: aiohttp.ClientSession
    model: ScriptedModel
    probe_agent: Process
    probe_tools: Process
    probe_log: Path
    replays: bool

    def customer(self, customer_id: str = "alice", **more: Any) -> Customer:
        return Customer(self.mesh.addresses.ingress_url, self.http, customer_id, **more)

    async def invocations(self, session: str, target: str = "%") -> list[dict[str, Any]]:
        """The invocations that a session's messages led to, oldest first, with `depth` 0 for the message itself."""
        columns = "id, target, status, invoked_by_id, created_at, running_at, completed_at, completion_result"
        rows = await self.mesh.admin.query(f"SELECT {columns} FROM sys_invocation ORDER BY created_at")
        found = {row["id"] for row in rows if row["target"].startswith(f"Session/{session}/send")}
        tree = [{**row, "depth": 0} for row in rows if row["id"] in found]
        for parent in tree:
            children = [row for row in rows if row.get("invoked_by_id") == parent["id"]]
            tree += [{**row, "depth": parent["depth"] + 1} for row in children]
        return [row for row in tree if target in ("%", row["target"].rsplit("/", 1)[-1])]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until it holds. A Restate that has just come back cannot be asked: that is no yes either."""

        async def ready() -> bool:
            found = holds()
            try:
                return bool(await found if asyncio.iscoroutine(found) else found)
            except AdminError:
                return False

        await wait_until(ready, timeout=STARTS_WITHIN, otherwise="what the test waits for did not happen")

    def probed(self, line: str) -> int:
        """How often a probe tool wrote this line."""
        return self.probe_log.read_text().splitlines().count(line) if self.probe_log.exists() else 0


def laboratory_processes(mesh: Mesh, folder: Path) -> tuple[Process, Process]:
    """The probe agent and its tools, not yet started."""
    agent_port, tools_port = free_ports(2)
    agent = mesh.service("probe_agent", agent_port, module="tests.mesh.probe_agent")
    tools = mesh.service("probe_tools", tools_port, module="tests.mesh.probe_tools")
    tools.environment = {**tools.environment, "PROBE_LOG": str(folder / "probe.log")}
    return agent, tools


@asynccontextmanager
async def open_laboratory(
    folder: Path,
    replays: bool = False,
    environment: Mapping[str, str] | None = None,
    restate_environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Laboratory]:
    """A mesh with the probe agent and its tools; `environment` is added to every service's."""
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    restate_environment = {**(ALWAYS_REPLAY if replays else {}), **(restate_environment or {})}
    mesh = Mesh(
        reference(),
        folder,
        Addresses.free(reference().definition),
        environment=environment,
        restate_environment=restate_environment,
    )
    agent, tools = laboratory_processes(mesh, folder)
    # The client's own default lets only a hundred requests out at once.
    connector = aiohttp.TCPConnector(limit=0)
    async with mesh, aiohttp.ClientSession(connector=connector, timeout=ANSWERS_WITHIN) as http:
        try:
            for process in (agent, tools):
                await process.start()
                await mesh.register(f"http://127.0.0.1:{process.port}")
            model = ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http)
            yield Laboratory(mesh, http, model, agent, tools, folder / "probe.log", replays)
        finally:
            await agent.stop()
            await tools.stop()


@pytest.fixture(scope="session", params=["as it is", "always replaying"])
async def laboratory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Laboratory]:
    """The laboratory that the tests share, twice."""
    replays = request.param == "always replaying"
    async with open_laboratory(tmp_path_factory.mktemp("mesh"), replays, SOON) as opened:
        yield opened
