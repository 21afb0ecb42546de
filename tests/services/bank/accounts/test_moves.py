"""Moves are booked once, change balances and lists, respect overdraft and limits, and are bounded in number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.tools.bank.accounts import moves, policy, reports
from services.tools.bank.accounts.contract import TransactionQuery, Withdraw
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.moves import MOVES_LISTED, MOVES_MAX, REMEMBERED_FOR, Moves
from services.tools.bank.records import Account
from switchboard.toolkit.refusal import Refusal
from tests.services.bank.demo import ledger_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def request(amount: str = "10.00", move_id: str = "m", **more: Any) -> Withdraw:
    fields = {"account": "checking", "currency": "EUR", "counterparty": "Carol Chen", "category": "transfers"}
    return Withdraw.model_validate({"move_id": move_id, "amount": amount, **fields, **more})


def bobs(so_far: Moves | None = None, now: datetime = NOW) -> Ledger:
    """Return Bob's ledger: a balance of 86.42 and an overdraft of 500."""
    return ledger_of("bob", NOW, now, so_far or Moves())


def withdrawn(*requests: Withdraw, at: datetime = NOW) -> Moves:
    so_far = Moves()
    for each in requests:
        so_far = moves.book(so_far, moves.withdrawal(each, at))
    return so_far


def checking(ledger: Ledger) -> Account:
    return ledger.customer.accounts[0]


def test_move_changes_the_balance_and_is_listed_first() -> None:
    ledger = bobs(withdrawn(request("10.00", reference="dinner")))
    assert ledger.balance(checking(ledger)) == Decimal("76.42")
    newest = reports.transactions(ledger, TransactionQuery(limit=1)).transactions[0]
    assert (newest.merchant, newest.amount, newest.reference) == ("Carol Chen", Decimal("-10.00"), "dinner")
    booked = [entry.booked_at for entry in ledger.booked]
    assert booked == sorted(booked, reverse=True)


@pytest.mark.parametrize(
    ("withdrawal", "refusal"),
    [
        (request("586.42"), None),
        (request("586.43"), "586.42 EUR is available, including the overdraft, but the payment is 586.43 EUR."),
        (request(account="savings"), "You have no Savings account. Your accounts: Checking."),
        (request(currency="USD"), "The Checking account is in EUR, not in USD."),
    ],
    ids=lambda value: str(value)[:24],
)
def test_withdrawal_is_validated(withdrawal: Withdraw, refusal: str | None) -> None:
    result = policy.validate_withdrawal(bobs(), withdrawal)
    assert isinstance(result, Account) if refusal is None else isinstance(result, Refusal) and refusal in result.why


def test_daily_limit_counts_limited_moves_of_the_day_unless_undone() -> None:
    so_far = withdrawn(
        request("15.00", "a", day_limit="20.00"), request("15.00", "b"), request("4.00", "c", day_limit="20.00")
    )
    assert so_far.limited_on(NOW, {"checking"}) == Decimal("19.00")
    assert moves.call_off(so_far, "a", NOW).limited_on(NOW, {"checking"}) == Decimal("4.00")
    assert so_far.limited_on(NOW + timedelta(days=1), {"checking"}) == 0
    refused = policy.refuse_over_day_limit(bobs(so_far), request("1.01", day_limit="20.00"))
    assert refused is not None
    assert refused.why == "That exceeds the daily limit of 20.00 EUR. You can still send 1.00 EUR today."
    assert refused.rule == "T2"
    assert policy.refuse_over_day_limit(bobs(so_far), request("1.00", day_limit="20.00")) is None
    assert policy.refuse_over_day_limit(bobs(so_far), request("99.00")) is None
    tomorrow = bobs(so_far, NOW + timedelta(days=1))
    assert policy.refuse_over_day_limit(tomorrow, request("20.00", day_limit="20.00")) is None


def test_undone_move_is_removed_and_its_id_is_blocked() -> None:
    so_far = moves.call_off(withdrawn(request("10.00", "a"), request("1.00", "b")), "a", NOW)
    assert so_far.totals == {"checking": Decimal("-1.00")}
    assert [move.move_id for move in so_far.listed] == ["b"]
    assert moves.call_off(so_far, "a", NOW) == so_far
    refused = policy.validate_move(bobs(so_far), request("10.00", "a"))
    assert refused == Refusal("This payment was cancelled. Please start a new payment.")


def test_move_cancelled_before_booking_cannot_be_booked() -> None:
    so_far = moves.call_off(Moves(), "a", NOW)
    assert so_far.totals == {}
    assert isinstance(policy.validate_withdrawal(bobs(so_far), request(move_id="a")), Refusal)


@pytest.mark.parametrize(("spent", "expected"), [("86.42", False), ("586.42", False), ("586.43", True)])
def test_deposit_can_be_undone_until_it_is_spent(spent: str, expected: bool) -> None:
    so_far = moves.book(Moves(), moves.deposit(request("100.00", "in"), NOW))
    so_far = moves.book(so_far, moves.withdrawal(request(spent, "out"), NOW))
    assert policy.is_spent(bobs(so_far), "in") is expected
    assert not policy.is_spent(bobs(so_far), "unknown")
    assert not policy.is_spent(bobs(so_far), "out")


def test_old_moves_are_dropped_but_their_total_is_kept() -> None:
    so_far = withdrawn(*(request("1.00", f"m{number}") for number in range(MOVES_LISTED + 50)))
    assert len(so_far.listed) == MOVES_LISTED + 50
    later = NOW + REMEMBERED_FOR
    so_far = moves.book(so_far, moves.withdrawal(request("1.00", "last"), later))
    assert len(so_far.listed) == MOVES_LISTED
    assert so_far.total("checking") == -(MOVES_LISTED + 51)
    assert so_far.find("m0") is None
    assert so_far.find("m300") is not None


def test_moves_beyond_the_maximum_are_refused_until_older_ones_expire() -> None:
    one = moves.withdrawal(request("0.01"), NOW)
    full = Moves(listed=(one,) * MOVES_MAX)
    refused = policy.validate_withdrawal(bobs(full), request("0.01", "new"))
    assert isinstance(refused, Refusal)
    assert refused.status_code == policy.TOO_MANY
    assert isinstance(policy.validate_move(bobs(full, NOW + REMEMBERED_FOR), request("0.01", "new")), Account)
