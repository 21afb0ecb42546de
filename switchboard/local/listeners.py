"""Finds the process that listens on a port of this machine, if the operating system lets us see it."""

import contextlib
import socket

import psutil


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
    try:
        pids = listeners_of_system(port)
    except psutil.AccessDenied:  # On macOS only root may list the connections of all processes.
        pids = [pid for pid in psutil.pids() if listens(pid, port)]
    with contextlib.suppress(psutil.NoSuchProcess):
        return f"{psutil.Process(pids[0]).name()} (pid {pids[0]})" if pids else ""
    return ""


def listeners_of_system(port: int) -> list[int]:
    listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    return [each.pid for each in listening if each.laddr and each.laddr.port == port and each.pid is not None]


def listens(pid: int, port: int) -> bool:
    with contextlib.suppress(psutil.Error):  # The process has ended, or belongs to another user.
        connections = psutil.Process(pid).net_connections("tcp")
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)
    return False
