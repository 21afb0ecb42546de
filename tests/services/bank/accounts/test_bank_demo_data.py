"""That the demo customers' accounts and loans tell one story."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.tools.bank.data.bank import BANK_JSON, DemoCustomer
from services.tools.bank.loans.book import overview, standing
from services.tools.bank.months import add_months, months_between
from tests.services.bank.demo import CUSTOMERS, borrowing_of, ledger_of

DAYS = [date(2026, 11, 1), date(2026, 11, 23), date(2028, 2, 29), date(2026, 12, 31)]


def fail_on_float(text: str) -> float:
    raise AssertionError(f"an amount is a string, not the number {text}")


def test_no_amount_is_a_float() -> None:
    json.loads(BANK_JSON.read_text(), parse_float=fail_on_float)


def test_the_five_customers_are_there() -> None:
    assert sorted(CUSTOMERS) == ["alice", "bob", "carol", "dave", "erin"]


def test_no_two_loans_share_an_id() -> None:
    ids = Counter(loan.loan_id for customer in CUSTOMERS.values() for loan in customer.loans)
    assert set(ids.values()) == {1}


@pytest.mark.parametrize("customer", CUSTOMERS.values(), ids=lambda customer: customer.customer_id)
def test_every_account_named_by_a_payment_exists(customer: DemoCustomer) -> None:
    held = {account.account for account in customer.accounts}
    assert {rule.account for rule in customer.recurring} | {once.account for once in customer.once} <= held


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("customer", CUSTOMERS.values(), ids=lambda customer: customer.customer_id)
def test_the_accounts_show_every_payment_that_the_loans_count(customer: DemoCustomer, today: date) -> None:
    now = datetime(today.year, today.month, today.day, tzinfo=UTC)
    ledger = ledger_of(customer.customer_id, now, now)
    booked = Counter((e.booked_at.date(), -e.amount) for e in ledger.booked if e.category == "loan_payments")
    counted: Counter[tuple[date, Decimal]] = Counter()
    borrowing = borrowing_of(customer.customer_id, today)
    for loan in borrowing.loans:
        at = standing(loan, today)
        days = [at.due_on(index) for index in range(at.paid)]
        counted.update((day, at.instalments[0].payment) for day in days if day >= ledger.records_from)
    for line in overview(borrowing, customer.currency, today).credit_lines:
        assert line.next_payment_on is not None
        months = months_between(ledger.records_from, line.next_payment_on)
        counted.update((add_months(line.next_payment_on, -ago), line.minimum_payment) for ago in range(1, months + 1))
    assert booked == counted
