"""Payments in PostgreSQL happen exactly once, whatever is killed and whenever: the tools, PostgreSQL or Restate."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from switchboard.local.process import Process, free_ports
from switchboard.loop.call_report import OUTCOME_UNKNOWN
from switchboard.retry import RetryPolicy, retry
from switchboard.testing import JSON, Answer
from switchboard.toolkit.sql import TIMED_OUT, WRITES_TABLE
from tests.chaos.sql_purses import NOT_ENOUGH
from tests.laboratory import Laboratory
from tests.parts import at_night
from tests.postgres import Postgres

OWNERS = [f"owner{number}" for number in range(8)]
COINS = Decimal("1000.00")
AMOUNT = Decimal("7.00")

TABLES = """
CREATE TABLE purses (owner text PRIMARY KEY, coins numeric(12, 2) NOT NULL CONSTRAINT not_overdrawn CHECK (coins >= 0));
CREATE TABLE payments (reference text NOT NULL, coins numeric(12, 2) NOT NULL);
"""

PATIENCE = RetryPolicy(pause=timedelta(milliseconds=100), attempts_max=600)
"""A request is sent again after Restate was killed. Its idempotency key makes it one request."""

Body = dict[str, str]


@dataclass
class Purses:
    laboratory: Laboratory
    tools: Process
    postgres: Postgres
    address: str
    gates: Path

    async def pay(self, payer: str, payee: str, reference: str, coins: Decimal = AMOUNT) -> Answer:
        """Pay once, and wait for the answer across kills."""
        body = {"payer": payer, "payee": payee, "coins": str(coins), "reference": reference}
        url = f"{self.laboratory.mesh.addresses.ingress_url}/Purses/pay"

        async def attempt() -> Answer:
            async with self.laboratory.http.post(url, json=body, headers={"idempotency-key": reference}) as response:
                text: JSON = await response.json()
                # A Restate that has just started does not know its services yet, and answers so itself.
                if text.get("source") == "ingress" or (
                    response.status >= 500 and not {"code", "message"} & text.keys()
                ):
                    raise aiohttp.ClientError(f"HTTP {response.status}")
                return Answer(response.status, text)

        return await retry(attempt, PATIENCE, (aiohttp.ClientError, ValueError))

    async def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        async with await psycopg.AsyncConnection.connect(self.address, autocommit=True) as connection:
            cursor = await connection.execute(sql.encode(), parameters)
            return await cursor.fetchall()

    async def balances(self) -> dict[str, Decimal]:
        return {str(owner): Decimal(str(coins)) for owner, coins in await self.query("SELECT owner, coins FROM purses")}

    async def times_paid(self, reference: str) -> int:
        rows = await self.query("SELECT count(*) FROM payments WHERE reference = %s", reference)
        return int(str(rows[0][0]))

    def shut(self, gate: str, *references: str) -> None:
        (self.gates / gate).write_text("\n".join(references))

    def open(self, gate: str) -> None:
        (self.gates / gate).unlink()

    async def reached(self, gate: str, *references: str) -> None:
        await self.laboratory.until(lambda: all(self.has_reached(gate, reference) for reference in references))

    def has_reached(self, gate: str, reference: str) -> bool:
        return (self.gates / f"{reference}.{gate}.reached").exists()

    async def cancel(self, reference: str) -> None:
        """Cancel the payment as a customer's interrupt does."""
        rows = await self.laboratory.query(
            f"SELECT id FROM sys_invocation WHERE idempotency_key = '{reference}' AND target = 'Purses/pay'"
        )
        url = f"{self.laboratory.mesh.admin.url}/invocations/{rows[0]['id']}/cancel"
        async with self.laboratory.http.patch(url) as response:
            assert response.status == 202


