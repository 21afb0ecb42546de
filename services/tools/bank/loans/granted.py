"""Loans that were granted here, beside those on record. Pure."""

from datetime import date

from services.tools.bank.loans.contract import GrantLoan, LoanId, Percent
from services.tools.bank.months import DAY_IN_EVERY_MONTH_MAX, add_months
from services.tools.bank.records import Borrowing, InstalmentLoan
from switchboard.messages import WireModel
from switchboard.money import Money

DEBITED_AS = "Harbour Bank loan"
"""With the loan's id: what its monthly debits are called on the account, so that no other loan's are meant."""


class GrantedLoan(WireModel):
    """One loan as it was granted."""

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_on: date


class Granted(WireModel):
    """All loans of a customer that were granted, oldest first."""

    loans: tuple[GrantedLoan, ...] = ()

    def find(self, loan_id: str) -> GrantedLoan | None:
        return next((loan for loan in self.loans if loan.loan_id == loan_id), None)


def grant(granted: Granted, request: GrantLoan) -> tuple[Granted, GrantedLoan]:
    """What is granted afterwards, and the loan of that id: the one granted before, if there is one."""
    before = granted.find(request.loan_id)
    if before:
        return granted, before
    first_payment_on = a_month_after(request.granted_on)
    loan = GrantedLoan(first_payment_on=first_payment_on, **request.model_dump(exclude={"granted_on"}))
    return Granted(loans=(*granted.loans, loan)), loan


def revoke(granted: Granted, loan_id: str) -> Granted:
    return Granted(loans=tuple(loan for loan in granted.loans if loan.loan_id != loan_id))


def a_month_after(day: date) -> date:
    """The same day of the next month, or the last one that every month has."""
    return add_months(day.replace(day=min(day.day, DAY_IN_EVERY_MONTH_MAX)), 1)


def with_granted(borrowing: Borrowing, granted: Granted) -> Borrowing:
    """Return all loans and credit lines, with the loans that were granted here."""
    return borrowing.model_copy(update={"loans": (*borrowing.loans, *map(as_record, granted.loans))})


def as_record(loan: GrantedLoan) -> InstalmentLoan:
    return InstalmentLoan(**loan.model_dump(), debited_as=f"{DEBITED_AS} {loan.loan_id}")
