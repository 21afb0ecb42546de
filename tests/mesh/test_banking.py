"""More tools of the bank on a real mesh: external transfers, currencies, standing orders, cards, early repayment."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from services.tools.bank.standing_orders.policy import due_at
from switchboard.testing import JSON, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import (
    DONE,
    TO_BANK,
    TOO_MUCH_FOR_DAVE,
    YES,
    Teller,
    instant,
    payment,
    schedule_soon,
    stored_state,
)

FRENCH_IBAN = "FR7630006000011234567890189"
TWO_REPAYMENTS = (("6000", "60.00"), ("2100", "21.00"))
"""Amounts and fees. Each repayment shortens the loan by months."""


async def test_external_transfer_is_sent_once_after_the_customers_yes(laboratory: Laboratory) -> None:
    teller, reference = Teller(laboratory), f"rent {uuid4()}"
    before = await teller.net_movement_of("carol")
    call = ("transfer_money", payment(FRENCH_IBAN, "12.00", recipient_name="Zoé Petit", reference=reference))
    carol, asked = await teller.request_call("carol", call)
    assert (
        "Send 12.00 EUR from your Checking account to an account at another bank, IBAN"
        " FR76 3000 6000 0112 3456 7890 189, payee “Zoé Petit”, reference “rent "
    ) in asked.text
    assert await teller.sent_externally(reference) == []
    await carol.says("yes")
    result = await teller.last_result(carol)
    assert result["summary"].startswith(
        "Sent 12.00 EUR from your Checking account to Zoé Petit at another bank, reference"
    )
    assert await teller.sent_externally(reference) == [Decimal("12.00")]
    assert await teller.net_movement_of("carol") == before - 12


async def test_transfer_in_another_currency_uses_the_account_in_that_currency(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    euros = await teller.balance("carol", "checking")
    dollars, erins = await teller.balance("carol", "checking-usd"), await teller.balance("erin", "checking-usd")
    result = await teller.result_of("carol", ("get_balance", {}))
    assert {total["currency"] for total in result["totals"]} == {"EUR", "USD"}
    terms = payment("erin", "10.00", recipient_name="Erin Evans", account="checking-usd") | {"currency": "USD"}
    await teller.confirm("carol", ("transfer_money", terms))
    assert await teller.balance("carol", "checking-usd") == dollars - 10
    assert await teller.balance("erin", "checking-usd") == erins + 10
    assert await teller.balance("carol", "checking") == euros


async def test_transactions_can_be_searched_and_months_add_up(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    search = {"merchant": "lucky spin", "period": "last_month", "amount_min": "30", "amount_max": "80"}
    found = await teller.result_of("alice", ("list_transactions", search))
    assert [entry["amount"] for entry in found["transactions"]] == ["-75.00"]
    table = await teller.result_of("alice", ("compare_months", {"months": 3}))
    for month, spent in zip(table["months"], table["spent"], strict=True):
        result = await teller.result_of("alice", ("summarize_spending", {"period": month}))
        assert result["total"] == spent, month


def standing(amount: str, starts: str, **more: str) -> tuple[str, JSON]:
    return ("create_standing_order", payment("bob", amount, every="month", starts=starts, **more))


async def order_after_transfer(teller: Teller, customer_id: str, order_id: str) -> JSON:
    """Wait until the order's first transfer is recorded, and return the order."""
    found: list[JSON] = []

    async def transfer_is_recorded() -> bool:
        book = (await stored_state(teller.laboratory, "StandingOrders"))[f"{customer_id}/orders"]
        found[:] = [order for order in book["kept"] if order["order_id"] == order_id and order["last"]]
        return bool(found)

    await teller.laboratory.until(transfer_is_recorded)
    return found[0]


