"""A real mesh for tests: Restate, the services of mesh.toml and the demo model, on free ports of this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.process import wait_until
from switchboard.local.restate_server import AdminError
from switchboard.retry import RetryPolicy, retry
from switchboard.runtime.mesh_file import MeshProject
from switchboard.testing.customer import Customer
from switchboard.testing.scripted_model import ScriptedModel
from switchboard.testing.staff import Staff

CONDITION_TIMEOUT = timedelta(seconds=180)
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=300)
"""For machines that run several meshes on few cores. A test that would fail on them does not fail sooner."""

QUERIES = RetryPolicy(pause=timedelta(milliseconds=200), attempts_max=100)
"""A Restate that has just started rejects queries, or breaks their answers off, until it has its partitions."""

SERVER_ERROR = 500

PARTITIONS_ASKED = 32
"""Keys that are looked up at a Restate that has just started: enough to meet each of a few partitions."""

ALWAYS_REPLAY = {"RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "0s"}
"""Makes Restate suspend and replay a handler at every await, so that non-deterministic handlers fail."""

MANY_PARTITIONS = {"RESTATE_DEFAULT_NUM_PARTITIONS": "4"}
"""In production, the services of one turn are on several partitions, whose messages overtake each other."""

NO_SYNC = {"RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC": "true"}
"""The machine stays up, so that nothing is lost when Restate is killed and has not waited for the disk."""

HIGH_LIMITS = {
    "SWITCHBOARD_CUSTOMER_TURNS_MAX": "10000",
    "SWITCHBOARD_CUSTOMER_TURNS_PER_MINUTE": "0",
    "SWITCHBOARD_CUSTOMER_SESSIONS_PER_DAY": "0",
    "SWITCHBOARD_CUSTOMER_TOKENS_PER_DAY": "1000000000000",
    "SWITCHBOARD_CUSTOMER_COST_PER_DAY": "1000000",
    "SWITCHBOARD_TURN_TOKENS_MAX": "10000000",
}
"""Limits for customers who send more messages than people do."""


def quoted(text: str) -> str:
    """Return a text as it is written between single quotes in SQL."""
    return text.replace("'", "''")


@dataclass
class Laboratory:
    """A running mesh with its scripted model and an HTTP client. `replays` is True if every await is replayed."""

    mesh: Mesh
    http: aiohttp.ClientSession
    model: ScriptedModel
    replays: bool
    _answering: int | None = field(default=None, init=False, kw_only=True)
    """The process of Restate whose partitions are known to answer."""

    def customer(self, customer_id: str = "alice", **more: Any) -> Customer:
        """Return a customer with a new session. Optional arguments: `session` and `signed_in`."""
        return Customer(self.mesh.addresses.ingress_url, self.http, customer_id, speaker=self.mesh.speaker, **more)

    def staff(self, by: str = "Mia") -> Staff:
        """Return a staff member, who can call the mesh's staff services."""
        return Staff(self.mesh, self.http, by)

    async def invocations(self, session: str, target: str = "%") -> list[dict[str, Any]]:
        """Return the invocations that a session's messages caused, oldest first.

        `depth` is 0 for the message itself. `target` selects a handler, such as `get_balance`. Default: all handlers.
        """
        columns = "id, target, status, invoked_by_id, created_at, running_at, completed_at, completion_result"
        # A mesh that many tests share has thousands of invocations; the older ones need not be sent.
        first = f"SELECT min(created_at) FROM sys_invocation WHERE target LIKE 'Session/{quoted(session)}/send%'"
        rows = await self.query(
            f"SELECT {columns} FROM sys_invocation WHERE created_at >= ({first}) ORDER BY created_at"
        )
        found = {row["id"] for row in rows if row["target"].startswith(f"Session/{session}/send")}
        tree = [{**row, "depth": 0} for row in rows if row["id"] in found]
        for parent in tree:
            children = [row for row in rows if row.get("invoked_by_id") == parent["id"]]
            tree += [{**row, "depth": parent["depth"] + 1} for row in children]
        return [row for row in tree if target in ("%", row["target"].rsplit("/", 1)[-1])]

    async def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query over Restate's tables. Just after a restart it is asked again, for 20 s at most.

        Raises AdminError or aiohttp.ClientError if Restate cannot answer it by then.
        """
        return await retry(lambda: self._query(sql), QUERIES, (AdminError, aiohttp.ClientError))

    async def _query(self, sql: str) -> list[dict[str, Any]]:
        restate = self.mesh.restate
        process = restate.pid if restate.alive else None
        if process != self._answering:
            # Until a partition has started, its rows are missing from the tables without an error.
            await asyncio.gather(*(self._look_up(f"no-session-{number}") for number in range(PARTITIONS_ASKED)))
            self._answering = process
        return await self.mesh.admin.query(sql)

    async def _look_up(self, key: str) -> None:
        """Ask for a message that does not exist. Raises aiohttp.ClientError until the key's partition answers."""
        path = f"/restate/invocation/Session/{key}/send/none/output"
        async with self.http.get(self.mesh.addresses.ingress_url + path) as answer:
            if answer.status >= SERVER_ERROR:
                answer.raise_for_status()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until `holds` returns a true value. It may be a coroutine function. Raises StartFailed after 180 s."""

        async def ready() -> bool:
            found = holds()
            return bool(await found if asyncio.iscoroutine(found) else found)

        await wait_until(ready, timeout=CONDITION_TIMEOUT, otherwise="the test's condition did not become true")


@asynccontextmanager
async def open_laboratory(
    project: MeshProject,
    folder: Path,
    replays: bool = False,
    environment: Mapping[str, str] | None = None,
    restate_environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Laboratory]:
    """Start a project's mesh with the demo model, and stop it at the end. Raises StartFailed.

    `folder` is for Restate's data and the logs. `environment` is added to every service's environment. Customers have
    HIGH_LIMITS unless it says otherwise.
    """
    mesh = Mesh(
        project,
        folder,
        Addresses.free(project.definition),
        environment={**HIGH_LIMITS, **(environment or {})},
        restate_environment={
            **NO_SYNC,
            **(ALWAYS_REPLAY if replays else MANY_PARTITIONS),
            **(restate_environment or {}),
        },
    )
    # The client's default allows only a hundred requests at once.
    connector = aiohttp.TCPConnector(limit=0)
    async with mesh, aiohttp.ClientSession(connector=connector, timeout=REQUEST_TIMEOUT) as http:
        yield Laboratory(mesh, http, ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http), replays)
