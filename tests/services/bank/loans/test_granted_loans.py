"""Granted loans are listed with those of the demo data, and each id is granted once."""

from datetime import date
from decimal import Decimal

import pytest

from services.tools.bank.loans.book import LoanState, find_loan, overview, schedule
from services.tools.bank.loans.contract import GrantLoan, LoanChoice, ScheduleQuery
from services.tools.bank.loans.granted import Granted, a_month_after, grant, revoke, with_granted
from tests.services.bank.demo import borrowing_of

PINNED = date(2026, 11, 23)
LOAN = GrantLoan(
    loan_id="LN-3F9A1C07B2D4",
    product="Personal loan",
    principal=Decimal("10000.00"),
    annual_rate_percent=Decimal("6.90"),
    term_months=24,
    granted_on=date(2026, 12, 30),
)


def test_loan_id_is_granted_once() -> None:
    once, first = grant(Granted(), LOAN)
    twice, second = grant(once, LOAN.model_copy(update={"principal": Decimal(1)}))
    assert twice == once
    assert first == second


def test_revoke_removes_the_loan_and_ignores_unknown_ids() -> None:
    granted, _ = grant(Granted(), LOAN)
    assert revoke(granted, "LN-000000000000") == granted
    assert revoke(granted, LOAN.loan_id) == Granted()


@pytest.mark.parametrize(
    ("day", "later"),
    [
        (date(2026, 3, 15), date(2026, 4, 15)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 12, 30), date(2027, 1, 28)),
    ],
)
def test_first_payment_is_due_a_month_later(day: date, later: date) -> None:
    assert a_month_after(day) == later


@pytest.mark.parametrize(
    ("today", "paid", "next_on"),
    [
        (date(2026, 12, 30), 0, date(2027, 1, 28)),
        (date(2027, 1, 27), 0, date(2027, 1, 28)),
        (date(2027, 1, 28), 1, date(2027, 2, 28)),
        (date(2027, 3, 1), 2, date(2027, 3, 28)),
    ],
)
def test_granted_loan_progresses_like_any_other(today: date, paid: int, next_on: date) -> None:
    granted, _ = grant(Granted(), LOAN)
    erin = with_granted(borrowing_of("erin", PINNED), granted)
    (loan,) = overview(erin, "GBP", today).loans
    assert (loan.paid_months, loan.next_payment_on, loan.monthly_payment) == (paid, next_on, Decimal("447.27"))
    at = find_loan(erin, LoanChoice(), today)
    assert isinstance(at, LoanState)
    assert schedule(at, ScheduleQuery(), "GBP").payments[0].due_on == next_on
