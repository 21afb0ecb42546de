"""Unauthenticated sessions on a real mesh: the bank shows and changes nothing before two facts are verified."""

import json
from typing import Any

import pytest

from services.bank.agent import bank
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from switchboard.toolkit.verified_customers import VERIFY_FIRST
from tests.laboratory import Laboratory
from tests.mesh.lending import call_approvals
from tests.mesh.money import DONE, TO_BANK, YES, Teller, payment

ALICE = {"date_of_birth": "1988-04-17", "email": "alice@example.com"}
CAROL = {"phone": "+49 89 5550103", "email": "carol@example.com"}

NOT_PERSONAL = {"verify_identity", "find_date"}
"""The only tools of the bank that an unverified customer can use."""

TERMS = payment("bob", "5.00")
DAY = "2099-01-01"

CALLS: dict[str, JSON] = {
    "get_balance": {},
    "list_transactions": {},
    "summarize_spending": {},
    "compare_months": {},
    "list_loans": {},
    "get_loan_schedule": {"loan_id": "LN-2041"},
    "quote_early_repayment": {"loan_id": "LN-2041"},
    "repay_loan_early": {"loan_id": "LN-2041", "amount": "100", "fee": "1", "currency": "EUR"},
    "apply_for_loan": {"amount": "1000", "term_months": 12, "purpose": "a kitchen"},
    "get_loan_application": {"application_id": "LA-000000000000"},
    "list_loan_applications": {},
    "find_recipient": {"recipient": "Bob Brandt"},
    "transfer_money": TERMS,
    "move_between_own_accounts": {"source": "savings", "target": "checking", "amount": "5", "currency": "EUR"},
    "schedule_transfer": {**TERMS, "on": DAY},
    "list_scheduled": {},
    "cancel_scheduled": {"schedule_id": "T1"},
    "create_standing_order": {**TERMS, "every": "month", "starts": DAY},
    "list_standing_orders": {},
    "change_standing_order": {"order_id": "S1", "reference": "rent"},
    "cancel_standing_order": {"order_id": "S1"},
    "list_cards": {},
    "freeze_card": {"card_id": "CD-4417"},
    "unfreeze_card": {"card_id": "CD-4417"},
    "replace_card": {"card_id": "CD-4417", "reason": "lost"},
    "change_card_limits": {"card_id": "CD-4417", "day_limit": "1", "currency": "EUR"},
    "open_dispute": {"transaction_id": "TX-0000000000", "amount": "1", "currency": "EUR", "reason": "not_mine"},
    "list_disputes": {},
    "remind_me": {"text": "x", "after": 3600},
    "list_reminders": {},
    "cancel_reminder": {"reminder_id": "R1"},
}


def guest(laboratory: Laboratory, customer_id: str = "alice", **more: Any) -> Customer:
    return laboratory.customer(customer_id, signed_in=False, **more)


async def last(customer: Customer) -> JSON:
    found: JSON = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    return found


async def call(laboratory: Laboratory, customer: Customer, tool: str, arguments: JSON) -> JSON:
    """Return the result of a call by the model, after the customer's yes if it asks for one."""
    known = await customer.asks("status")
    steps = (calls((tool, arguments)), says(DONE))
    await laboratory.model.plays(
        scene("go", *(steps if known.body.get("active_agent") == "Bank" else (TO_BANK, *steps))), *YES
    )
    answer = await customer.says("go")
    assert answer.status == 200, answer
    if answer.body["confirmation"]:
        await customer.says("yes")
    return await last(customer)


def test_table_covers_every_tool_of_the_bank() -> None:
    assert {tool.name for tool in bank.tools} == CALLS.keys() | NOT_PERSONAL


@pytest.mark.parametrize("tool", sorted(CALLS))
async def test_tool_refuses_an_unverified_customer(laboratory: Laboratory, tool: str) -> None:
    result = await call(laboratory, guest(laboratory), tool, CALLS[tool])
    assert (result["ok"], result["content"]) == (False, VERIFY_FIRST), result


