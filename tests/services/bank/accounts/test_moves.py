"""Moves of money: each once, in the lists and the balances, within overdraft and limits, and bounded."""

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


def ask(amount: str = "10.00", move_id: str = "m", **more: Any) -> Withdraw:
    fields = {"account": "checking", "currency": "EUR", "counterparty": "Carol Chen", "category": "transfers"}
    return Withdraw.model_validate({"move_id": move_id, "amount": amount, **fields, **more})


def bobs(so_far: Moves | None = None, now: datetime = NOW) -> Ledger:
    """86.42 on the account, and an overdraft of 500."""
    return ledger_of("bob", NOW, now, so_far or Moves())


def withdrawn(*requests: Withdraw, at: datetime = NOW) -> Moves:
    so_far = Moves()
    for request in requests:
        so_far = moves.book(so_far, moves.withdrawal(request, at))
    return so_far


def checking(ledger: Ledger) -> Account:
    return ledger.customer.accounts[0]


def test_a_move_changes_the_balance_and_heads_the_list() -> None:
    ledger = bobs(withdrawn(ask("10.00", reference="dinner")))
    assert ledger.balance(checking(ledger)) == Decimal("76.42")
    newest = reports.transactions(ledger, TransactionQuery(limit=1)).transactions[0]
    assert (newest.merchant, newest.amount, newest.reference) == ("Carol Chen", Decimal("-10.00"), "dinner")
    booked = [entry.booked_at for entry in ledger.booked]
    assert booked == sorted(booked, reverse=True)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (ask("586.42"), None),
        (ask("586.43"), "586.42 EUR can be spent, overdraft included, and 586.43 EUR is asked for"),
        (ask(account="savings"), "There is no Savings account. There is: Checking."),
        (ask(currency="USD"), "The Checking account is in EUR, not in USD."),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_a_withdrawal_is_told(request_: Withdraw, told: str | None) -> None:
    judged = policy.judge_withdrawal(bobs(), request_)
    assert isinstance(judged, Account) if told is None else isinstance(judged, Refusal) and told in judged.why


def test_the_day_limit_counts_what_went_within_it_on_that_day_and_was_not_undone() -> None:
    so_far = withdrawn(ask("15.00", "a", day_limit="20.00"), ask("15.00", "b"), ask("4.00", "c", day_limit="20.00"))
    assert so_far.limited_on(NOW, {"checking"}) == Decimal("19.00")
    assert moves.call_off(so_far, "a", NOW).limited_on(NOW, {"checking"}) == Decimal("4.00")
    assert so_far.limited_on(NOW + timedelta(days=1), {"checking"}) == 0
    refused = policy.refuse_over_day_limit(bobs(so_far), ask("1.01", day_limit="20.00"))
    assert refused is not None
    assert refused.why == "That is over the limit of 20.00 EUR a day: 1.00 EUR can still be sent today."
    assert refused.rule == "T2"
    assert policy.refuse_over_day_limit(bobs(so_far), ask("1.00", day_limit="20.00")) is None
    assert policy.refuse_over_day_limit(bobs(so_far), ask("99.00")) is None
    tomorrow = bobs(so_far, NOW + timedelta(days=1))
    assert policy.refuse_over_day_limit(tomorrow, ask("20.00", day_limit="20.00")) is None


def test_an_undone_move_leaves_nothing_but_its_id() -> None:
    so_far = moves.call_off(withdrawn(ask("10.00", "a"), ask("1.00", "b")), "a", NOW)
    assert so_far.totals == {"checking": Decimal("-1.00")}
    assert [move.move_id for move in so_far.listed] == ["b"]
    assert moves.call_off(so_far, "a", NOW) == so_far
    judged = policy.judge_move(bobs(so_far), ask("10.00", "a"))
    assert judged == Refusal("This payment was called off before; start a new one.")


def test_what_never_happened_never_will() -> None:
    so_far = moves.call_off(Moves(), "a", NOW)
    assert so_far.totals == {}
    assert isinstance(policy.judge_withdrawal(bobs(so_far), ask(move_id="a")), Refusal)


@pytest.mark.parametrize(("spent", "stands"), [("86.42", False), ("586.42", False), ("586.43", True)])
def test_money_that_came_in_is_taken_back_while_it_is_there(spent: str, stands: bool) -> None:
    so_far = moves.book(Moves(), moves.deposit(ask("100.00", "in"), NOW))
    so_far = moves.book(so_far, moves.withdrawal(ask(spent, "out"), NOW))
    assert policy.stands(bobs(so_far), "in") is stands
    assert not policy.stands(bobs(so_far), "unknown")
    assert not policy.stands(bobs(so_far), "out")


def test_old_moves_are_forgotten_one_by_one_and_their_sum_is_not() -> None:
    so_far = withdrawn(*(ask("1.00", f"m{number}") for number in range(MOVES_LISTED + 50)))
    assert len(so_far.listed) == MOVES_LISTED + 50
    later = NOW + REMEMBERED_FOR
    so_far = moves.book(so_far, moves.withdrawal(ask("1.00", "last"), later))
    assert len(so_far.listed) == MOVES_LISTED
    assert so_far.total("checking") == -(MOVES_LISTED + 51)
    assert so_far.find("m0") is None
    assert so_far.find("m300") is not None


def test_more_moves_than_can_be_remembered_are_refused_until_the_first_are_old() -> None:
    one = moves.withdrawal(ask("0.01"), NOW)
    full = Moves(listed=(one,) * MOVES_MAX)
    judged = policy.judge_withdrawal(bobs(full), ask("0.01", "new"))
    assert isinstance(judged, Refusal)
    assert judged.status_code == policy.TOO_MANY
    assert isinstance(policy.judge_move(bobs(full, NOW + REMEMBERED_FOR), ask("0.01", "new")), Account)
