"""Early repayments of a customer's loans, and their effect on the payment schedules. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from services.tools.bank.amortisation import Instalment, monthly_payment, plan, rest_of_plan
from services.tools.bank.loans.contract import LoanId, ReduceLoan
from services.tools.bank.records import InstalmentLoan
from switchboard.messages import WireModel
from switchboard.money import Money

UNDONE_KEPT = 100


class EarlyRepayment(WireModel):
    """One booked repayment. It takes effect after `after_payments` payments."""

    repayment_id: str
    loan_id: LoanId
    amount: Money
    fee: Money
    after_payments: int
    on: date


class EarlyRepayments(WireModel):
    """All early repayments of a customer, oldest first. The ids in `undone` can no longer be booked."""

    made: tuple[EarlyRepayment, ...] = ()
    undone: tuple[str, ...] = ()

    def find(self, repayment_id: str) -> EarlyRepayment | None:
        return next((entry for entry in self.made if entry.repayment_id == repayment_id), None)

    def of(self, loan_id: str) -> tuple[EarlyRepayment, ...]:
        return tuple(entry for entry in self.made if entry.loan_id == loan_id)


@dataclass(frozen=True)
class PaymentSchedule:
    """All payments of a loan, and the balance before the first one."""

    opening: Decimal
    instalments: tuple[Instalment, ...]

    def owed_after(self, payments: int) -> Decimal:
        return self.instalments[payments - 1].balance if payments else self.opening


def payment_schedule(loan: InstalmentLoan, made: Iterable[EarlyRepayment]) -> PaymentSchedule:
    """Return the agreed plan with all early repayments. They keep the monthly payment and shorten the loan."""
    payment = monthly_payment(loan.principal, loan.annual_rate_percent, loan.term_months)
    schedule = PaymentSchedule(loan.principal, plan(loan.principal, loan.annual_rate_percent, loan.term_months))
    for entry in made:
        schedule = reduced(schedule, entry.after_payments, entry.amount, loan.annual_rate_percent, payment)
    return schedule


def reduced(
    before: PaymentSchedule, payments: int, amount: Decimal, rate_percent: Decimal, payment: Decimal
) -> PaymentSchedule:
    """Return the schedule if `amount` is repaid early after `payments` payments."""
    balance = before.owed_after(payments) - amount
    rest = rest_of_plan(balance, rate_percent, payment)
    if not payments:
        return PaymentSchedule(balance, rest)
    last = replace(before.instalments[payments - 1], balance=balance)
    return PaymentSchedule(before.opening, (*before.instalments[: payments - 1], last, *rest))


def book(repayments: EarlyRepayments, request: ReduceLoan, today: date) -> EarlyRepayments:
    entry = EarlyRepayment(on=today, **request.model_dump())
    return EarlyRepayments(made=(*repayments.made, entry), undone=repayments.undone)


def undo(repayments: EarlyRepayments, repayment_id: str) -> EarlyRepayments:
    """Remove the repayment if it is booked, and block its id from being booked later."""
    return EarlyRepayments(
        made=tuple(entry for entry in repayments.made if entry.repayment_id != repayment_id),
        undone=(*repayments.undone, repayment_id)[-UNDONE_KEPT:],
    )
