"""The bank's objects behind gates that a test shuts and opens, in a process of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from switchboard.local.process import Process, free_ports
from tests.laboratory import Laboratory


@dataclass(frozen=True)
class Gates:
    """A handler is named `Loans.list_loans`."""

    process: Process
    folder: Path

    def shut(self, handler: str) -> None:
        (self.folder / handler).touch()

    def open(self, handler: str) -> None:
        (self.folder / handler).unlink()


@asynccontextmanager
async def gates(laboratory: Laboratory, folder: Path) -> AsyncIterator[Gates]:
    """What `tests.mesh.gated_bank` serves is served by a process of its own, and after that by the tools again."""
    (port,) = free_ports(1)
    process = laboratory.mesh.service("gated_bank", port, module="tests.mesh.gated_bank")
    process.environment = {**process.environment, "GATES": str(folder)}
    await process.start()
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        yield Gates(process, folder)
    finally:
        await laboratory.mesh.register(laboratory.mesh.addresses.service_url("tools"))
        await process.stop()
