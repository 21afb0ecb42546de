"""A real mesh on which generated conversations are played."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from switchboard import testing
from switchboard.testing import JSON
from tests.generated.customer import PatientCustomer
from tests.generated.stage import Stage, look_up_payments
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import states


@dataclass
class RealMesh:
    """A laboratory with the crowd's tools and the written model."""

    laboratory: testing.Laboratory

    def customer(self, customer_id: str) -> PatientCustomer:
        mesh = self.laboratory.mesh
        return PatientCustomer(mesh.addresses.ingress_url, self.laboratory.http, customer_id, speaker=mesh.speaker)

    async def states(self, service: str) -> dict[str, JSON]:
        return await states(self.laboratory, service)

    async def state(self, service: str, key: str, name: str) -> JSON | None:
        where = f"service_name = '{service}' AND service_key = '{key}' AND key = '{name}'"
        return (await states(self.laboratory, service, where)).get(f"{key} {name}")

    async def running(self, ignored: Sequence[str]) -> int:
        names = ", ".join(f"'{name}'" for name in ignored)
        sql = (
            "SELECT count(*) AS busy FROM sys_invocation WHERE status NOT IN ('completed', 'scheduled')"
            f" AND target_service_name NOT IN ({names})"
        )
        return int((await self.laboratory.query(sql))[0]["busy"])

    async def until(self, holds: Callable[[], Any]) -> None:
        await self.laboratory.until(holds)

    async def kill(self, process: str) -> None:
        mesh = self.laboratory.mesh
        victim = mesh.restate if process == "restate" else mesh.services[process]
        await victim.kill()
        await victim.start()


@asynccontextmanager
async def open_stage(laboratory: Laboratory) -> AsyncIterator[Stage]:
    """Run the crowd's tools and the written model until the end of the block."""
    changed = {"tools": "tests.generated.crowd_tools", "demo_model": "tests.generated.written_model"}
    before = {name: laboratory.mesh.services[name].command for name in changed}
    for name, module in changed.items():
        await restart(laboratory, name, [sys.executable, "-m", module])
    stage = Stage(RealMesh(laboratory))
    await look_up_payments(stage)
    yield stage
    for name, command in before.items():
        await restart(laboratory, name, list(command))


async def restart(laboratory: Laboratory, name: str, command: list[str]) -> None:
    process = laboratory.mesh.services[name]
    await process.stop()
    process.command = command
    await process.start()
