"""The account's debits for a loan match the loan's repayment plan, to the day and the cent."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import LoanDebits, SpendingQuery
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.reports import spending
from services.tools.bank.loans import repayment_terms
from services.tools.bank.loans.book import LoanState, loan_state
from services.tools.bank.loans.contract import GrantLoan
from services.tools.bank.loans.early_repayments import EarlyRepayment
from services.tools.bank.loans.granted import Granted, grant, with_granted
from services.tools.bank.months import add_months
from tests.services.bank.demo import borrowing_of, ledger_of

PINNED = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOAN = GrantLoan(
    loan_id="LN-3F9A1C07B2D4",
    product="Personal loan",
    principal=Decimal("1000.00"),
    annual_rate_percent=Decimal("6.90"),
    term_months=12,
    granted_on=date(2026, 12, 30),
)
FIRST_DUE = date(2027, 1, 28)
NAME = "Harbour Bank loan LN-3F9A1C07B2D4"


def at(today: date, *early: EarlyRepayment) -> LoanState:
    granted, _ = grant(Granted(), LOAN)
    (loan,) = with_granted(borrowing_of("erin", PINNED.date()), granted).loans
    return loan_state(loan, today, early)


def debits(of: LoanState) -> LoanDebits:
    found = repayment_terms.debits(of, granted=True)
    assert found is not None
    return found


def ledger(today: date, *of_loans: LoanDebits) -> Ledger:
    return ledger_of("erin", PINNED, datetime.combine(today, time(0, 0), tzinfo=UTC), ended=of_loans)


def debited(today: date, of_loan: LoanDebits) -> list[tuple[date, Decimal]]:
    """Return the booked debits, oldest first."""
    booked = reversed(ledger(today, of_loan).booked)
    return [(entry.booked_at.date(), -entry.amount) for entry in booked if entry.merchant == NAME]


def planned(of: LoanState, first: int = 0) -> list[tuple[date, Decimal]]:
    return [(of.due_on(index), row.payment) for index, row in enumerate(of.instalments)][first:]


@pytest.mark.parametrize(("today", "payments"), [(date(2027, 1, 27), 0), (FIRST_DUE, 1), (date(2027, 3, 1), 2)])
def test_granted_loan_is_debited_on_its_due_dates(today: date, payments: int) -> None:
    debits_ = debits(at(date(2026, 12, 30)))
    assert debited(today, debits_) == planned(at(today))[:payments]
    without, with_loan = ledger(today), ledger(today, debits_)
    (checking,) = [account for account in with_loan.customer.accounts if account.account == "checking"]
    paid = sum((amount for _, amount in debited(today, debits_)), Decimal(0))
    assert with_loan.balance(checking) == without.balance(checking) - paid
    assert at(today).paid == payments
    assert [entry.booked_at for entry in with_loan.booked] == sorted(
        (entry.booked_at for entry in with_loan.booked), reverse=True
    )


def test_all_debits_match_the_plan_and_end_with_the_loan() -> None:
    debits_ = debits(at(FIRST_DUE))
    long_after = add_months(FIRST_DUE, 40)
    assert debited(long_after, debits_) == planned(at(FIRST_DUE))
    assert len(debited(long_after, debits_)) == 12


def test_monthly_spending_includes_the_debit() -> None:
    debits_ = debits(at(FIRST_DUE))
    query = SpendingQuery(period="2027-01", category="loan_payments")
    assert str(spending(ledger(date(2027, 2, 3), debits_), query).total) == str(debits_.monthly)


@pytest.mark.parametrize("amount", ["300.00", "all"])
def test_early_repayment_ends_the_debits_sooner(amount: str) -> None:
    today = add_months(FIRST_DUE, 2)
    owed = at(today).outstanding
    entry = EarlyRepayment(
        repayment_id="r",
        loan_id=LOAN.loan_id,
        amount=owed if amount == "all" else Decimal(amount),
        fee=Decimal(0),
        after_payments=3,
        on=today,
    )
    after = at(today, entry)
    booked = debited(add_months(FIRST_DUE, 40), debits(after))
    assert booked == planned(after)
    assert len(booked) == 3 if amount == "all" else 3 < len(booked) < 12


def test_revoked_loan_is_not_debited() -> None:
    assert debited(add_months(FIRST_DUE, 40), repayment_terms.no_debits(at(FIRST_DUE))) == []


def test_stored_debits_without_a_first_day_still_shorten_the_demo_debits() -> None:
    stored = {"debited_as": "Harbour Bank car loan", "last_on": "2026-12-01", "last_amount": "7.00"}
    old = LoanDebits.model_validate(stored)
    booked = ledger_of("alice", PINNED, datetime(2027, 3, 2, tzinfo=UTC), ended=(old,)).booked
    assert [str(entry.amount) for entry in booked if entry.merchant == old.debited_as][:2] == ["-7.00", "-310.62"]
