"""Which payments can be disputed, and which disputes need staff."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.tools.bank.accounts.contract import Transaction
from services.tools.bank.disputes import policy
from services.tools.bank.disputes.contract import (
    OPEN_MAX,
    RECORDS_MAX,
    DisputeCase,
    DisputeFacts,
    DisputeRequest,
    DisputeStatus,
    dispute_question,
)
from services.tools.bank.disputes.policy import Record, Records
from switchboard.builtin.approvals.contract import Decision

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAID = {"transaction_id": "TX-0000000001", "account": "checking", "merchant": "Fresh Basket", "category": "groceries"}


def paid(amount: str = "-62.40", days_ago: float = 3, **more: Any) -> Transaction:
    at = NOW - timedelta(days=days_ago)
    return Transaction.model_validate({**PAID, "booked_at": at, "amount": amount, "currency": "EUR", **more})


def request(amount: str = "62.40", **more: Any) -> DisputeRequest:
    terms = {"customer_id": "alice", "session_id": "s", "transaction_id": "TX-0000000001", "reason": "charged_twice"}
    return DisputeRequest.model_validate({**terms, "amount": amount, "currency": "EUR", **more})


def case(number: int = 1, amount: str = "20.00", days_ago: int = 0) -> DisputeCase:
    return DisputeCase(
        dispute_id=f"DP-{number:012}",
        customer_id="alice",
        session_id="s",
        transaction_id=f"TX-{number:010}",
        merchant="Fresh Basket",
        account="checking",
        paid_at=NOW,
        paid=Decimal("62.40"),
        amount=Decimal(amount),
        currency="EUR",
        reason="not_mine",
        words="",
        opened_at=NOW - timedelta(days=days_ago),
        decide_within_seconds=60,
    )


@pytest.mark.parametrize(
    ("of", "asked", "rule"),
    [
        (paid(), request(), None),
        (paid(), request("0.01"), None),
        (paid(), request("62.41"), "D3"),
        (paid(), request(currency="USD"), "T5"),
        (paid("62.40"), request(), ""),  # an incoming transaction
    ],
)
def test_dispute_of_more_than_was_paid_is_refused(of: Transaction, asked: DisputeRequest, rule: str | None) -> None:
    refused = policy.refuse_impossible(of, asked)
    assert (refused.rule if refused else None) == rule


@pytest.mark.parametrize(
    ("of", "rule"),
    [
        (paid(days_ago=120), None),
        (paid(days_ago=120.01), "D2"),
        (paid(category="transfers"), "D1"),
        (paid(category="rent"), "D1"),
    ],
)
def test_only_recent_card_payments_can_be_disputed(of: Transaction, rule: str | None) -> None:
    refused = policy.refuse_dispute(of, NOW)
    assert (refused.rule if refused else None) == rule


@pytest.mark.parametrize(
    ("status", "again"),
    [("checking", False), ("waiting_for_staff", False), ("accepted", False), ("rejected", False), ("undecided", True)],
)
def test_payment_can_be_disputed_again_only_if_undecided(status: DisputeStatus, again: bool) -> None:
    refused = policy.refuse_again(Records(records=(Record(case=case(), status=status),)), "TX-0000000001")
    assert (refused is None) is again
    assert policy.refuse_again(Records(), "TX-0000000001") is None


def test_small_disputes_are_credited_instantly_up_to_the_yearly_maximum() -> None:
    assert policy.may_credit_instantly(Records(), case(amount="25.00"))
    assert not policy.may_credit_instantly(Records(), case(amount="25.01"))
    before = Records(records=tuple(Record(case=case(n, days_ago=n), at_once=True) for n in range(1, 4)))
    assert not policy.may_credit_instantly(before, case(9))
    long_ago = Records(records=tuple(Record(case=case(n, days_ago=365 + n), at_once=True) for n in range(1, 4)))
    assert policy.may_credit_instantly(long_ago, case(9))
    by_staff = Records(records=tuple(Record(case=case(n)) for n in range(1, 9)))
    assert policy.may_credit_instantly(by_staff, case(9))


def test_consent_question_states_amount_payment_and_reason() -> None:
    facts = DisputeFacts(merchant="Fresh Basket", paid=Decimal("62.40"), currency="EUR", booked_on=date(2026, 11, 20))
    assert dispute_question(request(words="charged\n twice"), facts) == (
        "Dispute 62.40 EUR of the payment TX-0000000001 of 62.40 EUR on Friday, 20 November 2026 (reason: charged"
        " twice), paid to “Fresh Basket”, your description “charged twice”?"
    )


def test_dispute_is_rejected_by_staff_but_undecided_at_the_deadline() -> None:
    no = Decision(approval_id="DP", approved=False, by="mia", why="It was yours.", at=NOW)
    assert policy.closing(case(), no, staff=True).status == "rejected"
    assert policy.closing(case(), no, staff=False).status == "undecided"
    closed = policy.closed(Record(case=case()), policy.closing(case(), no, staff=True), NOW)
    assert policy.describe(closed) == (
        "Your dispute DP-000000000001 of 20.00 EUR at Fresh Basket was rejected. It was yours."
    )


def held(number: int, status: DisputeStatus = "accepted", first: int = 1, days_ago: int = 0) -> tuple[Record, ...]:
    return tuple(Record(case=case(n, days_ago=days_ago), status=status) for n in range(first, first + number))


@pytest.mark.parametrize(
    ("records", "refused"),
    [
        (held(OPEN_MAX - 1, "waiting_for_staff"), False),
        (held(OPEN_MAX, "waiting_for_staff"), True),
        (held(OPEN_MAX, "checking"), True),
        (held(OPEN_MAX, "rejected"), False),
        (held(RECORDS_MAX - 1), False),
        (held(RECORDS_MAX), True),
        (held(RECORDS_MAX, days_ago=365), False),
        ((*held(RECORDS_MAX - 1, days_ago=365), *held(1, first=900)), False),
    ],
)
def test_disputes_beyond_the_maximum_are_refused(records: tuple[Record, ...], refused: bool) -> None:
    refusal = policy.refuse_too_many(Records(records=records), NOW)
    assert (refusal.rule if refusal else "") == ("D6" if refused else "")


def test_only_closed_disputes_older_than_a_year_are_dropped() -> None:
    kept = (*held(1, "waiting_for_staff", days_ago=400), *held(2, first=2, days_ago=364))
    old = held(RECORDS_MAX - 3, first=10, days_ago=366)
    after = Records(records=(*kept, *old)).with_record(Record(case=case(999)))
    assert len(after.records) == RECORDS_MAX
    assert after.find(old[0].case.dispute_id) is None
    assert [after.find(record.case.dispute_id) for record in kept] == list(kept)
    assert policy.refuse_again(after, kept[1].case.transaction_id) is not None
