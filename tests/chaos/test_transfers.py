"""A transfer that is killed or cancelled at any step is complete or undone, and the total sum is unchanged."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from switchboard.local.process import Process, free_ports
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.kills import restart
from tests.laboratory import Laboratory, is_inexact
from tests.mesh.money import DONE, TO_BANK, YES, Teller, payment, stored_state, transfer_to
from tests.midnight import within_one_day
from tests.parts import at_night

PAYER, RECIPIENT = "carol", "bob"
AMOUNT = Decimal("7.00")

STEPS = {"withdraw": PAYER, "deposit": RECIPIENT}
"""Steps at which a test can block a transfer, and the customer whose account's lock blocks it."""

KILLED = ("transfers", "accounts", "agent and session", "all, Restate too")


@dataclass
class Bank:
    """The mesh with the accounts in a separate process."""

    laboratory: Laboratory
    accounts: Process
    teller: Teller

    @property
    def transfers(self) -> Process:
        return self.laboratory.mesh.services["tools"]

    async def vault(self, customer_id: str, handler: str, **request: Any) -> Answer:
        url = f"{self.laboratory.mesh.addresses.ingress_url}/Vault/{customer_id}/{handler}"
        async with self.laboratory.http.post(url, json=request) as response:
            text = await response.text()
            body: JSON = await response.json() if text else {}
            return Answer(response.status, body)

    async def held_by(self, customer_id: str) -> str | None:
        sql = (
            "SELECT value_utf8 FROM state WHERE service_name = 'Accounts' AND key = 'held_by'"
            f" AND service_key = '{customer_id}'"
        )
        rows = await self.laboratory.query(sql)
        return str(rows[0]["value_utf8"]).strip('"') if rows else None

    @asynccontextmanager
    async def holding(self, customer_id: str) -> AsyncIterator[None]:
        """Hold the lock of a customer's accounts until the end of the block."""
        await self.vault(customer_id, "lock")

        async def held() -> bool:
            return await self.held_by(customer_id) is not None

        await self.laboratory.until(held)
        held_by = await self.held_by(customer_id)
        try:
            yield
        finally:
            url = f"{self.laboratory.mesh.addresses.ingress_url}/restate/awakeables/{held_by}/resolve"
            async with self.laboratory.http.post(url, json="go") as response:
                assert response.status == 202

    async def start_transfer(self) -> tuple[Customer, asyncio.Task[Answer]]:
        """Start a confirmed transfer."""
        carol, _ = await self.teller.request_call(PAYER, transfer_to(RECIPIENT, str(AMOUNT)))
        return carol, asyncio.create_task(carol.says("yes"))

    async def wait_until_blocked(self, carol: Customer, step: str) -> None:
        """Wait until a step of the transfer waits for the lock."""

        async def waits() -> bool:
            rows = await self.laboratory.invocations(carol.session, step)
            return any(row["status"] not in ("completed", "running") for row in rows)

        await self.laboratory.until(waits)

    async def invocation(self, carol: Customer, handler: str) -> str:
        (row,) = await self.laboratory.invocations(carol.session, handler)
        return str(row["id"])

    async def cancel(self, invocation_id: str) -> None:
        url = f"{self.laboratory.mesh.admin.url}/invocations/{invocation_id}/cancel"
        async with self.laboratory.http.patch(url) as response:
            assert response.status == 202

    async def sums(self) -> dict[str, Decimal]:
        """Wait until nothing is running, and return the net movement by customer."""
        await self.teller.wait_until_idle()
        return await self.teller.net_movements()

    async def changed(self, before: dict[str, Decimal]) -> dict[str, Decimal]:
        """Wait until nothing is running. Return the changes by customer, and check that the total is unchanged."""
        after = await self.sums()
        assert sum(after.values()) == sum(before.values())
        names = before.keys() | after.keys()
        changes = {name: after.get(name, Decimal(0)) - before.get(name, Decimal(0)) for name in names}
        return {name: change for name, change in changes.items() if change}


COMPLETE = {PAYER: -AMOUNT, RECIPIENT: AMOUNT}
UNDONE: dict[str, Decimal] = {}


@pytest.fixture(scope="module")
async def bank(laboratory: Laboratory) -> AsyncIterator[Bank]:
    """Serve the accounts in a separate process, and at the end from the tools' process again."""
    async with bank_with_accounts(laboratory) as opened:
        yield opened


