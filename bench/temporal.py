"""Temporal's development server, the one program that its documentation starts on a developer's machine."""

import shutil
from pathlib import Path

from bench.machine import PROJECT
from switchboard.local.process import Process, StartFailed, free_ports

ADDRESS = "TEMPORAL_ADDRESS"


def find_temporal() -> Path | None:
    built = PROJECT / ".tools" / "bin" / "temporal"
    found = shutil.which("temporal")
    return built if built.exists() else Path(found) if found else None


def create_dev_server(folder: Path) -> Process:
    """Return the server, not yet started. It keeps its data in a file, in SQLite. Raises StartFailed."""
    binary = find_temporal()
    if binary is None:
        raise StartFailed("`temporal` is not installed. Run `python -m scripts.tools temporal`.")
    folder.mkdir(parents=True)
    port, http, metrics = free_ports(3)
    return Process(
        name="temporal",
        command=[
            *(str(binary), "server", "start-dev", "--headless", "--log-level", "error"),
            *("--ip", "127.0.0.1", "--port", str(port), "--http-port", str(http), "--metrics-port", str(metrics)),
            *("--db-filename", str(folder / "temporal.db")),
        ],
        environment={},
        port=port,
        more_ports=(http, metrics),
        # Answered only when the namespace exists, which is created last.
        health=f"http://127.0.0.1:{http}/api/v1/namespaces/default",
        log=folder / "temporal.log",
    )
