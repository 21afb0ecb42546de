"""Transfers on a real mesh: they are confirmed, complete, and never overdraw an account."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import DONE, TO_BANK, YES, Teller, payment, transfer_to


async def test_transfer_moves_money_after_the_customers_yes(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    carols, bobs = await teller.balance("carol"), await teller.balance("bob")
    before = await teller.net_movement_of("bob")
    carol, asked = await teller.request_call("carol", transfer_to("bob", "50.00", reference="dinner"))
    assert asked.text == (
        "Please confirm, with yes or no: "
        "Send 50.00 EUR from your Checking account to an account at this bank, customer bob, payee “Bob Brandt”,"
        " reference “dinner”?"
    )
    await teller.wait_until_idle()
    assert await teller.net_movement_of("bob") == before

    assert (await carol.says("yes")).text == DONE
    result = await teller.last_result(carol)
    assert result["summary"] == (
        "Sent 50.00 EUR from your Checking account to Bob Brandt, reference “dinner”."
        f" The new balance of your Checking account is {carols - 50:,.2f} EUR."
    )
    assert await teller.balance("carol") == carols - 50
    assert await teller.balance("bob") == bobs + 50
    seen = await teller.result_of("bob", ("list_transactions", {"category": "transfers", "limit": 1}))
    assert [(entry["merchant"], entry["amount"], entry["reference"]) for entry in seen["transactions"]] == [
        ("Carol Chen", "50.00", "dinner")
    ]


async def test_transfer_moves_nothing_after_a_no(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movements()
    carol, _ = await teller.request_call("carol", transfer_to("bob", "50.00"))
    assert (await carol.says("no")).text == "Okay, I won't do that."
    await teller.wait_until_idle()
    assert await teller.net_movements() == before


async def test_transfer_moves_money_once_when_confirmed_three_times(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("bob")
    carol, asked = await teller.request_call("carol", transfer_to("bob", "5.00"))
    held_id = asked.body["confirmation"]["held_id"]
    answers = await asyncio.gather(*(carol.asks("confirm", held_id=held_id) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    assert await teller.net_movement_of("bob") == before + 5


async def test_transfer_moves_money_from_checking_to_savings(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    checking, savings = await teller.balance("carol"), await teller.balance("carol", "savings")
    move = {"source": "checking", "target": "savings", "amount": "20.00", "currency": "EUR"}
    carol, asked = await teller.request_call("carol", ("move_between_own_accounts", move))
    assert asked.text.endswith("Move 20.00 EUR from your Checking account to your Savings account?")
    await carol.says("yes")
    assert await teller.balance("carol") == checking - 20
    assert await teller.balance("carol", "savings") == savings + 20


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (transfer_to("bob", "5000.01"), "or split it into several transfers. (rule T1)"),
        (transfer_to("bob", "5.00", recipient_name="Dave Dietz"), "matches 'bob' and the name Dave Dietz."),
        (transfer_to("bob", "5.00", recipient_name="Bob Brand"), "matches 'bob' and the name Bob Brand."),
        (transfer_to("carol", "5.00"), "Your Checking account cannot be both the source and the destination."),
        (transfer_to("erin", "5.00", recipient_name="Erin Evans"), "Erin Evans has no account in EUR at this bank."),
        (transfer_to("mallory", "5.00"), "No customer of this bank matches 'mallory' and the name mallory."),
        (
            transfer_to("NL91ABNA0417164300", "5.00", recipient_name="Jan de Vries"),
            "No money was transferred. The recipient's bank",
        ),
        (
            transfer_to("erin", "5.00", currency="USD"),
            "No customer of this bank matches 'erin' and the name erin.",
        ),
        (transfer_to("erin", "5.00", currency="USD", recipient_name="Erin Evans"), "Your Checking account is in EUR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_forbidden_transfer_is_refused_and_moves_nothing(
    laboratory: Laboratory, call: tuple[str, Any], reason: str
) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movements()
    _, result = await teller.confirm("carol", call)
    assert reason in result["refused"]
    await teller.wait_until_idle()
    assert await teller.net_movements() == before


async def test_invalid_amount_is_rejected_without_a_question(laboratory: Laboratory) -> None:
    for amount in ("0.00", "-5.00", "1.005", "NaN", "1e9999"):
        result = await Teller(laboratory).result_of("carol", transfer_to("bob", amount))
        assert "amount" in result["refused"], amount


async def test_model_cannot_choose_the_payer(laboratory: Laboratory) -> None:
    result = await Teller(laboratory).result_of("bob", transfer_to("bob", "5.00", customer_id="carol"))
    assert result["refused"] == "customer_id cannot be given: it is always the signed-in customer's."


async def test_parallel_transfers_never_overdraw_an_account(laboratory: Laboratory) -> None:
    """Dave has money for four transfers. Of ten that are confirmed in separate conversations, six are refused."""
    teller = Teller(laboratory)
    available = Decimal((await teller.result_of("dave", ("get_balance", {})))["accounts"][0]["available"])
    amount = (available / 4).quantize(Decimal("0.01")) - 1
    before = await teller.net_movements()
    await laboratory.model.plays(scene("go", TO_BANK, calls(transfer_to("carol", str(amount))), says(DONE)), *YES)
    daves = [laboratory.customer("dave") for _ in range(10)]
    await asyncio.gather(*(dave.says("go") for dave in daves))
    await asyncio.gather(*(dave.says("yes") for dave in daves))
    results = [await teller.last_result(dave) for dave in daves]
    refused = [result["refused"] for result in results if "refused" in result]
    assert len(refused) == 6
    assert all("There is not enough money in the Checking account." in why for why in refused)
    await teller.wait_until_idle()
    after = await teller.net_movements()
    assert after["dave"] == before.get("dave", 0) - 4 * amount
    assert after["carol"] == before.get("carol", 0) + 4 * amount
    carol, _ = await teller.request_call("carol", ("transfer_money", payment("dave", str(4 * amount))))
    assert (await carol.says("yes")).text == DONE


async def test_recipient_is_found_only_by_full_name(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    found = await teller.result_of("carol", ("find_recipient", {"recipient": "bob  brandt"}))
    assert found["summary"] == "Bob Brandt can receive EUR."
    assert found["recipient"] == "bob"
    result = await teller.result_of("carol", ("find_recipient", {"recipient": "Brandt"}))
    assert result["refused"].startswith("No customer of this bank matches 'Brandt'.")
