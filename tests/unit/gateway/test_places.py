"""Shares of one customer and of one address: others get their places, and no header helps to get more."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.types import Scope

from switchboard.gateway.client_address import forwarded_holder, parse_networks
from switchboard.gateway.connections import FILES_OF_PROCESS, ConnectionGuard, limit_connections, open_connections
from switchboard.gateway.places import Places
from switchboard.gateway.problems import Problem

PROXIES = parse_networks("10.0.0.0/8, 2001:db8::1")


def test_holder_beyond_its_share_is_refused_and_others_are_not() -> None:
    places = Places(2)
    with ExitStack() as taken:
        taken.enter_context(places.taken("alice"))
        taken.enter_context(places.taken("alice"))
        taken.enter_context(places.taken("bob"))
        with pytest.raises(Problem) as refused, places.taken("alice"):
            pass
        assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
        with places.taken("alice", waits=False):
            pass
    with places.taken("alice"):
        pass


def test_requests_of_a_minute_are_limited() -> None:
    now = [0.0]
    places = Places(10, per_minute=6, now=lambda: now[0])
    taken = []
    waits = set()
    for second in range(121):
        now[0] = float(second)
        try:
            with places.taken("alice"):
                taken.append(second)
        except Problem as refused:
            waits.add(int(refused.headers["retry-after"]))
        with places.taken(f"other {second}"):
            pass
    assert waits == set(range(1, 10))
    assert taken == [0, 1, 2, 3, 4, 5, *range(10, 121, 10)]


def request(client: str, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (client, 1234), "headers": [(b"host", b"x"), *headers]}


@pytest.mark.parametrize(
    ("client", "forwarded", "holder"),
    [
        ("192.0.2.1", ("198.51.100.7",), None),  # No known proxy: anybody can send the header.
        ("10.1.2.3", ("198.51.100.7",), "198.51.100.7"),
        ("::ffff:10.1.2.3", ("198.51.100.7",), "198.51.100.7"),
        ("10.1.2.3", ("203.0.113.9, 198.51.100.7",), "198.51.100.7"),  # The client wrote the first one.
        ("10.1.2.3", ("203.0.113.9", "198.51.100.7, 10.9.9.9"), "198.51.100.7"),
        ("10.1.2.3", ("10.1.1.1",), "10.1.2.3"),
        ("10.1.2.3", (), "unknown"),
        ("10.1.2.3", ("203.0.113.9, nonsense",), "unknown"),
        ("2001:db8::1", ("2001:db8:1:2:3::4",), "2001:db8:1:2::/64"),
        ("", ("198.51.100.7",), None),
    ],
)
def test_address_is_the_one_that_a_known_proxy_has_seen(client: str, forwarded: tuple[str, ...], holder: str) -> None:
    assert forwarded_holder(request(client, *forwarded), PROXIES) == holder


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connect(listener: socket.socket, stack: ExitStack, source: str, count: int) -> list[socket.socket]:
    """Connect to the listener from a source address, and return the clients' ends."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(listener.getsockname(), source_address=(source, 0))
        clients.append(stack.enter_context(client))
        stack.enter_context(listener.accept()[0])
    return clients


def open_ends(clients: list[socket.socket]) -> int:
    """Return how many of the connections have not been shut down."""
    ends = 0
    for client in clients:
        client.setblocking(False)
        try:
            ends += client.recv(1) != b""
        except BlockingIOError:
            ends += 1
    return ends


def test_idle_connections_beyond_an_addresss_share_are_closed(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with ExitStack() as stack:
        greedy = connect(listener, stack, "127.0.0.2", 10)
        modest = connect(listener, stack, "127.0.0.3", 3)
        proxy = connect(listener, stack, "127.0.0.9", 10)
        busy = [client.getsockname() for client in greedy[:2]]
        files = len(os.listdir("/dev/fd"))
        assert len(list(open_connections(port))) == 23
        guard = ConnectionGuard(port, 4, 10, lambda: busy, parse_networks("127.0.0.9"))
        assert guard.close_excess() == 6
        assert (open_ends(greedy), open_ends(modest), open_ends(proxy)) == (4, 3, 10)
        assert open_ends(greedy[:2]) == 2
        assert len(os.listdir("/dev/fd")) == files


@pytest.mark.parametrize(
    ("limits", "expected", "raised"),
    [
        ((1_000, 10_000), 5_000, 5_000 + 100 + FILES_OF_PROCESS),
        ((20_000, 20_000), 5_000, 20_000),
        ((1_000, 1_000), 1_000 - 100 - FILES_OF_PROCESS, 1_000),
    ],
)
def test_connections_fit_into_the_limit_of_open_files(
    limits: tuple[int, int], expected: int, raised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"limits": limits}
    monkeypatch.setattr(resource, "getrlimit", lambda _: now["limits"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, value: now.__setitem__("limits", value))
    assert limit_connections(5_000, 100) == expected
    assert now["limits"][0] == raised


def test_gateway_that_cannot_open_enough_files_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(ValueError, match="may open 256 files, but GATEWAY_REQUESTS_MAX=100 needs at least 328"):
        limit_connections(5_000, 100)