@pytest.fixture(scope="module")
async def purses(
    laboratory: Laboratory, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Purses]:
    address = await postgres.create_database(f"purses_{uuid4().hex}")
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(WRITES_TABLE)
        await connection.execute(TABLES)
        for owner in OWNERS:
            await connection.execute("INSERT INTO purses VALUES (%s, %s)", (owner, COINS))
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("gates")
    tools = laboratory.mesh.service("sql_purses", port, module="tests.chaos.sql_purses")
    own = {"PURSES_URL": address, "GATES": str(folder), "SWITCHBOARD_SQL_STATEMENT_TIMEOUT": "PT60S"}
    tools.environment = {**tools.environment, **own, "SWITCHBOARD_SQL_CONNECT_TIMEOUT": "PT5S"}
    await tools.start()
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        yield Purses(laboratory, tools, postgres, address, folder)
    finally:
        await tools.kill()


async def kill_tools(purses: Purses) -> None:
    await purses.tools.kill()
    await purses.tools.start()


async def kill_postgres(purses: Purses) -> None:
    await purses.postgres.kill()
    await purses.postgres.start()


async def stop_postgres_at_once(purses: Purses) -> None:
    await purses.postgres.restart()


async def kill_restate(purses: Purses) -> None:
    await purses.laboratory.mesh.restate.kill()
    await purses.laboratory.mesh.restate.start()


async def kill_tools_and_postgres(purses: Purses) -> None:
    await asyncio.gather(kill_tools(purses), kill_postgres(purses))


async def lose_the_connection(purses: Purses) -> None:
    await purses.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'switchboard'")


KILLS = [
    *(kill_tools, kill_postgres, kill_restate, lose_the_connection),
    *at_night(stop_postgres_at_once, kill_tools_and_postgres),
]


async def changes(purses: Purses, before: dict[str, Decimal]) -> dict[str, Decimal]:
    after = await purses.balances()
    assert sum(after.values()) == sum(before.values())
    return {owner: coins - before[owner] for owner, coins in after.items() if coins != before[owner]}


@pytest.mark.parametrize("step", ["before", "in", "after"])
@pytest.mark.parametrize("kill", KILLS)
async def test_payment_killed_at_a_step_is_made_once(
    purses: Purses, kill: Callable[[Purses], Awaitable[None]], step: str
) -> None:
    before, reference = await purses.balances(), f"p-{uuid4()}"
    purses.shut(step, reference)
    payment = asyncio.create_task(purses.pay("owner0", "owner1", reference))
    await purses.reached(step, reference)
    await kill(purses)
    purses.open(step)
    answer = await payment
    assert (answer.status, answer.body) == (200, {"left": str(before["owner0"] - AMOUNT)})
    assert await changes(purses, before) == {"owner0": -AMOUNT, "owner1": AMOUNT}
    assert await purses.times_paid(reference) == 1


@pytest.mark.parametrize("step", ["before", "in", "after"])
async def test_interrupted_payment_says_whether_it_was_made(purses: Purses, step: str) -> None:
    before, reference = await purses.balances(), f"p-{uuid4()}"
    purses.shut(step, reference)
    payment = asyncio.create_task(purses.pay("owner2", "owner3", reference))
    await purses.reached(step, reference)
    await purses.cancel(reference)
    # A Restate that suspends at every await may tell the handler only after the step.
    if not purses.laboratory.replays:
        await purses.reached("cancelled", reference)
    heard = purses.has_reached("cancelled", reference)
    purses.open(step)
    answer = await payment
    made = await changes(purses, before) == {"owner2": -AMOUNT, "owner3": AMOUNT}
    assert answer.status == (200 if made else 409), answer.body
    assert answer.status != OUTCOME_UNKNOWN
    assert await purses.times_paid(reference) == int(made)
    assert made or step == "before"
    assert not (made and heard and step == "before")


