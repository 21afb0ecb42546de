"""Closes idle connections of an address that holds more than its share, before the connections run out.

The HTTP server accepts connections in its own threads and limits only their total. It closes an idle one after more
than a minute. So one address with enough idle connections would keep all customers out. This process therefore finds
its connections among its open files, and shuts down the idle ones that an address holds beyond its share.
"""

import asyncio
import errno
import logging
import os
import resource
import socket
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from switchboard.gateway.client_address import Network, address_of, holder_of, is_in

logger = logging.getLogger(__name__)

CHECK_INTERVAL = timedelta(milliseconds=500)

OPEN_FILES = Path("/dev/fd")
"""Lists the open files of this process, on Linux and macOS."""

FILES_OF_PROCESS = 128
"""Open files beside connections: logs, libraries, ports, metrics, the identity provider's keys, spans."""

Peer = tuple[str, int]


@dataclass(frozen=True)
class Connection:
    """An accepted connection: the number of its file in this process, and its peer."""

    file: int
    peer: Peer


class ConnectionGuard:
    """Keeps each address within `share` connections while more than half of `connections_max` are open.

    Only connections without a request are closed. `busy` returns the peers that have one. `proxies` may hold as many as
    they like, because their connections belong to many customers.
    """

    def __init__(
        self,
        port: int,
        share: int,
        connections_max: int,
        busy: Callable[[], Collection[Peer]],
        proxies: Sequence[Network] = (),
    ) -> None:
        self._port = port
        self._share = share
        self._enough = connections_max // 2
        self._busy = busy
        self._proxies = proxies

    async def run(self) -> None:
        """Check until cancelled."""
        while not asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
            await asyncio.sleep(CHECK_INTERVAL.total_seconds())
            try:
                if len(os.listdir(OPEN_FILES)) > self._enough:
                    await asyncio.to_thread(self.close_excess)
            except OSError as error:
                logger.warning("cannot list the open connections: %s", errno.errorcode.get(error.errno or 0))

    def close_excess(self) -> int:
        """Close idle connections beyond an address's share. Returns how many."""
        held: dict[str, list[Connection]] = defaultdict(list)
        for connection in open_connections(self._port):
            address = address_of(connection.peer[0])
            if address is not None and not is_in(address, self._proxies):
                held[holder_of(address)].append(connection)
        busy = set(self._busy())
        closed = 0
        for connections in held.values():
            idle = [each for each in connections if each.peer not in busy]
            for connection in idle[: max(len(connections) - self._share, 0)]:
                closed += shut_down(connection, self._port)
        if closed:
            logger.warning("closed %d idle connections of addresses that held more than %d", closed, self._share)
        return closed


def open_connections(port: int) -> Iterator[Connection]:
    """Yield this process's accepted connections at a port."""
    for name in os.listdir(OPEN_FILES):
        with same_socket(int(name)) as own:
            peer = peer_at(own, port)
        if peer is not None:
            yield Connection(int(name), peer)


def shut_down(connection: Connection, port: int) -> bool:
    """Shut a connection down, and return whether it was still open. The server then closes its file."""
    with same_socket(connection.file) as own:
        if own is None or peer_at(own, port) != connection.peer:
            return False  # The number of the file is used for something else meanwhile.
        own.shutdown(socket.SHUT_RDWR)
    return True


@contextmanager
def same_socket(file: int) -> Iterator[socket.socket | None]:
    """Open a socket's file a second time, so that it stays the same socket in the block; None for other files."""
    try:
        duplicate = os.dup(file)
    except OSError:  # Closed since.
        yield None
        return
    try:
        own = socket.socket(fileno=duplicate)
    except OSError:  # Not a socket.
        os.close(duplicate)
        yield None
        return
    with own:
        yield own


def peer_at(own: socket.socket | None, port: int) -> Peer | None:
    """Return the peer of a connection to a port of ours; None for anything else."""
    if own is None or own.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        host, peer_port, *_ = own.getpeername()
        return (host, peer_port) if own.getsockname()[1] == port else None
    except OSError:  # It listens, or has just been disconnected.
        return None


def limit_connections(wanted: int, requests_max: int) -> int:
    """Return how many connections this process may accept, and raise its limit of open files if it can.

    Each request also has a connection to Restate. Raises ValueError if the limit does not suffice for `requests_max`
    requests.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + requests_max + FILES_OF_PROCESS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    left = soft - requests_max - FILES_OF_PROCESS
    if left < requests_max:
        raise ValueError(
            f"This process may open {soft} files, but GATEWAY_REQUESTS_MAX={requests_max} needs at least"
            f" {2 * requests_max + FILES_OF_PROCESS}. Raise the limit (ulimit -n), or lower GATEWAY_REQUESTS_MAX."
        )
    logger.warning("only %d of %d connections are accepted: the limit of open files is %d", left, wanted, soft)
    return left
