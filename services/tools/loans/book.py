"""Answers of the loans service: how far each loan has come on a certain day. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.tools.amortisation import Instalment, plan, to_cents
from services.tools.demo_data.bank import CreditLine as CreditLineData
from services.tools.demo_data.bank import Customer, InstalmentLoan
from services.tools.demo_data.months import add_months, first_of_month, months_between
from services.tools.loans.contract import (
    SCHEDULE_PAYMENTS_MAX,
    CreditLine,
    Loan,
    LoanOverview,
    LoanSchedule,
    LoanStatus,
    ScheduledPayment,
)
from switchboard.money import spell

ZERO = Decimal("0.00")


class NoSuchLoan(Exception):
    """The customer has no loan of that id; the message says so, in a sentence for the model."""


@dataclass(frozen=True)
class Standing:
    """How far a loan has come: of the payments in `instalments`, `due` have fallen due and `paid` were made.

    No interest is charged on what is overdue: the demo's bank is patient.
    """

    loan: InstalmentLoan
    instalments: tuple[Instalment, ...]
    first_due_on: date
    due: int
    paid: int

    @property
    def status(self) -> LoanStatus:
        if self.paid == len(self.instalments):
            return "paid_off"
        return "in_arrears" if self.paid < self.due else "active"

    @property
    def outstanding(self) -> Decimal:
        return self.instalments[self.paid - 1].balance if self.paid else self.loan.principal

    @property
    def overdue(self) -> Decimal:
        return sum((instalment.payment for instalment in self.instalments[self.paid : self.due]), ZERO)

    @property
    def next_payment_on(self) -> date | None:
        return self.due_on(self.due) if self.due < len(self.instalments) else None

    def due_on(self, index: int) -> date:
        """When the payment of that index (the first is 0) falls due."""
        return add_months(self.first_due_on, index)


def standing(loan: InstalmentLoan, pinned_on: date, today: date) -> Standing:
    """Where a loan of the demo data is today. A payment is made on the day it is due, unless the loan is in arrears."""
    instalments = plan(loan.principal, loan.annual_rate_percent, loan.term_months)
    first_due_on = add_months(first_of_month(pinned_on), -loan.first_payment_months_ago).replace(day=loan.due_day)
    due = min(fallen_due(first_due_on, today), len(instalments))
    paid = due
    if loan.missed_payments:
        paid = max(min(due, fallen_due(first_due_on, pinned_on) - loan.missed_payments), 0)
    return Standing(loan, instalments, first_due_on, due, paid)


def fallen_due(first_due_on: date, today: date) -> int:
    """How many monthly dates, from `first_due_on` on, have come by today."""
    return max(months_between(first_due_on, today) + (today.day >= first_due_on.day), 0)


def overview(customer: Customer, pinned_on: date, today: date) -> LoanOverview:
    """All loans and credit lines of the customer, and what they cost together."""
    loans = tuple(describe(standing(loan, pinned_on, today), customer.currency) for loan in customer.loans)
    lines = tuple(credit_line(line, today, customer.currency) for line in customer.credit_lines)
    open_loans = [loan for loan in loans if loan.status != "paid_off"]
    outstanding = sum((*(loan.outstanding for loan in loans), *(line.used for line in lines)), ZERO)
    monthly = sum((*(loan.monthly_payment for loan in open_loans), *(line.minimum_payment for line in lines)), ZERO)
    return LoanOverview(
        summary=overview_sentence(loans, lines, outstanding, monthly, customer.currency),
        loans=loans,
        credit_lines=lines,
        total_outstanding=outstanding,
        total_monthly_payment=monthly,
        currency=customer.currency,
    )


def describe(at: Standing, currency: str) -> Loan:
    return Loan(
        loan_id=at.loan.loan_id,
        product=at.loan.product,
        status=at.status,
        principal=at.loan.principal,
        outstanding=at.outstanding,
        overdue=at.overdue,
        annual_rate_percent=at.loan.annual_rate_percent,
        term_months=at.loan.term_months,
        paid_months=at.paid,
        monthly_payment=at.instalments[0].payment,
        next_payment_on=at.next_payment_on,
        currency=currency,
    )


def credit_line(line: CreditLineData, today: date, currency: str) -> CreditLine:
    """A credit line as it stands; what is used does not change, as nothing of the demo pays by card."""
    this_month = today.replace(day=line.due_day)
    next_payment_on = this_month if today < this_month else add_months(this_month, 1)
    return CreditLine(
        credit_line_id=line.credit_line_id,
        product=line.product,
        credit_limit=line.credit_limit,
        used=line.used,
        available=line.credit_limit - line.used,
        annual_rate_percent=line.annual_rate_percent,
        minimum_payment=to_cents(line.used * line.minimum_payment_percent / 100),
        next_payment_on=next_payment_on if line.used else None,
        currency=currency,
    )


def overview_sentence(
    loans: tuple[Loan, ...], lines: tuple[CreditLine, ...], outstanding: Decimal, monthly: Decimal, currency: str
) -> str:
    running = [loan for loan in loans if loan.status != "paid_off"]
    groups = [(len(running), "loan"), (len(lines), "credit line")]
    held = " and ".join(count(number, noun) for number, noun in groups if number)
    if not held:
        return "You have no open loans or credit lines."
    amounts = f"{spell(outstanding, currency)} outstanding, {spell(monthly, currency)} due each month"
    overdue = sum((loan.overdue for loan in running), ZERO)
    return f"You have {held}; {amounts}" + (f"; {spell(overdue, currency)} is overdue." if overdue else ".")


def schedule(customer: Customer, loan_id: str, pinned_on: date, today: date) -> LoanSchedule:
    """The next payments of one loan of this customer. Raises NoSuchLoan for any other."""
    loan = next((loan for loan in customer.loans if loan.loan_id == loan_id), None)
    if loan is None:
        owned = ", ".join(loan.loan_id for loan in customer.loans) or "none"
        raise NoSuchLoan(f"You have no loan {loan_id}. Your loans: {owned}.")
    at = standing(loan, pinned_on, today)
    end = min(at.paid + SCHEDULE_PAYMENTS_MAX, len(at.instalments))
    return LoanSchedule(
        summary=schedule_sentence(at, customer.currency),
        loan_id=loan.loan_id,
        product=loan.product,
        remaining_payments=len(at.instalments) - at.paid,
        payments=tuple(scheduled(at, index) for index in range(at.paid, end)),
        currency=customer.currency,
    )


def scheduled(at: Standing, index: int) -> ScheduledPayment:
    instalment = at.instalments[index]
    return ScheduledPayment(
        due_on=at.due_on(index),
        payment=instalment.payment,
        interest=instalment.interest,
        principal=instalment.principal,
        remaining=instalment.balance,
    )


def schedule_sentence(at: Standing, currency: str) -> str:
    name = f"{at.loan.product} {at.loan.loan_id}"
    remaining = len(at.instalments) - at.paid
    if not remaining:
        return f"Your {name} is paid off."
    upcoming = at.instalments[at.paid]
    first = f"{spell(upcoming.payment, currency)} ({spell(upcoming.interest, currency)} of it interest)"
    until = f"{count(remaining, 'payment')} until {at.due_on(len(at.instalments) - 1)}"
    which = "first unpaid payment" if at.overdue else "next payment"
    verb = "was" if at.overdue else "is"
    return f"The {which} of your {name} {verb} due on {at.due_on(at.paid)}: {first}; {until}."


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
