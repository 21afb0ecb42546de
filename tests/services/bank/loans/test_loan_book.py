"""The state of loans from day to day, and the texts for customers."""

from datetime import date
from decimal import Decimal

import pytest

from services.tools.bank.data.bank import DemoLoan
from services.tools.bank.loans.book import LoanState, find_loan, loan_state, overview, schedule
from services.tools.bank.loans.contract import (
    SCHEDULE_PAYMENTS_DEFAULT,
    SCHEDULE_PAYMENTS_MAX,
    LoanChoice,
    LoanProduct,
    LoanSchedule,
    ScheduleQuery,
)
from services.tools.bank.records import Borrowing, CreditLine, InstalmentLoan
from switchboard.loop.fanout import TOOL_RESULT_MAX_BYTES
from switchboard.toolkit.refusal import Refusal
from tests.services.bank.demo import CUSTOMERS, borrowing_of

PINNED = date(2026, 11, 23)
LAST_PAYMENT = "443.11"  # of 10,000 at 6 % over 24 months; all others are 443.21


def loan(first_payment_months_ago: int = 0, due_day: int = 1, missed_payments: int = 0) -> InstalmentLoan:
    """Return a loan of the demo data, for a customer who is first seen on the day PINNED."""
    demo = DemoLoan(
        loan_id="LN-0001",
        product="Car loan",
        principal=Decimal("10000.00"),
        annual_rate_percent=Decimal("6.00"),
        term_months=24,
        first_payment_months_ago=first_payment_months_ago,
        due_day=due_day,
        missed_payments=missed_payments,
    )
    return demo.dated(PINNED)


def schedule_of(of: InstalmentLoan, **query: int) -> LoanSchedule:
    at = find_loan(Borrowing(loans=(of,)), LoanChoice(loan_id="LN-0001"), PINNED)
    assert isinstance(at, LoanState)
    return schedule(at, ScheduleQuery(**query), "EUR")


def used_card(used: str) -> Borrowing:
    line = CreditLine(
        credit_line_id="CL-0001",
        product="Card",
        credit_limit=Decimal("4000.00"),
        used=Decimal(used),
        annual_rate_percent=Decimal("14.90"),
        minimum_payment_percent=Decimal("5.00"),
        due_day=15,
    )
    return Borrowing(credit_lines=(line,))


@pytest.mark.parametrize(
    ("of", "today", "paid", "status", "next_payment_on"),
    [
        (loan(), PINNED, 1, "active", date(2026, 12, 1)),
        (loan(), date(2026, 11, 30), 1, "active", date(2026, 12, 1)),
        (loan(), date(2026, 12, 1), 2, "active", date(2027, 1, 1)),
        (loan(due_day=24), PINNED, 0, "active", date(2026, 11, 24)),
        (loan(due_day=24), date(2026, 11, 24), 1, "active", date(2026, 12, 24)),
        (loan(-2), PINNED, 0, "active", date(2027, 1, 1)),
        (loan(22), PINNED, 23, "active", date(2026, 12, 1)),
        (loan(22), date(2026, 12, 1), 24, "paid_off", None),
        (loan(99), PINNED, 24, "paid_off", None),
        (loan(9, missed_payments=2), PINNED, 8, "in_arrears", date(2026, 12, 1)),
        (loan(9, missed_payments=2), date(2027, 1, 5), 8, "in_arrears", date(2027, 2, 1)),
        (loan(9, missed_payments=2), date(2030, 1, 1), 8, "in_arrears", None),
    ],
)
def test_loan_progresses_month_by_month(
    of: InstalmentLoan, today: date, paid: int, status: str, next_payment_on: date | None
) -> None:
    at = loan_state(of, today)
    assert (at.paid, at.status, at.next_payment_on) == (paid, status, next_payment_on)


@pytest.mark.parametrize(
    ("today", "overdue"),
    [(PINNED, "886.42"), (date(2026, 12, 1), "1329.63"), (date(2030, 1, 1), "7091.26")],  # 2, 3 and all 16 payments
)
def test_loan_in_arrears_accumulates_overdue_payments(today: date, overdue: str) -> None:
    assert str(loan_state(loan(9, missed_payments=2), today).overdue) == overdue


def test_whole_principal_is_outstanding_before_the_first_payment() -> None:
    assert str(loan_state(loan(-1), PINNED).outstanding) == "10000.00"


@pytest.mark.parametrize(
    ("customer_id", "summary"),
    [
        (
            "alice",
            "You have 2 loans and 1 credit line; 17,699.89 EUR outstanding, 438.23 EUR due each month.",
        ),
        ("bob", "You have 1 credit line; 1,447.60 EUR outstanding, 72.38 EUR due each month."),
        ("carol", "You have 1 loan; 201,869.18 EUR outstanding, 1,150.63 EUR due each month."),
        (
            "dave",
            "You have 1 loan; 3,364.78 EUR outstanding, 190.52 EUR due each month; 381.04 EUR is overdue.",
        ),
        ("erin", "You have no open loans or credit lines."),
    ],
)
@pytest.mark.parametrize("first_seen", [date(2026, 11, 23), date(2027, 3, 1), date(2028, 2, 29)], ids=str)
def test_demo_loans_do_not_depend_on_the_day_of_first_sight(customer_id: str, summary: str, first_seen: date) -> None:
    borrowing, currency = borrowing_of(customer_id, first_seen), CUSTOMERS[customer_id].currency
    assert overview(borrowing, currency, first_seen).summary == summary