@asynccontextmanager
async def bank_with_accounts(
    laboratory: Laboratory, teller: Teller | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Bank]:
    (port,) = free_ports(1)
    accounts = laboratory.mesh.service("held_accounts", port, module="tests.chaos.held_accounts")
    accounts.environment = {**accounts.environment, **(environment or {})}
    await accounts.start()
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        yield Bank(laboratory, accounts, teller or Teller(laboratory))
        await laboratory.mesh.register(f"http://127.0.0.1:{laboratory.mesh.services['tools'].port}")
        await remove_deployment(laboratory, port)
    finally:
        await accounts.stop()


async def remove_deployment(laboratory: Laboratory, port: int) -> None:
    """Remove a deployment, so that the ingress no longer exposes it."""
    rows = await laboratory.query("SELECT id, endpoint FROM sys_deployment")
    (deployment,) = (row["id"] for row in rows if f":{port}" in row["endpoint"])
    url = f"{laboratory.mesh.admin.url}/deployments/{deployment}?force=true"
    async with laboratory.http.delete(url) as response:
        assert response.status in (200, 202), await response.text()


# By day, half of them: each step, and each process that dies.
@pytest.mark.at_night(chooses=lambda step, killed, **_: ([*STEPS].index(step) + KILLED.index(killed)) % 2)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("killed", KILLED)
async def test_transfer_killed_at_a_step_is_made_once(bank: Bank, step: str, killed: str) -> None:
    services = bank.laboratory.mesh.services
    processes = {
        "transfers": [bank.transfers],
        "accounts": [bank.accounts],
        "agent and session": [services["bank"], services["triage"]],
        "all, Restate too": [bank.laboratory.mesh.restate, bank.transfers, bank.accounts, services["bank"]],
    }[killed]
    before = await bank.sums()
    async with bank.holding(STEPS[step]):
        carol, message = await bank.start_transfer()
        await bank.wait_until_blocked(carol, step)
        await restart(*processes)
    if killed == "all, Restate too":
        await asyncio.gather(message, return_exceptions=True)  # The customer's connection broke with Restate.
    else:
        assert (await message).text == DONE
    assert await bank.changed(before) == COMPLETE


@pytest.mark.parametrize("delay_ms", [0, 10, 40, *at_night(5, 20, 80)])
async def test_transfer_killed_at_any_time_is_made_once(bank: Bank, delay_ms: int) -> None:
    before = await bank.sums()
    _, message = await bank.start_transfer()
    await asyncio.sleep(delay_ms / 1000)
    await restart(bank.transfers, bank.accounts)
    assert (await message).text == DONE
    assert await bank.changed(before) == COMPLETE


@pytest.mark.parametrize("step", STEPS)
async def test_interrupt_at_a_step_undoes_the_transfer(bank: Bank, step: str) -> None:
    before = await bank.sums()
    async with bank.holding(STEPS[step]):
        carol, message = await bank.start_transfer()
        await bank.wait_until_blocked(carol, step)
        assert (await carol.asks("interrupt")).body == {"interrupted": True}
        answer = await message
    assert answer.body["interrupted"]
    # While the recipient's lock is held, it is unknown whether the deposit was made.
    said = "Not done: transfer money" if step == "withdraw" else "I don't know whether"
    # On a busy machine the agent cannot report in time.
    assert said in answer.text or is_inexact(answer.text), answer.text
    assert await bank.changed(before) == UNDONE


@pytest.mark.parametrize("killed", ["transfers", "accounts"])
async def test_undo_survives_kills_and_a_second_cancellation(bank: Bank, killed: str) -> None:
    before = await bank.sums()
    async with bank.holding(RECIPIENT):
        carol, message = await bank.start_transfer()
        await bank.wait_until_blocked(carol, "deposit")
        transfer = await bank.invocation(carol, "transfer_money")
        await bank.cancel(transfer)

        async def undo_has_started() -> bool:
            return "Transfers/end_transfer" in await bank.teller.running_invocations()

        await bank.laboratory.until(undo_has_started)
        await bank.cancel(transfer)
        await restart(bank.transfers if killed == "transfers" else bank.accounts)
    await message
    assert await bank.changed(before) == UNDONE


@pytest.mark.parametrize("delay_ms", [0, 10, 40, *at_night(5, 20)])
async def test_interrupt_at_any_time_leaves_the_transfer_complete_or_undone(bank: Bank, delay_ms: int) -> None:
    before = await bank.sums()
    carol, message = await bank.start_transfer()
    await asyncio.sleep(delay_ms / 1000)
    await carol.asks("interrupt")
    answer = await message
    changed = await bank.changed(before)
    assert changed in (COMPLETE, UNDONE)
    if answer.body["interrupted"] and "Done: transfer money" in answer.text:
        assert changed == COMPLETE
    if "Not done: transfer money" in answer.text:
        assert changed == UNDONE


