"""Loans that were granted through the mesh, in addition to those in the bank's records. Pure."""

from datetime import date

from services.tools.bank.loans.contract import GrantLoan, LoanId, Percent
from services.tools.bank.months import DAY_IN_EVERY_MONTH_MAX, add_months
from services.tools.bank.records import Borrowing, InstalmentLoan
from switchboard.messages import WireModel
from switchboard.money import Money

DEBITED_AS = "Harbour Bank loan"
"""Merchant name of a granted loan's debits, followed by the loan's id so that it is unique."""


class GrantedLoan(WireModel):
    """One granted loan."""

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_on: date


class Granted(WireModel):
    """All granted loans of a customer, oldest first."""

    loans: tuple[GrantedLoan, ...] = ()

    def find(self, loan_id: str) -> GrantedLoan | None:
        return next((loan for loan in self.loans if loan.loan_id == loan_id), None)


def grant(granted: Granted, request: GrantLoan) -> tuple[Granted, GrantedLoan]:
    """Grant the loan. If its id was granted before, return the earlier loan and change nothing."""
    before = granted.find(request.loan_id)
    if before:
        return granted, before
    first_payment_on = a_month_after(request.granted_on)
    loan = GrantedLoan(first_payment_on=first_payment_on, **request.model_dump(exclude={"granted_on"}))
    return Granted(loans=(*granted.loans, loan)), loan


def revoke(granted: Granted, loan_id: str) -> Granted:
    return Granted(loans=tuple(loan for loan in granted.loans if loan.loan_id != loan_id))


def a_month_after(day: date) -> date:
    """Return the same day of the next month, at most the 28th, because every month has that day."""
    return add_months(day.replace(day=min(day.day, DAY_IN_EVERY_MONTH_MAX)), 1)


def with_granted(borrowing: Borrowing, granted: Granted) -> Borrowing:
    """Add the granted loans to the loans and credit lines on record."""
    return borrowing.model_copy(update={"loans": (*borrowing.loans, *map(as_record, granted.loans))})


def as_record(loan: GrantedLoan) -> InstalmentLoan:
    return InstalmentLoan(**loan.model_dump(), debited_as=f"{DEBITED_AS} {loan.loan_id}")
