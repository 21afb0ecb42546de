"""The machine, its current speed, and the CPU time of processes."""

import contextlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from switchboard.local.process import Process
from switchboard.local.restate_server import find_binary

PROBE_ITERATIONS = 1_000_000
PACKAGES = ("restate-sdk", "openai", "granian", "pydantic", "aiohttp", "uvloop")
PEER_PACKAGES = ("openai-agents", "langgraph", "dbos", "pydantic-ai-slim", "temporalio", "temporalio-openai-agents")
PROJECT = Path(__file__).resolve().parents[1]
PINS = PROJECT / "requirements/bench.txt"


def cpu_ms(processes: Sequence[Process]) -> dict[str, float]:
    """Return the CPU time of these processes and all their children in ms: all threads, user and system."""
    return {process.name: sum(map(used_ms, family(process))) for process in processes}


def memory_mb(processes: Sequence[Process]) -> float:
    """Return the memory of these processes and their children. What several of them share is counted once."""
    return sum(own_bytes(each) for process in processes for each in family(process)) / 1_000_000


def family(process: Process) -> list[psutil.Process]:
    """PostgreSQL has a process for each connection."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def used_ms(process: psutil.Process) -> float:
    """Include the children that have exited. A process that exits just now is counted with its parent next time."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        ended = (getattr(times, "children_user", 0.0), getattr(times, "children_system", 0.0))
        return (times.user + times.system + sum(ended)) * 1000
    return 0.0


def own_bytes(process: psutil.Process) -> int:
    """Return a process's share of the memory that it uses (PSS on Linux)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.uss))
    return 0


def calibrate() -> float:
    """Return the milliseconds that a fixed amount of work takes now. Its variation is the machine's noise."""
    started = time.perf_counter()
    total = 0
    for number in range(PROBE_ITERATIONS):
        total += number & 7
    return (time.perf_counter() - started) * 1000


def description() -> dict[str, str]:
    """Return the machine and the versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": str(os.cpu_count()),
        "cpu": cpu_name(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "restate-server": restate_version(),
        **{name: version(name) for name in PACKAGES},
        **{name: pinned(name) for name in PEER_PACKAGES},
    }


def cpu_name() -> str:
    listed = Path("/proc/cpuinfo")  # Linux only
    found = re.search(r"^model name\s*:\s*(.+)$", listed.read_text(), re.M) if listed.is_file() else None
    return found[1] if found else platform.machine()


def restate_version() -> str:
    binary = find_binary("restate-server")
    if binary is None:
        return "none"
    output = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+\.\d+", output)
    return found[0] if found else output.strip()


def pinned(package: str) -> str:
    """Return the version in requirements/bench.txt, because the package is not installed in this environment."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", PINS.read_text(), re.M) if PINS.is_file() else None
    return found[1] if found else "unknown"
