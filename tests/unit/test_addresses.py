"""Several addresses of one server: one that hangs costs a short time, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from pydantic import TypeAdapter, ValidationError

from switchboard.addresses import ATTEMPT_TIMEOUT, Addresses, Urls
from switchboard.ingress import IngressTimeout, IngressUnavailable, RestateIngress
from switchboard.retry import RetryPolicy
from switchboard.session.directory import Directory

POLICY = RetryPolicy(pause=timedelta(milliseconds=1), attempts_max=20)
WITHIN = timedelta(seconds=60)


@asynccontextmanager
async def hung(asked: list[object] | None = None) -> AsyncIterator[str]:
    """A server that accepts connections and never answers. Each connection is added to `asked`."""

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if asked is not None:
            asked.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def answering(answer: str = "{}") -> AsyncIterator[str]:
    async def respond(request: web.BaseRequest) -> web.Response:
        return web.Response(text=answer, content_type="application/json")

    async with RawTestServer(respond) as server:
        yield str(server.make_url(""))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_hung_address_costs_one_short_attempt(http: aiohttp.ClientSession) -> None:
    asked: list[object] = []
    async with hung(asked) as first, answering() as second:
        ingress = RestateIngress(f"{first},{second}", http, POLICY, short_attempts=True)
        assert await ingress.read("/Session/s/status", {}, WITHIN) == b"{}"
        attempts = len(asked)
        for _ in range(30):
            assert await ingress.call("/Session/s/send", {}, WITHIN, "key") == b"{}"
            assert await ingress.reply("inv_1") == b"{}"
    assert len(asked) == attempts > 0


async def test_address_that_refuses_is_tried_until_the_time_is_up(http: aiohttp.ClientSession) -> None:
    async with hung() as gone:
        pass
    ingress = RestateIngress(gone, http, RetryPolicy(timedelta(milliseconds=1), 500), short_attempts=True)
    with pytest.raises(IngressUnavailable):
        await ingress.read("/Session/s/status", {}, timedelta(milliseconds=300))


async def test_request_without_a_key_is_not_sent_to_a_second_address(http: aiohttp.ClientSession) -> None:
    async with hung() as first, answering() as second:
        ingress = RestateIngress(f"{first},{second}", http, POLICY, short_attempts=True)
        with pytest.raises(IngressTimeout):
            await ingress.call("/Accounts/pay", {}, timedelta(milliseconds=100))


async def test_wait_for_a_reply_moves_on_when_its_address_hangs(http: aiohttp.ClientSession) -> None:
    async with hung() as first, answering("7") as second:
        ingress = RestateIngress(f"{first},{second}", http, POLICY, short_attempts=True)
        async with asyncio.timeout(WITHIN.total_seconds()):
            assert await ingress.reply("inv_1") == b"7"


async def test_mesh_is_healthy_while_any_address_answers(http: aiohttp.ClientSession) -> None:
    async with hung() as first, hung() as second, answering() as third:
        assert await RestateIngress(f"{first},{second},{third}", http, POLICY).healthy(ATTEMPT_TIMEOUT)
        assert not await RestateIngress(f"{first},{second}", http, POLICY).healthy(timedelta(milliseconds=100))


async def test_slow_server_gets_more_time_in_each_round() -> None:
    two = Addresses("http://a,http://b")
    assert [two.timeout(attempt) for attempt in range(4)] == [ATTEMPT_TIMEOUT] * 2 + [ATTEMPT_TIMEOUT * 4] * 2
    assert [Addresses("http://a").timeout(attempt) for attempt in range(2)] == [ATTEMPT_TIMEOUT, ATTEMPT_TIMEOUT * 4]
    assert two.timeout(10_000) == ATTEMPT_TIMEOUT * 16


async def test_failures_at_once_move_on_only_once() -> None:
    three = Addresses("http://a,http://b,http://c")
    for _ in range(5):
        three.failed("http://a")
    assert three.current == "http://b"


async def test_agents_are_found_while_one_admin_address_hangs() -> None:
    services = '{"services": [], "deployments": []}'
    asked: list[object] = []
    async with hung(asked) as first, answering(services) as second:
        directory = Directory(f"{first},{second}")
        async with asyncio.timeout(WITHIN.total_seconds()):
            assert await directory.cards() == ()
        await directory.close()
    assert asked


@pytest.mark.parametrize(
    ("given", "expected"),
    [("http://a:1", "http://a:1/"), (" http://a:1 , http://b ", "http://a:1/,http://b/"), ("http://a,", "http://a/")],
)
def test_setting_takes_several_urls(given: str, expected: str) -> None:
    assert TypeAdapter(Urls).validate_python(given) == expected


@pytest.mark.parametrize("given", ["", " , ", "restate:8080", "http://a,b"])
def test_setting_refuses_what_is_no_url(given: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Urls).validate_python(given)