async def test_two_correct_facts_verify_this_session_only(laboratory: Laboratory) -> None:
    alice = guest(laboratory)
    result = json.loads((await call(laboratory, alice, "verify_identity", ALICE))["content"])
    assert result["verified"], result
    assert json.loads((await call(laboratory, alice, "get_balance", {}))["content"])["accounts"]
    assert not (await call(laboratory, guest(laboratory), "get_balance", {}))["ok"]
    # A verified session of one customer gives no access to another customer's tools.
    assert not (await call(laboratory, guest(laboratory, "bob"), "get_balance", {}))["ok"]


async def test_confirmed_transfer_runs_once_after_verification(laboratory: Laboratory) -> None:
    teller, carol = Teller(laboratory), guest(laboratory, "carol")
    before = await teller.net_movement_of("bob")
    assert not (await call(laboratory, carol, "transfer_money", TERMS))["ok"]
    await call(laboratory, carol, "verify_identity", CAROL)
    assert (await call(laboratory, carol, "transfer_money", TERMS))["ok"]
    assert await teller.net_movement_of("bob") == before + 5


async def test_wrong_facts_are_counted_and_recorded_and_lock_the_check(laboratory: Laboratory) -> None:
    dave = guest(laboratory, "dave")
    right = {"date_of_birth": "1996-01-09", "email": "dave@example.com"}
    wrong = {**right, "email": "dave@example.org"}
    one = await call(laboratory, dave, "verify_identity", {"email": "dave@example.com"})
    assert not one["ok"]  # One fact alone does not count as a try.
    left = [
        json.loads((await call(laboratory, dave, "verify_identity", wrong))["content"])["tries_left"] for _ in range(3)
    ]
    assert left == [2, 1, 0]
    locked = json.loads((await call(laboratory, dave, "verify_identity", right))["content"])
    assert locked["summary"].startswith("There were too many wrong answers.")
    assert not (await call(laboratory, dave, "get_balance", {}))["ok"]
    record = await staff_record(laboratory, "dave")
    mine = [entry for entry in record["tries"] if entry["session_id"] == dave.session]
    assert [entry["outcome"] for entry in mine] == ["locked", "wrong", "wrong", "wrong"]
    assert mine[0]["facts"] == ["date_of_birth", "email"]
    assert "1996" not in str(mine)
    assert "example" not in str(mine)


async def staff_record(laboratory: Laboratory, customer_id: str) -> JSON:
    answer = await laboratory.staff().calls("IdentityRecords", "list", customer_id=customer_id)
    assert answer.status == 200
    return answer.body


async def test_model_cannot_claim_that_the_customer_is_signed_in(laboratory: Laboratory) -> None:
    for field in ("signed_in", "session_id"):
        result = await call(laboratory, guest(laboratory), "get_balance", {field: "true"})
        assert result["content"] == f"{field} cannot be given: it is always the signed-in customer's."


async def test_signed_in_session_never_becomes_unauthenticated(laboratory: Laboratory) -> None:
    visitor = guest(laboratory)
    await call(laboratory, visitor, "list_cards", {})
    assert (await visitor.asks("status")).body["signed_in"] is False
    alice = laboratory.customer("alice", session=visitor.session)
    assert (await call(laboratory, alice, "get_balance", {}))["ok"]
    assert (await alice.asks("status")).body["signed_in"] is True
    for refused in (await refusals(visitor), await refusals(guest(laboratory, session=alice.session))):
        assert refused == {
            "This conversation belongs to a signed-in customer. Please sign in to continue it, or start a new one."
        }


async def refusals(visitor: Customer) -> set[str]:
    """Call every public handler of the session, and return the texts of the refusals."""
    answers: list[Answer] = [await visitor.says("how much is my balance?")]
    answers += [await visitor.asks(handler) for handler in ("status", "transcript", "interrupt")]
    answers += [await visitor.asks(handler, held_id="h") for handler in ("confirm", "decline")]
    answers.append(await visitor.asks("steer", text="hello"))
    assert {answer.status for answer in answers} == {403}
    return {answer.text for answer in answers}


async def test_identity_checks_are_not_reachable_from_outside(laboratory: Laboratory) -> None:
    answer = await call_approvals(laboratory, "list")
    assert answer.status == 200  # Staff services are public.
    url = f"{laboratory.mesh.addresses.ingress_url}/IdentityChecks/alice/verify_identity"
    async with laboratory.http.post(url, json={"session_id": "s", **ALICE}) as response:
        assert response.status in (400, 404)
