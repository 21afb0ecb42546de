"""Loans that were granted since the customer was first seen, beside those of the demo data. Pure."""

from datetime import date

from services.tools.bank.data.bank import Customer, InstalmentLoan
from services.tools.bank.data.months import DAY_IN_EVERY_MONTH_MAX, add_months, months_between
from services.tools.bank.loans.contract import GrantLoan, LoanId, Percent
from switchboard.messages import Wire
from switchboard.money import Money

DEBITED_AS = "Harbour Bank loan"
"""With the loan's id: what its monthly debits are called on the account, so that no other loan's are meant."""


class GrantedLoan(Wire):
    """One loan as it was granted."""

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_on: date


class Granted(Wire):
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


def with_granted(customer: Customer, granted: Granted, pinned_on: date) -> Customer:
    """The customer with the granted loans among theirs, in the demo data's words: dates count from the pin."""
    return customer.model_copy(
        update={"loans": (*customer.loans, *(as_demo_data(loan, pinned_on) for loan in granted.loans))}
    )


def as_demo_data(loan: GrantedLoan, pinned_on: date) -> InstalmentLoan:
    return InstalmentLoan(
        loan_id=loan.loan_id,
        product=loan.product,
        principal=loan.principal,
        annual_rate_percent=loan.annual_rate_percent,
        term_months=loan.term_months,
        first_payment_months_ago=months_between(loan.first_payment_on, pinned_on),
        due_day=loan.first_payment_on.day,
        debited_as=f"{DEBITED_AS} {loan.loan_id}",
    )