async def test_deadlock_is_retried(purses: Purses) -> None:
    """Each of two payments holds the purse that the other one needs."""
    before, there, back = await purses.balances(), f"p-{uuid4()}", f"p-{uuid4()}"
    purses.shut("in", there, back)
    payments = [
        asyncio.create_task(purses.pay("owner4", "owner5", there, Decimal("3.00"))),
        asyncio.create_task(purses.pay("owner5", "owner4", back, Decimal("1.00"))),
    ]
    await purses.reached("in", there, back)
    purses.open("in")
    assert [answer.status for answer in await asyncio.gather(*payments)] == [200, 200]
    assert await changes(purses, before) == {"owner4": Decimal("-2.00"), "owner5": Decimal("2.00")}


async def test_violated_constraint_is_a_refusal(purses: Purses) -> None:
    before, reference = await purses.balances(), f"p-{uuid4()}"
    answer = await purses.pay("owner6", "owner7", reference, Decimal("5000"))
    assert (answer.status, answer.text) == (409, NOT_ENOUGH)
    assert await changes(purses, before) == {}


async def test_statement_that_waits_too_long_for_a_lock_changes_nothing(purses: Purses) -> None:
    before, reference = await purses.balances(), f"p-{uuid4()}"
    usual = purses.tools.environment
    purses.tools.environment = {**usual, "SWITCHBOARD_SQL_STATEMENT_TIMEOUT": "PT1S"}
    try:
        await kill_tools(purses)
        async with await psycopg.AsyncConnection.connect(purses.address) as holder:
            await holder.execute("SELECT 1 FROM purses WHERE owner = 'owner6' FOR UPDATE")
            answer = await purses.pay("owner6", "owner7", reference)
    finally:
        purses.tools.environment = usual
        await kill_tools(purses)
    assert (answer.status, answer.text) == (503, TIMED_OUT)
    assert await changes(purses, before) == {}


@pytest.mark.parametrize("seconds", [1, *at_night(60)])
@pytest.mark.parametrize("tools_start", [False, True], ids=["while the tools run", "when the tools start"])
async def test_postgres_that_is_away_delays_a_payment(purses: Purses, seconds: int, tools_start: bool) -> None:
    before, reference = await purses.balances(), f"p-{uuid4()}"
    await purses.postgres.stop()
    try:
        if tools_start:
            await kill_tools(purses)
        payment = asyncio.create_task(purses.pay("owner0", "owner1", reference))
        await asyncio.sleep(seconds)
    finally:
        await purses.postgres.start()
    assert (await payment).status == 200
    assert await changes(purses, before) == {"owner0": -AMOUNT, "owner1": AMOUNT}


async def test_two_hundred_payments_side_by_side_keep_the_sum(purses: Purses) -> None:
    """They deadlock often, because each locks its two purses in its own order. Meanwhile the tools are killed."""
    before, chance = await purses.balances(), random.Random(4)
    pairs = [chance.sample(OWNERS, 2) for _ in range(200)]
    references = [f"p-{uuid4()}" for _ in pairs]
    payments = [
        asyncio.create_task(purses.pay(payer, payee, reference, Decimal("1.00")))
        for (payer, payee), reference in zip(pairs, references, strict=True)
    ]
    await asyncio.sleep(0.5)
    await kill_tools(purses)
    answers = await asyncio.gather(*payments)
    made = [pair for pair, answer in zip(pairs, answers, strict=True) if answer.status == 200]
    assert {answer.status for answer in answers} <= {200, 503}
    assert len(made) >= 190
    expected: dict[str, Decimal] = dict.fromkeys(OWNERS, Decimal(0))
    for payer, payee in made:
        expected[payer] -= 1
        expected[payee] += 1
    assert await changes(purses, before) == {owner: coins for owner, coins in expected.items() if coins}
    rows = await purses.query("SELECT reference FROM payments WHERE reference = ANY(%s)", references)
    paid = [str(row[0]) for row in rows]
    assert sorted(paid) == sorted(ref for ref, answer in zip(references, answers, strict=True) if answer.status == 200)
