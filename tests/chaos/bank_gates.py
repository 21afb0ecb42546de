"""The bank's objects in a separate process, behind gates that a test shuts and opens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from switchboard.local.process import Process, free_ports
from tests.laboratory import Laboratory


@dataclass(frozen=True)
class Gates:
    """Gates by handler, for example `Loans.list_loans`."""

    process: Process
    folder: Path

    def shut(self, handler: str) -> None:
        (self.folder / handler).touch()

    def open(self, handler: str) -> None:
        (self.folder / handler).unlink()


@asynccontextmanager
async def gates(laboratory: Laboratory, folder: Path) -> AsyncIterator[Gates]:
    """Serve `tests.mesh.gated_bank` until the end of the block, then the tools' own objects again."""
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
