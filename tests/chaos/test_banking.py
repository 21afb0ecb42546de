"""kill -9 and cancellations during external payments and early repayments: sums stay right, payments are sent once."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import pytest

from switchboard.local.process import Process
from switchboard.testing import JSON, Answer, Customer
from tests.chaos.bank_gates import Gates, gates
from tests.kills import restart
from tests.laboratory import Laboratory
from tests.mesh.money import Teller, payment
from tests.parts import at_night

FRENCH_IBAN = "FR7630006000011234567890189"
LOAN = "LN-1120"

EXTERNAL_STEPS = ("Accounts.withdraw", "PaymentNetwork.submit")
REPAYMENT_STEPS = ("Accounts.withdraw", "Loans.reduce_loan")
"""Steps at which a test can block each saga."""

KILLED = ("saga", "objects", "all, Restate too")


@pytest.fixture(scope="module")
async def gate(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gates]:
    async with gates(laboratory, tmp_path_factory.mktemp("gates")) as opened:
        yield opened


def external_payment(reference: str) -> tuple[str, JSON]:
    return ("transfer_money", payment(FRENCH_IBAN, "7.00", recipient_name="Zoé Petit", reference=reference))


def early_repayment() -> tuple[str, JSON]:
    return ("repay_loan_early", {"loan_id": LOAN, "amount": "500", "fee": "5", "currency": "EUR"})


async def start(teller: Teller, call: tuple[str, JSON]) -> tuple[Customer, asyncio.Task[Answer]]:
    """Start a call that Carol has confirmed."""
    carol, asked = await teller.request_call("carol", call)
    assert asked.body["confirmation"], asked
    return carol, asyncio.create_task(carol.says("yes"))


async def wait_until_blocked(laboratory: Laboratory, step: str) -> None:
    """Wait until a step has been called. Its gate blocks it."""
    service, handler = step.split(".")
    sql = (
        f"SELECT id FROM sys_invocation WHERE target_service_name = '{service}' AND target_handler_name = '{handler}'"
        " AND status != 'completed'"
    )

    async def waits() -> bool:
        return bool(await laboratory.query(sql))

    await laboratory.until(waits)


def victims(laboratory: Laboratory, gate: Gates, killed: str) -> list[Process]:
    tools, restate = laboratory.mesh.services["tools"], laboratory.mesh.restate
    return {"saga": [tools], "objects": [gate.process], "all, Restate too": [restate, tools, gate.process]}[killed]


async def owed(teller: Teller) -> Decimal:
    loans = (await teller.result_of("carol", ("list_loans", {})))["loans"]
    return next(Decimal(loan["outstanding"]) for loan in loans if loan["loan_id"] == LOAN)


# By day, half of them: each step, and each process that dies.
@pytest.mark.at_night(chooses=lambda step, killed, **_: (EXTERNAL_STEPS.index(step) + KILLED.index(killed)) % 2)
@pytest.mark.parametrize("step", EXTERNAL_STEPS)
@pytest.mark.parametrize("killed", KILLED)
async def test_external_payment_killed_at_a_step_is_sent_once(
    laboratory: Laboratory, gate: Gates, step: str, killed: str
) -> None:
    teller, reference = Teller(laboratory), f"rent {uuid4()}"
    before = await teller.net_movement_of("carol")
    gate.shut(step)
    _, message = await start(teller, external_payment(reference))
    await wait_until_blocked(laboratory, step)
    await restart(*victims(laboratory, gate, killed))
    gate.open(step)
    await asyncio.gather(message, return_exceptions=True)  # The customer's connection breaks when Restate is killed.
    await teller.wait_until_idle()
    assert await teller.sent_externally(reference) == [Decimal("7.00")]
    assert await teller.net_movement_of("carol") == before - 7


@pytest.mark.parametrize("delay_ms", [0, 30, *at_night(10, 60)])
async def test_external_payment_killed_at_any_time_is_sent_once(
    laboratory: Laboratory, gate: Gates, delay_ms: int
) -> None:
    teller, reference = Teller(laboratory), f"rent {uuid4()}"
    before = await teller.net_movement_of("carol")
    _, message = await start(teller, external_payment(reference))
    await asyncio.sleep(delay_ms / 1000)
    await restart(laboratory.mesh.services["tools"], gate.process)
    await message
    await teller.wait_until_idle()
    assert await teller.sent_externally(reference) == [Decimal("7.00")]
    assert await teller.net_movement_of("carol") == before - 7


@pytest.mark.parametrize("step", EXTERNAL_STEPS)
async def test_external_payment_interrupted_at_a_step_is_not_sent(
    laboratory: Laboratory, gate: Gates, step: str
) -> None:
    teller, reference = Teller(laboratory), f"rent {uuid4()}"
    before = await teller.net_movement_of("carol")
    gate.shut(step)
    carol, message = await start(teller, external_payment(reference))
    await wait_until_blocked(laboratory, step)
    assert (await carol.asks("interrupt")).body == {"interrupted": True}
    assert (await message).body["interrupted"]
    gate.open(step)
    await teller.wait_until_idle()
    assert (await teller.sent_externally(reference), await teller.net_movement_of("carol")) == ([], before)


@pytest.mark.parametrize("delay_ms", [0, 20, *at_night(10, 40)])
async def test_external_payment_interrupted_at_any_time_is_sent_fully_or_not(
    laboratory: Laboratory, gate: Gates, delay_ms: int
) -> None:
    teller, reference = Teller(laboratory), f"rent {uuid4()}"
    before = await teller.net_movement_of("carol")
    carol, message = await start(teller, external_payment(reference))
    await asyncio.sleep(delay_ms / 1000)
    await carol.asks("interrupt")
    await message
    await teller.wait_until_idle()
    sent = await teller.sent_externally(reference)
    assert await teller.net_movement_of("carol") == before - sum(sent)
    assert sent in ([], [Decimal("7.00")])


# By day, half of them: each step, and each process that dies.
@pytest.mark.at_night(chooses=lambda step, killed, **_: (REPAYMENT_STEPS.index(step) + KILLED.index(killed)) % 2)
@pytest.mark.parametrize("step", REPAYMENT_STEPS)
@pytest.mark.parametrize("killed", KILLED)
async def test_early_repayment_killed_at_a_step_is_made_once(
    laboratory: Laboratory, gate: Gates, step: str, killed: str
) -> None:
    teller = Teller(laboratory)
    before, loan = await teller.net_movement_of("carol"), await owed(teller)
    gate.shut(step)
    _, message = await start(teller, early_repayment())
    await wait_until_blocked(laboratory, step)
    await restart(*victims(laboratory, gate, killed))
    gate.open(step)
    await asyncio.gather(message, return_exceptions=True)
    await teller.wait_until_idle()
    assert await teller.net_movement_of("carol") == before - 505
    assert await owed(teller) == loan - 500


@pytest.mark.parametrize("step", REPAYMENT_STEPS)
async def test_early_repayment_interrupted_at_a_step_changes_nothing(
    laboratory: Laboratory, gate: Gates, step: str
) -> None:
    teller = Teller(laboratory)
    before, loan = await teller.net_movement_of("carol"), await owed(teller)
    gate.shut(step)
    carol, message = await start(teller, early_repayment())
    await wait_until_blocked(laboratory, step)
    await carol.asks("interrupt")
    assert (await message).body["interrupted"]
    gate.open(step)
    await teller.wait_until_idle()
    assert (await teller.net_movement_of("carol"), await owed(teller)) == (before, loan)
