"""A Restate server with only the flaky service registered, without a mesh."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from switchboard.local.process import Process, free_ports, wait_until
from switchboard.local.restate_server import Admin, AdminError, Ports, find_binary, server_processes
from tests.laboratory import STARTS_WITHIN
from tests.parts import need


@asynccontextmanager
async def flaky_restate(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Ports]:
    """Start the server and yield its ports; `environment` is added to the server's environment."""
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    ingress, admin, node, port = free_ports(4)
    ports = Ports(ingress, admin, node)
    restate, proxy = server_processes(ports, folder / "data", folder, environment)
    url = f"http://127.0.0.1:{port}"
    flaky = Process(
        name="flaky",
        command=[sys.executable, "-m", "tests.observability.flaky_service", str(port)],
        environment={},
        port=port,
        health=f"{url}/health",
        log=folder / "flaky.log",
    )

    async def registered() -> bool:
        try:
            await Admin(f"http://127.0.0.1:{admin}").register(url)
        except (AdminError, OSError):
            return False
        return True

    try:
        await restate.start()
        await proxy.start()
        await flaky.start()
        await wait_until(registered, STARTS_WITHIN, "Restate did not take the service")
        yield ports
    finally:
        await restate.stop()
        await proxy.stop()
        if flaky.alive:
            await flaky.kill()  # Granian would wait for open connections.