async def test_cancellation_after_the_deposit_never_undoes_only_half(bank: Bank) -> None:
    """The deposit is made while the transfer's process is down. The restarted process also finds the cancellation."""
    before = await bank.sums()
    async with bank.holding(RECIPIENT):
        carol, message = await bank.start_transfer()
        await bank.wait_until_blocked(carol, "deposit")
        await bank.transfers.kill()

    async def deposited() -> bool:
        return (await bank.teller.net_movements()).get(RECIPIENT, 0) == before.get(RECIPIENT, 0) + AMOUNT

    try:
        await bank.laboratory.until(deposited)
        await bank.cancel(await bank.invocation(carol, "transfer_money"))
    finally:
        await bank.transfers.start()
    await message
    assert await bank.changed(before) in (COMPLETE, UNDONE)


def move(move_id: str, amount: str = "3.00") -> JSON:
    return {
        "move_id": move_id,
        "account": "checking",
        "amount": amount,
        "currency": "EUR",
        "counterparty": "Test",
        "category": "transfers",
    }


async def test_repeated_move_and_repeated_undo_each_happen_once(bank: Bank) -> None:
    before, name = await bank.sums(), str(uuid4())
    for _ in range(2):
        assert (await bank.vault(PAYER, "deposit", **move(name))).status == 200
    assert await bank.teller.net_movement_of(PAYER) == before.get(PAYER, 0) + 3
    for _ in range(2):
        assert (await bank.vault(PAYER, "undo", move_id=name)).body == {"stands": False}
    assert await bank.changed(before) == UNDONE


async def test_move_undone_in_advance_is_never_made(bank: Bank) -> None:
    before, name = await bank.sums(), str(uuid4())
    await bank.vault(PAYER, "undo", move_id=name)
    for handler in ("withdraw", "deposit"):
        answer = await bank.vault(PAYER, handler, **move(name))
        assert (answer.status, answer.text) == (409, "This payment was cancelled. Please start a new payment.")
    assert await bank.changed(before) == UNDONE


async def test_undo_keeps_a_deposit_that_was_already_spent(bank: Bank) -> None:
    before = await bank.sums()
    came, went = str(uuid4()), str(uuid4())
    await bank.vault("dave", "deposit", **move(came, "1000.00"))
    result = await bank.teller.result_of("dave", ("get_balance", {}))
    available = result["accounts"][0]["available"]
    await bank.vault("dave", "withdraw", **move(went, available))
    assert (await bank.vault("dave", "undo", move_id=came)).body == {"stands": True}
    for name in (went, came):
        assert (await bank.vault("dave", "undo", move_id=name)).body == {"stands": False}
    assert await bank.changed(before) == UNDONE


FRENCH_IBAN = "FR7630006000011234567890189"


async def test_parallel_payments_never_exceed_the_daily_limit(bank: Bank) -> None:
    """Twenty payments of 1,500.00, half of them to another bank. The limit of 10,000.00 a day allows six."""
    await within_one_day()
    before, came, reference = await bank.sums(), str(uuid4()), f"limit {uuid4()}"
    await bank.vault("bob", "deposit", **move(came, "30000.00"))
    terms = {"amount": "1500.00", "reference": reference}
    ways = [payment("carol", **terms), payment(FRENCH_IBAN, recipient_name="Zoé Petit", **terms)]
    customers = [bank.laboratory.customer("bob") for _ in range(20)]
    scenes = [scene(f"go {way}", TO_BANK, calls(("transfer_money", ways[way])), says(DONE)) for way in range(2)]
    await bank.laboratory.model.plays(*scenes, *YES)
    await asyncio.gather(*(bob.says(f"go {number % 2}") for number, bob in enumerate(customers)))
    await asyncio.gather(*(bob.says("yes") for bob in customers))
    results = [await bank.teller.last_result(bob) for bob in customers]
    refused = [result["refused"] for result in results if "refused" in result]
    assert len(refused) == 14
    assert all("the daily limit of 10,000.00 EUR. You can still send 1,000.00 EUR" in why for why in refused)
    sent = await bank.teller.sent_externally(reference)
    after = await bank.sums()
    assert after["bob"] == before.get("bob", 0) + 30_000 - 6 * 1_500
    assert after.get("carol", 0) == before.get("carol", 0) + (6 - len(sent)) * 1_500
    # Undo the payments, so that later tests can use the day's limit.
    booked = (await stored_state(bank.laboratory, "Accounts"))["bob/moves"]["listed"]
    mine = [entry["move_id"] for entry in booked if entry["reference"] == reference]
    assert len(mine) == 6
    for name in (*mine, came):
        await bank.vault("bob", "undo", move_id=name)
