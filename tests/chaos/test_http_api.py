"""Calls of an HTTP API whose caller or whose Restate is killed while the API works, with a key and without one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest

from switchboard.local.process import Process, free_ports
from switchboard.loop.call_report import OUTCOME_UNKNOWN
from switchboard.retry import RetryPolicy, retry
from switchboard.testing import JSON, Answer
from tests.http_api.api_server import ApiServer, open_api
from tests.laboratory import Laboratory
from tests.parts import at_night
from tests.stored import readable

PATIENCE = RetryPolicy(pause=timedelta(milliseconds=100), attempts_max=600)
TOKEN = "token-0815-of-the-test"


@dataclass
class Callers:
    laboratory: Laboratory
    tools: Process
    server: ApiServer

    async def order(self, order_id: str, keyed: bool) -> Answer:
        """Order once, and wait for the answer across kills."""
        url = f"{self.laboratory.mesh.addresses.ingress_url}/ApiCallers/order"
        body, headers = {"order_id": order_id, "keyed": keyed}, {"idempotency-key": order_id}

        async def attempt() -> Answer:
            async with self.laboratory.http.post(url, json=body, headers=headers) as response:
                text: JSON = await response.json()
                # A Restate that has just started does not know its services yet, and answers so itself.
                if text.get("source") == "ingress" or (response.status >= 500 and "message" not in text):
                    raise aiohttp.ClientError(f"HTTP {response.status}")
                return Answer(response.status, text)

        return await retry(attempt, PATIENCE, (aiohttp.ClientError, ValueError))


@pytest.fixture(scope="module")
async def callers(laboratory: Laboratory) -> AsyncIterator[Callers]:
    (port,) = free_ports(1)
    tools = laboratory.mesh.service("api_callers", port, module="tests.chaos.api_callers")
    async with open_api() as server:
        tools.environment = {**tools.environment, "ORDERS_URL": server.url, "ORDERS_TOKEN": TOKEN}
        await tools.start()
        try:
            await laboratory.mesh.register(f"http://127.0.0.1:{port}")
            yield Callers(laboratory, tools, server)
        finally:
            server.hold.set()
            await tools.kill()


async def kill_the_caller(callers: Callers) -> None:
    await callers.tools.kill()
    await callers.tools.start()


async def kill_restate(callers: Callers) -> None:
    await callers.laboratory.mesh.restate.kill()
    await callers.laboratory.mesh.restate.start()


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without a key"])
@pytest.mark.parametrize("kill", [kill_the_caller, *at_night(kill_restate)])
async def test_order_whose_answer_is_lost_is_never_doubled(
    callers: Callers, kill: Callable[[Callers], Awaitable[None]], keyed: bool
) -> None:
    """With a key it is made once. Without one it may have been made, and the answer says that this is not known."""
    server, order_id = callers.server, f"o-{uuid4()}"
    server.hold.clear()
    ordered = asyncio.create_task(callers.order(order_id, keyed))
    await callers.laboratory.until(lambda: server.orders[order_id] == 1)
    await kill(callers)
    server.hold.set()
    answer = await ordered
    assert answer.status == (200 if keyed else OUTCOME_UNKNOWN), answer.body
    assert server.orders[order_id] == 1
    assert server.seen[f"/v1/orders/{order_id}"] == (2 if keyed else 1)


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without a key"])
async def test_undisturbed_order_is_made_once_and_its_token_is_not_journaled(callers: Callers, keyed: bool) -> None:
    order_id = f"o-{uuid4()}"
    answer = await callers.order(order_id, keyed)
    assert (answer.status, answer.body) == (200, {"order_id": order_id, "total": "7.00"})
    assert callers.server.seen[f"/v1/orders/{order_id}"] == 1
    rows = await callers.laboratory.query(
        f"SELECT id FROM sys_invocation WHERE idempotency_key = '{order_id}' AND target = 'ApiCallers/order'"
    )
    entries = await callers.laboratory.query(f"SELECT raw FROM sys_journal WHERE id = '{rows[0]['id']}'")
    journal = readable(entries)
    assert order_id.encode() in journal
    assert TOKEN.encode() not in journal
