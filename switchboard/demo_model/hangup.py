"""Closes a client's connection at the socket level, because the HTTP server has no API for it."""

import os
import socket
import stat

_OPEN_FILES = "/dev/fd"


def close_connection(client: tuple[str, object]) -> bool:
    """Shut down this process's socket to `client` (host, port). Returns False if there is none."""
    host, port = client[0], int(str(client[1]))
    return sum(_shut_down(int(fd), host, port) for fd in os.listdir(_OPEN_FILES)) > 0


def _shut_down(fd: int, host: str, port: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        duplicate = os.dup(fd)
    except OSError:
        return False  # Another thread has just closed it.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, fileno=duplicate) as connection:
        try:
            peer = connection.getpeername()
            if tuple(peer[:2]) != (host, port):
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            return False  # A listening socket, or another address family.
    return True