async def test_standing_order_runs_once_over_a_restart_and_waits_for_next_month(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("bob")
    _, result = await schedule_soon(lambda at: teller.confirm("carol", standing("13.00", at, reference="rent")))
    order_id, first_at = result["order"]["order_id"], datetime.fromisoformat(result["order"]["next_at"])
    assert await teller.net_movement_of("bob") == before or datetime.now(UTC) >= first_at
    processes = [laboratory.mesh.restate, laboratory.mesh.services["tools"]]
    for process in processes:
        await process.kill()
    for process in processes:
        await process.start()
    order = await order_after_transfer(teller, "carol", order_id)
    assert order["last"].startswith("Sent 13.00 EUR from your Checking account to Bob Brandt, reference “rent”.")
    await teller.wait_until_idle()
    assert await teller.net_movement_of("bob") == before + 13
    listed = (await teller.result_of("carol", ("list_standing_orders", {})))["orders"]
    (mine,) = [order for order in listed if order["order_id"] == order_id]
    assert datetime.fromisoformat(mine["next_at"]) == due_at(first_at, "month", 1)
    change = {"order_id": order_id, "amount": "14.00", "currency": "EUR"}
    _, changed = await teller.confirm("carol", ("change_standing_order", change))
    assert changed["order"]["amount"] == "14.00"
    _, over = await teller.confirm("carol", ("cancel_standing_order", {"order_id": order_id}))
    assert over["summary"].startswith(
        f"Your standing order {order_id} was cancelled and makes no more transfers: 14.00"
    )
    timers = "SELECT id FROM sys_invocation WHERE status = 'scheduled' AND target = 'StandingOrders/carol/due'"

    async def no_timer() -> bool:
        return await laboratory.query(timers) == []

    await laboratory.until(no_timer)


async def test_failed_standing_order_transfer_notifies_and_order_continues(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    await teller.require_dave_is_overdrawn()
    before = await teller.net_movement_of("dave")
    dave, result = await schedule_soon(lambda at: teller.confirm("dave", standing(TOO_MUCH_FOR_DAVE, at)))
    order_id = result["order"]["order_id"]
    await teller.wait_for_notice(
        dave, f"A transfer of your standing order {order_id}, 4,999.00 EUR to Bob Brandt, failed:"
    )
    order = await order_after_transfer(teller, "dave", order_id)
    assert order["number"] == 1
    assert await teller.net_movement_of("dave") == before
    await teller.confirm("dave", ("cancel_standing_order", {"order_id": order_id}))


async def test_standing_order_that_can_never_run_is_refused(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    for amount, starts, why in (("5000.01", instant(60), "at most 5,000.00 EUR"), ("5.00", "2020-01-01", "the past")):
        _, result = await teller.confirm("carol", standing(amount, starts))
        assert why in result["refused"]


async def test_card_is_frozen_without_a_question_and_other_changes_need_one(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    frozen = await teller.result_of("erin", ("freeze_card", {}))
    assert (
        frozen["summary"]
        == "Your debit card ending in 6819 (CD-6819) is frozen. It cannot be used until you unfreeze it."
    )
    assert (await teller.result_of("erin", ("list_cards", {})))["cards"][0]["status"] == "frozen"
    _, usable = await teller.confirm("erin", ("unfreeze_card", {"card_id": "CD-6819"}))
    assert usable["card"]["status"] == "active"
    limits = {"card_id": "CD-6819", "day_limit": "900", "currency": "GBP"}
    _, changed = await teller.confirm("erin", ("change_card_limits", limits))
    assert changed["card"]["day_limit"] == "900.00"
    _, refused = await teller.confirm("erin", ("change_card_limits", {**limits, "cash_limit": "901"}))
    assert "the cash limit cannot be higher" in refused["refused"]
    _, others = await teller.confirm("erin", ("replace_card", {"card_id": "CD-4417", "reason": "lost"}))
    assert others["refused"].startswith("You have no card CD-4417.")


async def test_replaced_card_is_unusable_and_customer_gets_one_email(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    _, result = await teller.confirm("bob", ("replace_card", {"card_id": "CD-9953", "reason": "stolen"}))
    new = result["card"]["card_id"]
    assert (result["card"]["status"], result["card"]["account"]) == ("active", "checking")
    dead = await teller.result_of("bob", ("freeze_card", {"card_id": "CD-9953"}))
    assert dead["refused"] == f"Your card CD-9953 was replaced by {new} and can no longer be used."
    listed = await teller.result_of("bob", ("list_cards", {}))
    assert sorted(card["card_id"] for card in listed["cards"]) == sorted(["CD-3402", new])
    sent = (await stored_state(laboratory, "Outbox"))["bob/sent"]["emails"]
    letters = [email for email in sent if email["subject"] == "Your new debit card is on its way"]
    assert len(letters) == 1
    assert letters[0]["to"] == "bob.brandt@example.com"


async def test_early_repayment_charges_exactly_the_confirmed_fee(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("carol")
    quote = await teller.result_of("carol", ("quote_early_repayment", {"product": "home", "amount": "1000"}))
    assert (quote["loan_id"], quote["fee"], quote["total"]) == ("LN-1120", "10.00", "1010.00")
    owed = await outstanding(teller, "LN-1120")
    wanted = {"loan_id": "LN-1120", "amount": "1000", "currency": "EUR"}
    _, wrong = await teller.confirm("carol", ("repay_loan_early", {**wanted, "fee": "9.99"}))
    assert wrong["refused"].startswith("The fee is 10.00 EUR, not 9.99 EUR.")
    assert (await outstanding(teller, "LN-1120"), await teller.net_movement_of("carol")) == (owed, before)
    _, result = await teller.confirm("carol", ("repay_loan_early", {**wanted, "fee": "10"}))
    assert result["summary"].startswith("Repaid 1,000.00 EUR of your loan LN-1120, with a fee of 10.00 EUR.")
    assert await outstanding(teller, "LN-1120") == owed - 1000
    assert await teller.net_movement_of("carol") == before - 1010
    plan = await teller.result_of("carol", ("get_loan_schedule", {"loan_id": "LN-1120"}))
    assert (plan["remaining_payments"], plan["ends_on"]) == (result["remaining_payments"], result["ends_on"])


async def test_account_gets_debit_changes_from_the_loan_in_order(laboratory: Laboratory) -> None:
    """The loan sends the debit changes, because two parallel sagas could send theirs in the wrong order."""
    teller, loan = Teller(laboratory), "LN-1120"
    usual = {"loan_id": loan, "currency": "EUR", "account": "savings"}
    terms = [{**usual, "amount": amount, "fee": fee} for amount, fee in TWO_REPAYMENTS]
    scenes = [
        scene(f"go {way}", TO_BANK, calls(("repay_loan_early", term)), says(DONE)) for way, term in enumerate(terms)
    ]
    await laboratory.model.plays(*scenes, *YES)
    carols = [laboratory.customer("carol") for _ in terms]
    await asyncio.gather(*(carol.says(f"go {way}") for way, carol in enumerate(carols)))
    await asyncio.gather(*(carol.says("yes") for carol in carols))
    results = [await teller.last_result(carol) for carol in carols]
    assert not [result for result in results if "refused" in result]
    await teller.wait_until_idle()
    sql = "SELECT invoked_by_target FROM sys_invocation WHERE target = 'Accounts/carol/end_debits'"
    senders = {row["invoked_by_target"] for row in await laboratory.query(sql)}
    assert senders
    assert senders <= {
        f"Loans/carol/{handler}" for handler in ("reduce_loan", "undo_reduction", "grant_loan", "revoke_loan")
    }
    plan = await teller.result_of("carol", ("get_loan_schedule", {"loan_id": loan}))
    debits = (await stored_state(laboratory, "Accounts"))["carol/ended_debits"]["debits"]
    (mine,) = [entry for entry in debits if entry["debited_as"] == "Harbour Bank home loan"]
    assert mine["last_on"] == plan["ends_on"]


async def outstanding(teller: Teller, loan_id: str) -> Decimal:
    loans = (await teller.result_of("carol", ("list_loans", {})))["loans"]
    return next(Decimal(loan["outstanding"]) for loan in loans if loan["loan_id"] == loan_id)


@pytest.mark.parametrize(
    ("customer_id", "call", "why"),
    [
        ("dave", ("quote_early_repayment", {}), "is overdue. Please pay it before"),
        ("carol", ("quote_early_repayment", {"loan_id": "LN-1544"}), "This loan is paid off."),
        ("bob", ("quote_early_repayment", {"loan_id": "LN-1120"}), "You have no loan LN-1120."),
        (
            "carol",
            ("quote_early_repayment", {"loan_id": "LN-1120", "amount": "99"}),
            "You can repay at least 100.00 EUR early",
        ),
    ],
)
async def test_forbidden_early_repayment_is_refused(
    laboratory: Laboratory, customer_id: str, call: tuple[str, JSON], why: str
) -> None:
    assert why in (await Teller(laboratory).result_of(customer_id, call))["refused"]
