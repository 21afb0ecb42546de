"""Closes a client's connection from below the HTTP server, which has no such call of its own."""

import os
import socket
import stat

_OPEN_FILES = "/dev/fd"


def close_connection(client: tuple[str, object]) -> bool:
    """Shut down this process's socket to `client` (host, port); False when none was found."""
    host, port = client[0], int(str(client[1]))
    return sum(_shut(int(fd), host, port) for fd in os.listdir(_OPEN_FILES)) > 0


def _shut(fd: int, host: str, port: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        duplicate = os.dup(fd)
    except OSError:
        return False  # Closed by another thread between the listing and now.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, fileno=duplicate) as connection:
        try:
            peer = connection.getpeername()
            if tuple(peer[:2]) != (host, port):
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            return False  # A listening socket, or one of another family.
    return True
