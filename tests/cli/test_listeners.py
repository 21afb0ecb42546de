"""The process that listens on a port."""

import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from switchboard.local.listeners import find_listener, in_use
from switchboard.local.process import free_ports


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def deny(*_: object) -> None:
    raise psutil.AccessDenied


@pytest.fixture(params=["all processes at once", "one process at a time"])
def _view(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate the operating system: Linux lists all connections, macOS only those of a given process."""
    if request.param == "one process at a time":
        monkeypatch.setattr(psutil, "net_connections", deny)
        monkeypatch.setattr(psutil, "pids", lambda: [1, os.getpid()])


@pytest.mark.usefixtures("_view")
def test_listener_is_named_by_its_program_and_pid(server: socket.socket) -> None:
    port = server.getsockname()[1]
    assert in_use(port)
    assert find_listener(port) == f"{psutil.Process().name()} (pid {os.getpid()})"


@pytest.mark.usefixtures("_view")
def test_client_of_a_port_is_not_its_listener(server: socket.socket) -> None:
    with socket.create_connection(server.getsockname()) as client:
        assert find_listener(client.getsockname()[1]) == ""


@pytest.mark.usefixtures("_view")
def test_free_port_has_no_listener() -> None:
    (port,) = free_ports(1)
    assert not in_use(port)
    assert find_listener(port) == ""
