"""The machine, its current speed, and the CPU time of processes."""

import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from switchboard.local.restate_server import find_binary

PROBE_ITERATIONS = 1_000_000
PACKAGES = ("restate-sdk", "openai", "granian", "pydantic", "aiohttp", "uvloop")
PROJECT = Path(__file__).resolve().parents[1]
PINS = PROJECT / "requirements/bench.txt"


def cpu_ms(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU time of these processes in ms: all threads, user and system."""
    used = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
    return {name: (times.user + times.system) * 1000 for name, times in used.items()}


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
        "openai-agents": pinned("openai-agents"),
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
