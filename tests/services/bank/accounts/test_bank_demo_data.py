"""The demo customers' accounts and loans are consistent."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.tools.bank.data.bank import BANK_JSON, DemoCustomer
from services.tools.bank.loans.book import loan_state, overview
from services.tools.bank.months import add_months, months_between
from tests.services.bank.demo import CUSTOMERS, borrowing_of, ledger_of

DAYS = [date(2026, 11, 1), date(2026, 11, 23), date(2028, 2, 29), date(2026, 12, 31)]


def fail_on_float(text: str) -> float:
    raise AssertionError(f"{text} is a JSON number. Write amounts as strings, so that they are read as decimals.")


def test_demo_amounts_are_strings() -> None:
    json.loads(BANK_JSON.read_text(), parse_float=fail_on_float)


def test_demo_has_five_customers() -> None:
    assert sorted(CUSTOMERS) == ["alice", "bob", "carol", "dave", "erin"]


def test_demo_loan_ids_are_unique() -> None:
    ids = Counter(loan.loan_id for customer in CUSTOMERS.values() for loan in customer.loans)
    assert set(ids.values()) == {1}


@pytest.mark.parametrize("customer", CUSTOMERS.values(), ids=lambda customer: customer.customer_id)
def test_demo_payments_name_existing_accounts(customer: DemoCustomer) -> None:
    held = {account.account for account in customer.accounts}
    assert {rule.account for rule in customer.recurring} | {once.account for once in customer.once} <= held


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("customer", CUSTOMERS.values(), ids=lambda customer: customer.customer_id)
def test_demo_accounts_show_every_payment_of_their_loans(customer: DemoCustomer, today: date) -> None:
    now = datetime(today.year, today.month, today.day, tzinfo=UTC)
    ledger = ledger_of(customer.customer_id, now, now)
    booked = Counter((e.booked_at.date(), -e.amount) for e in ledger.booked if e.category == "loan_payments")
    counted: Counter[tuple[date, Decimal]] = Counter()
    borrowing = borrowing_of(customer.customer_id, today)
    for loan in borrowing.loans:
        at = loan_state(loan, today)
        days = [at.due_on(index) for index in range(at.paid)]
        counted.update((day, at.instalments[0].payment) for day in days if day >= ledger.records_from)
    for line in overview(borrowing, customer.currency, today).credit_lines:
        assert line.next_payment_on is not None
        months = months_between(ledger.records_from, line.next_payment_on)
        counted.update((add_months(line.next_payment_on, -ago), line.minimum_payment) for ago in range(1, months + 1))
    assert booked == counted
