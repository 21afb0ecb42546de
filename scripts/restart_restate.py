"""Restart the only Restate node of a local mesh under load, and say what its customers notice.

python -m scripts.restart_restate [--away 30] [--customers 8]

Customers write without a pause, through the gateway. Restate is stopped with SIGTERM, as when its pod is evicted, and
is away for `--away` seconds, as until a new pod is ready. Then the same with SIGKILL.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.project import reference
from switchboard.client import AsyncClient, MeshError
from switchboard.local.gateway import GatewayPorts, local_token
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import StartFailed, free_ports
from switchboard.testing.laboratory import HIGH_LIMITS

CUSTOMERS = 8
AWAY_SECONDS = 30.0
"""The operator's readiness probe of Restate's pods waits this long."""

LOAD_SECONDS = 5.0
"""Time with Restate before and after each restart."""

QUESTION = "how much is my balance?"
AGENT = "Bank"

ONE_CUSTOMER = "alice"
TOKEN_HOURS = 1

GATEWAY_LIMITS = {"GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": "0", "GATEWAY_CUSTOMER_REQUESTS_MAX": "1000"}
"""All sessions of this load belong to one customer."""


@dataclass
class Load:
    """What the customers notice. Times are in seconds on the monotonic clock."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    """When each message was sent and when its reply came."""

    failures: list[str] = field(default_factory=list)

    async def write(self, client: AsyncClient, stop: asyncio.Event) -> None:
        """Send one message after the other. The client sends a message again with the same key until it has a reply."""
        session = await client.new_session()
        turn = 0
        while not stop.is_set():
            sent = time.monotonic()
            turn += 1
            try:
                reply = await client.send(session, QUESTION)
            except MeshError as problem:
                self.failures.append(f"{session}: {problem}")
                continue
            self.answered.append((sent, time.monotonic()))
            # A message that acted twice would have taken two turns.
            if reply.failed or reply.agent != AGENT or reply.turn != turn:
                self.failures.append(f"{session}: message {turn} got {reply}")


@dataclass(frozen=True)
class Restart:
    """Times of one restart: Restate was told to stop, had stopped, was started again and was ready."""

    how: str
    told: float
    stopped: float
    started: float
    ready: float

    def report(self, load: Load) -> str:
        after = [reply for _, reply in load.answered if reply > self.ready]
        during = [reply - sent for sent, reply in load.answered if sent < self.ready and reply > self.told]
        first = f"{min(after) - self.ready:.1f} s" if after else "never"
        return (
            f"{self.how}: stopped after {self.stopped - self.told:.1f} s, "
            f"away for {self.started - self.stopped:.1f} s, "
            f"ready {self.ready - self.started:.1f} s after its start, first reply {first} later; "
            f"{len(during)} messages waited for it, the longest {max(during, default=0):.1f} s"
        )


async def restart(mesh: Mesh, how: str, away: float) -> Restart:
    told = time.monotonic()
    await (mesh.restate.kill() if how == "SIGKILL" else mesh.restate.stop())
    stopped = time.monotonic()
    await asyncio.sleep(away)
    started = time.monotonic()
    await mesh.restate.start()
    return Restart(how, told, stopped, started, time.monotonic())


async def play(folder: Path, customers: int, away: float, load_seconds: float, log: Callable[[str], None]) -> Load:
    """Run both restarts on a new mesh. Raises StartFailed."""
    ports = GatewayPorts(*free_ports(3))
    project = reference()
    environment = {**HIGH_LIMITS, **GATEWAY_LIMITS}
    load, stop = Load(), asyncio.Event()
    restarts: list[Restart] = []
    async with Mesh(
        project, folder, Addresses.free(project.definition), environment=environment, gateway=ports
    ) as mesh:
        token = local_token(mesh.folder, ONE_CUSTOMER, TOKEN_HOURS, signed_in=True)
        async with AsyncClient(ports.url, token) as client, asyncio.TaskGroup() as group:
            for _ in range(customers):
                group.create_task(load.write(client, stop))
            await asyncio.sleep(load_seconds)
            for how in ("SIGTERM", "SIGKILL"):
                restarts.append(await restart(mesh, how, away))
                await asyncio.sleep(load_seconds)
            stop.set()
    for each in restarts:
        log(each.report(load))
    log(f"{len(load.answered)} messages answered, {len(load.failures)} failed")
    return load


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Restart Restate on a local mesh under load.")
    parser.add_argument("--away", type=float, default=AWAY_SECONDS, help="seconds between its stop and its start")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="number of concurrent sessions")
    options = parser.parse_args(arguments)
    load = Load()
    with tempfile.TemporaryDirectory(prefix="switchboard-restart-") as folder:
        try:
            load = asyncio.run(play(Path(folder), options.customers, options.away, LOAD_SECONDS, print))
        except* StartFailed as failures:
            load.failures = [str(failure) for failure in failures.exceptions]
    for failure in load.failures:
        print(failure, file=sys.stderr)
    return int(bool(load.failures))


if __name__ == "__main__":
    sys.exit(main())