def test_totals_exclude_paid_off_loans() -> None:
    result = overview(Borrowing(loans=(loan(99), loan(0))), "EUR", PINNED)
    assert [entry.status for entry in result.loans] == ["paid_off", "active"]
    assert str(result.total_monthly_payment) == "443.21"
    assert str(result.total_outstanding) == "9606.79"


@pytest.mark.parametrize(
    ("used", "minimum", "available", "next_payment_on"),
    [
        ("742.18", "37.11", "3257.82", date(2026, 12, 15)),
        ("0.50", "0.02", "3999.50", date(2026, 12, 15)),  # 0.025 goes to the even cent
        ("0.00", "0.00", "4000.00", None),
    ],
)
def test_credit_line_has_a_minimum_payment(
    used: str, minimum: str, available: str, next_payment_on: date | None
) -> None:
    (result,) = overview(used_card(used), "EUR", PINNED).credit_lines
    assert (str(result.minimum_payment), str(result.available)) == (minimum, available)
    assert result.next_payment_on == next_payment_on


@pytest.mark.parametrize(
    ("today", "next_payment_on"),
    [
        (date(2026, 12, 14), date(2026, 12, 15)),
        (date(2026, 12, 15), date(2027, 1, 15)),  # paid on its due date, like the payments of loans
        (date(2026, 12, 16), date(2027, 1, 15)),
    ],
)
def test_next_payment_of_a_credit_line_is_in_the_future(today: date, next_payment_on: date) -> None:
    (result,) = overview(used_card("742.18"), "EUR", today).credit_lines
    assert result.next_payment_on == next_payment_on


def test_schedule_shows_a_year_of_consistent_payments() -> None:
    result = schedule_of(loan(9))
    assert (len(result.payments), result.remaining_payments) == (SCHEDULE_PAYMENTS_DEFAULT, 14)
    assert (result.payments[0].due_on, result.payments[-1].due_on) == (date(2026, 12, 1), date(2027, 11, 1))
    for before, after in zip(result.payments, result.payments[1:], strict=False):
        assert after.remaining == before.remaining - after.principal
    assert all(row.payment == row.interest + row.principal for row in result.payments)


def test_last_payment_of_a_schedule_settles_the_loan() -> None:
    result = schedule_of(loan(21))
    assert [str(row.payment) for row in result.payments] == ["443.21", LAST_PAYMENT]
    assert str(result.payments[-1].remaining) == "0.00"


@pytest.mark.parametrize(
    ("of", "summary"),
    [
        (
            loan(0),
            "The next payment of your Car loan LN-0001 is due on 2026-12-01: 443.21 EUR, including 48.03 EUR interest. "
            "23 payments are left until 2028-10-01. 9,606.79 EUR is outstanding.",
        ),
        (
            loan(22),
            "The next payment of your Car loan LN-0001 is due on 2026-12-01: 443.11 EUR, including 2.20 EUR interest. "
            "1 payment is left until 2026-12-01. 440.91 EUR is outstanding.",
        ),
        (
            loan(1, missed_payments=2),
            "The first unpaid payment of your Car loan LN-0001 was due on 2026-10-01: 443.21 EUR, including 50.00 EUR "
            "interest. 24 payments are left until 2028-09-01. 10,000.00 EUR is outstanding.",
        ),
        (loan(99), "Your Car loan LN-0001 is paid off."),
    ],
)
def test_schedule_is_summarized_in_sentences(of: InstalmentLoan, summary: str) -> None:
    assert schedule_of(of).summary == summary


def test_pages_of_a_plan_add_up_to_the_loan() -> None:
    pages = [schedule_of(loan(9), first=first, limit=10).payments for first in (1, 11, 21)]
    rows = [row for page in pages for row in page]
    assert [row.number for row in rows] == list(range(1, 25))
    assert sum(row.principal for row in rows) == Decimal("10000.00")
    assert rows[-1].remaining == 0
    assert schedule_of(loan(9), first=99).payments == ()


def test_longest_page_fits_the_tool_result_limit() -> None:
    at = find_loan(borrowing_of("carol", PINNED), LoanChoice(product="home"), PINNED)
    assert isinstance(at, LoanState)
    result = schedule(at, ScheduleQuery(first=1, limit=SCHEDULE_PAYMENTS_MAX), "EUR")
    assert len(result.payments) == SCHEDULE_PAYMENTS_MAX
    assert len(result.model_dump_json().encode()) < TOOL_RESULT_MAX_BYTES


ALICES = "Your loans: LN-2041 (car loan), LN-1873 (student loan)."


@pytest.mark.parametrize(
    ("customer_id", "loan_id", "product", "found"),
    [
        ("alice", "LN-2041", None, "LN-2041"),
        ("alice", None, "student", "LN-1873"),
        ("dave", None, None, "LN-2266"),
        ("carol", None, None, "LN-1120"),  # the other one is paid off
        ("carol", None, "car", "LN-1544"),
        ("alice", None, None, f"Which loan do you mean? {ALICES}"),
        ("alice", "LN-1120", None, f"You have no loan LN-1120. {ALICES}"),  # Carol's loan
        ("alice", None, "home", f"You have no loan of that kind (home). {ALICES}"),
        ("erin", "LN-2041", None, "You have no loan LN-2041. Your loans: none."),
    ],
)
def test_find_loan_returns_only_the_customers_own_loans(
    customer_id: str, loan_id: str | None, product: LoanProduct | None, found: str
) -> None:
    at = find_loan(borrowing_of(customer_id, PINNED), LoanChoice(loan_id=loan_id, product=product), PINNED)
    assert (at.why if isinstance(at, Refusal) else at.loan.loan_id) == found
