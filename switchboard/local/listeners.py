"""Finds the process that listens on a port of this machine, if the operating system lets us see it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"
"""The state TCP_LISTEN in /proc/net/tcp."""

LSOF_TIMEOUT_SECONDS = 5


def in_use(port: int) -> bool:
    """Return whether the port is taken on the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def find_listener(port: int) -> str:
    """Return the listening process, such as `python (pid 123)`, or "" if unknown, e.g. of another user."""
    if sys.platform == "linux":
        inodes = set(listening_inodes(port))
        pid = next((pid for pid in own_pids() if inodes & sockets_of(pid)), None)
        return "" if pid is None else f"{Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()} (pid {pid})"
    return ask_lsof(port)


def listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def own_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of a process's sockets. Empty if the process has ended or belongs to another user."""
    held = set()
    try:
        for link in os.scandir(f"/proc/{pid}/fd"):
            target = os.readlink(link.path)
            if target.startswith("socket:["):
                held.add(target[8:-1])
    except OSError:
        return held
    return held


def ask_lsof(port: int) -> str:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LSOF_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    fields = {line[0]: line[1:] for line in answer.stdout.splitlines() if line}
    return f"{fields['c']} (pid {fields['p']})" if {"c", "p"} <= fields.keys() else ""
