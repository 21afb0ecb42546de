"""Runs the CLI as a user does: as a process, on free ports."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from switchboard.local.process import _reserve, free_ports
from tests import forks
from tests.parts import PROJECT

START_SECONDS = 180
STOP_SECONDS = 120

SERVICES = 4
DEMO_MODEL_OFFSET = 18

OURS = (sys.executable, "-m", "switchboard.cli")
"""The CLI of this environment."""


def without_meshes(**more: str) -> dict[str, str]:
    """Return our environment without the settings that would point a command to a mesh or model of this machine."""
    ours = re.compile("RESTATE_|OPENAI_|SWITCHBOARD_|OTEL_|TRACES_|TELEMETRY_|GATEWAY_")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    return kept | {"COLUMNS": "100"} | more


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this repository. `more` is added to its environment."""
    return run_in(PROJECT, *arguments, **more)


def run_in(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    return forks.run(["switchboard.cli", *arguments], folder, without_meshes(**more), START_SECONDS)


@dataclass
class Up:
    """A running `switchboard up`."""

    folder: Path
    options: list[str]
    environment: dict[str, str]
    process: "subprocess.Popen[str]"
    gateway_url: str

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def child(self, module: str) -> psutil.Process:
        return next(child for child in self.children() if module in " ".join(child.cmdline()))

    def wait_until_up(self) -> str:
        """Return the output up to the line that says that the mesh is up."""
        assert self.process.stdout is not None
        printed = ""
        for line in self.process.stdout:
            printed += line
            if "The mesh is up" in line:
                return printed
        code, said = self.end()
        raise AssertionError(f"`switchboard up` exited with {code}; stdout: {printed!r}; stderr: {said!r}")

    def end(self, signum: signal.Signals | None = None) -> tuple[int, str]:
        """Send a signal, if given, wait for the exit, and return the exit code and stderr."""
        if signum is not None:
            self.process.send_signal(signum)
        _, said = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, said


def service_port_base() -> int:
    """Return the first of consecutive free service ports, such that the demo model's port is free too."""
    for base in free_ports(20):
        wanted = [*range(base + 1, base + SERVICES), base + DEMO_MODEL_OFFSET]
        # Reserved, so that no other process that runs tests takes one of them meanwhile.
        if all(_reserve(port) for port in wanted):
            return base
    raise AssertionError("no consecutive free ports")


def start_up(
    folder: Path,
    *more: str,
    command: Sequence[str] = OURS,
    project: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Up:
    """Start `switchboard up` in a project's folder, by default this repository."""
    ingress, admin, node, gateway, metrics = free_ports(5)
    options = [
        *("--folder", str(folder), "--service-port-base", str(service_port_base())),
        *("--ingress-port", str(ingress), "--admin-port", str(admin), "--node-port", str(node)),
        *("--gateway-port", str(gateway), "--gateway-metrics-port", str(metrics)),
        *more,
    ]
    process = subprocess.Popen(
        [*command, "up", *options],
        cwd=project,
        env=without_meshes() if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    addresses = {
        "RESTATE_INGRESS_URL": f"http://127.0.0.1:{ingress}",
        "RESTATE_ADMIN_URL": f"http://127.0.0.1:{admin}",
        "SWITCHBOARD_GATEWAY_URL": f"http://127.0.0.1:{gateway}",
        "SWITCHBOARD_FOLDER": str(folder),
    }
    return Up(folder, options, addresses, process, f"http://127.0.0.1:{gateway}")


@contextmanager
def running_up(folder: Path) -> Iterator[Up]:
    """A running mesh, stopped at the end even if a test fails."""
    mesh = start_up(folder)
    try:
        mesh.wait_until_up()
        yield mesh
    finally:
        if mesh.process.poll() is None:
            mesh.end(signal.SIGTERM)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running_up(tmp_path / "mesh") as mesh:
        yield mesh


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    """Return whether all processes are gone within STOP_SECONDS, zombies included."""
    return psutil.wait_procs(processes, timeout=STOP_SECONDS)[1] == []
