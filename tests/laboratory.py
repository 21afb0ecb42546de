"""The reference mesh for the tests, with a probe agent whose tools misbehave on purpose.

The durable tests are there twice: for a mesh as it is, and for one where Restate suspends and replays at every await.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.project import reference
from switchboard import testing
from switchboard.local.keys import SPEAKER_FILE, stored_key
from switchboard.local.mesh import Mesh
from switchboard.local.process import Process, free_ports
from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.speaker import SpeakerKeys
from switchboard.testing.laboratory import CONDITION_TIMEOUT as STARTS_WITHIN
from tests.live_gateway import LiveReceiver, live_receiver
from tests.parts import need_restate_server

__all__ = [
    "LONG_MS",
    "SOON",
    "STARTS_WITHIN",
    "Laboratory",
    "is_inexact",
    "laboratory",
    "open_laboratory",
    "own_laboratory",
    "told_exactly",
]

SOON = {"SWITCHBOARD_TIMER_AHEAD_MIN": "PT1S"}
"""No test waits a minute for a timer."""

LONG_MS = 600_000
"""How long a tool or model takes that a test interrupts or kills: longer than any test runs, also on a busy machine."""

GATEWAYS_MAX = 8
"""Gateways that tests may start at the same time in front of one mesh."""


@dataclass
class Laboratory(testing.Laboratory):
    """The reference mesh with the probe agent and its tools.

    `events_ports` are the ports that are left for the live events of gateways, which tests start later. `live` hears
    the events of the sessions that it watches.
    """

    probe_agent: Process
    probe_tools: Process
    probe_log: Path
    events_ports: list[int]
    live: LiveReceiver

    def probed(self, line: str) -> int:
        """How often a probe tool wrote this line."""
        return self.probe_log.read_text().splitlines().count(line) if self.probe_log.exists() else 0

    def release(self, *names: str) -> None:
        """Let the probe tools end the calls of `hold`, and of `fail_until_released`, with these names."""
        with self.probe_log.open("a") as log:
            log.writelines(f"released {name}\n" for name in names)


TRIES = 6


async def told_exactly(attempt: Callable[[], Awaitable[bool]]) -> None:
    """Repeat an interrupt until it returns True: until the customer was told exactly what was done.

    After an interrupt, an agent has less than a second to report. On a busy machine it may be late. Then the customer
    is told that something may have been done, which is true as well, and an attempt returns False.
    """
    for _ in range(TRIES):
        if await attempt():
            return
    raise AssertionError(f"the customer was told nothing exactly in {TRIES} tries")


def is_inexact(text: str) -> bool:
    """Whether the customer was told that something may have been done: see `told_exactly`."""
    return "I don't know whether" in text or OUTCOME_UNKNOWN in text


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
    """Start the reference mesh with the probe agent; `environment` is added to every service's environment."""
    need_restate_server()
    live_port, *events_ports = free_ports(1 + GATEWAYS_MAX)
    urls = ",".join(f"http://127.0.0.1:{port}" for port in (live_port, *events_ports))
    given = {"SWITCHBOARD_EVENTS_URLS": urls, **(environment or {})}
    keys = SpeakerKeys([stored_key(folder / SPEAKER_FILE)])
    async with (
        live_receiver(live_port, keys) as live,
        testing.open_laboratory(reference(), folder, replays, given, restate_environment) as opened,
    ):
        mesh = opened.mesh
        agent, tools = laboratory_processes(mesh, folder)
        try:
            for process in (agent, tools):
                await process.start()
                await mesh.register(f"http://127.0.0.1:{process.port}")
            log = folder / "probe.log"
            yield Laboratory(mesh, opened.http, opened.model, replays, agent, tools, log, events_ports, live)
        finally:
            # Nothing is left to keep. A service that stops would first wait for calls that a test has left running.
            started = [process for process in (agent, tools, *mesh.processes) if process.alive]
            await asyncio.gather(*(process.kill() for process in started))


async def start_laboratory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Laboratory]:
    """The mesh of the fixtures below, twice."""
    replays = request.param == "always replaying"
    async with open_laboratory(tmp_path_factory.mktemp("mesh"), replays, SOON) as opened:
        yield opened


KINDS = ["as it is", "always replaying"]

laboratory = pytest.fixture(scope="session", params=KINDS, name="laboratory")(start_laboratory)
"""The laboratory that the tests share."""

own_laboratory = pytest.fixture(scope="package", params=KINDS, name="laboratory")(start_laboratory)
"""For a module or folder whose tests pay out loans, or leave seats and timers behind: others count on theirs."""
