"""One customer with many messages, or one address with many connections, locks no other customer out."""

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from switchboard.gateway.__main__ import BACKLOG_CONNECTIONS, CONNECTIONS_PER_REQUEST
from switchboard.testing import calls, says, scene
from tests.gateway.front import Gateway, open_gateway
from tests.gateway.test_sessions_api import problem, unique
from tests.laboratory import LONG_MS, Laboratory

REQUESTS_MAX = 12
CUSTOMERS_SHARE = 3
ADDRESS_SHARE = 5
MESSAGES = 20
PROXY, GREEDY = "127.0.0.9", "127.0.0.2"
ANSWERED_WITHIN_S = 50.0
"""The guard looks twice a second; the rest is for a busy machine. Without it, connections are closed after a minute."""

SHARES = {
    "GATEWAY_REQUESTS_MAX": str(REQUESTS_MAX),
    "GATEWAY_CUSTOMER_REQUESTS_MAX": str(CUSTOMERS_SHARE),
    "GATEWAY_ADDRESS_CONNECTIONS_MAX": str(ADDRESS_SHARE),
    "GATEWAY_TRUSTED_PROXIES": PROXY,
}


@pytest.fixture(scope="module")
async def shared(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with open_gateway(laboratory, tmp_path_factory.mktemp("shared"), SHARES) as gateway:
        yield gateway


async def test_customer_with_many_messages_gets_a_share_of_the_places(shared: Gateway) -> None:
    name = unique()
    waits = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    to_probe = calls(("handoff_to_Probe", {"reason": "an experiment"}))
    await shared.laboratory.model.plays(scene("go", to_probe, waits), scene("hello", says("hi")))
    visitors = [shared.visitor("alice") for _ in range(MESSAGES)]
    messages = [asyncio.create_task(visitor.says("go")) for visitor in visitors]
    await shared.laboratory.until(lambda: shared.laboratory.probed(f"start {name}") == CUSTOMERS_SHARE)
    await shared.laboratory.until(lambda: sum(each.done() for each in messages) == MESSAGES - CUSTOMERS_SHARE)
    refused = [message.result() for message in messages if message.done()]
    assert Counter(problem(answer) for answer in refused) == {(429, "too_many_requests"): MESSAGES - CUSTOMERS_SHARE}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert (await shared.visitor("bob").says("hello")).text == "hi"
    assert (await shared.visitor("alice", signed_in=False).says("hello")).text == "hi"
    running = [visitor for visitor, message in zip(visitors, messages, strict=True) if not message.done()]
    for visitor in running:
        # Reads and interrupts need no place.
        assert (await visitor.gets("status")).body["running"] is not None
        assert (await visitor.posts("interrupt")).body["interrupted"]
    assert {message.result().status for message in messages if await message} == {200, 429}

    async def free_again() -> bool:
        """A place is free some time after its answer has come."""
        return (await shared.visitor("alice").says("hello")).text == "hi"

    await shared.laboratory.until(free_again)


async def test_address_with_idle_connections_does_not_lock_others_out(shared: Gateway) -> None:
    """The greedy address takes every connection that the gateway accepts, and more that wait to be accepted."""
    await shared.laboratory.model.plays(scene("hello", says("hi")))
    all_connections = BACKLOG_CONNECTIONS + CONNECTIONS_PER_REQUEST * REQUESTS_MAX
    opened = await asyncio.gather(
        *(
            asyncio.open_connection("127.0.0.1", shared.ports.http, local_addr=(GREEDY, 0))
            for _ in range(all_connections + 50)
        )
    )
    try:
        started = time.monotonic()
        async with aiohttp.ClientSession() as http:
            answer = await shared.visitor("bob", http=http).says("hello")
        assert (answer.text, time.monotonic() - started < ANSWERED_WITHIN_S) == ("hi", True)
        await shared.laboratory.until(lambda: sum(reader.at_eof() for reader, _ in opened) >= all_connections // 2)
        # The guard logs how many connections it closed after the last of them.
        closed = "idle connections of addresses that held more than"
        await shared.laboratory.until(lambda: closed in shared.process.log.read_text())
    finally:
        for _, writer in opened:
            writer.close()


async def test_address_behind_a_known_proxy_gets_a_share_of_the_places(shared: Gateway) -> None:
    name = unique()
    waits = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    to_probe = calls(("handoff_to_Probe", {"reason": "an experiment"}))
    await shared.laboratory.model.plays(scene("go", to_probe, waits), scene("hello", says("hi")))
    connector = aiohttp.TCPConnector(local_addr=(PROXY, 0), limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        visitors = [shared.visitor(f"customer-{number}", http=http) for number in range(ADDRESS_SHARE + 2)]

        async def sends(number: int, text: str, address: str) -> tuple[int, str]:
            headers = {"x-forwarded-for": f"10.0.0.1, {address}"}
            answer = await visitors[number].calls("POST", "messages", headers, json={"text": text})
            return answer.status, answer.text

        first = [asyncio.create_task(sends(number, "go", "198.51.100.7")) for number in range(ADDRESS_SHARE)]
        await shared.laboratory.until(lambda: shared.laboratory.probed(f"start {name}") == ADDRESS_SHARE)
        assert (await sends(ADDRESS_SHARE, "hello", "198.51.100.7"))[0] == 429
        assert await sends(ADDRESS_SHARE + 1, "hello", "198.51.100.8") == (200, "hi")
        for visitor in visitors[:ADDRESS_SHARE]:
            other_address = shared.visitor(visitor.customer_id, session=visitor.session)
            assert (await other_address.posts("interrupt")).body["interrupted"]
        assert {status for status, _ in await asyncio.gather(*first)} == {200}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of another process")
async def test_gateway_without_free_file_descriptors_says_so(laboratory: Laboratory, tmp_path: Path) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    async with (
        open_gateway(laboratory, tmp_path) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
    ):
        # This connection to the gateway stays open, so that only the connection to Restate needs a file.
        async with http.get(f"{gateway.ports.url}/health") as response:
            assert response.status == 200
        visitor, pid = gateway.visitor("bob", http=http), gateway.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))
        refused = await visitor.says("hello", "a-key")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert problem(refused) == (503, "out_of_files")
        assert "file descriptors" in refused.text
        assert (await visitor.says("hello", "a-key")).text == "hi"
