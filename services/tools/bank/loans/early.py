"""Early repayments of a customer's loans: which there are, and what each makes of its loan's plan. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from services.tools.bank.amortisation import Instalment, monthly_payment, plan, rest_of_plan
from services.tools.bank.loans.contract import LoanId, Reduce
from services.tools.bank.records import InstalmentLoan
from switchboard.messages import WireModel
from switchboard.money import Money

UNDONE_KEPT = 100


class EarlyRepayment(WireModel):
    """One repayment as it is booked; it counts from the `after_payments`-th payment on."""

    repayment_id: str
    loan_id: LoanId
    amount: Money
    fee: Money
    after_payments: int
    on: date


class Repayments(WireModel):
    """All early repayments of a customer, oldest first; `undone` must not be booked again, or must never be."""

    made: tuple[EarlyRepayment, ...] = ()
    undone: tuple[str, ...] = ()

    def find(self, repayment_id: str) -> EarlyRepayment | None:
        return next((entry for entry in self.made if entry.repayment_id == repayment_id), None)

    def of(self, loan_id: str) -> tuple[EarlyRepayment, ...]:
        return tuple(entry for entry in self.made if entry.loan_id == loan_id)


@dataclass(frozen=True)
class Course:
    """A loan's payments from the first to the last, and what is owed before the first."""

    opening: Decimal
    instalments: tuple[Instalment, ...]

    def owed_after(self, payments: int) -> Decimal:
        return self.instalments[payments - 1].balance if payments else self.opening


def course(loan: InstalmentLoan, made: Iterable[EarlyRepayment]) -> Course:
    """The plan as it was agreed, and behind each early repayment the same payments for as long as they are needed."""
    payment = monthly_payment(loan.principal, loan.annual_rate_percent, loan.term_months)
    so_far = Course(loan.principal, plan(loan.principal, loan.annual_rate_percent, loan.term_months))
    for entry in made:
        so_far = reduced(so_far, entry.after_payments, entry.amount, loan.annual_rate_percent, payment)
    return so_far


def reduced(before: Course, payments: int, amount: Decimal, rate_percent: Decimal, payment: Decimal) -> Course:
    """The course when `amount` is repaid after so many payments."""
    balance = before.owed_after(payments) - amount
    rest = rest_of_plan(balance, rate_percent, payment)
    if not payments:
        return Course(balance, rest)
    last = replace(before.instalments[payments - 1], balance=balance)
    return Course(before.opening, (*before.instalments[: payments - 1], last, *rest))


def book(repayments: Repayments, request: Reduce, today: date) -> Repayments:
    """With one more repayment."""
    entry = EarlyRepayment(on=today, **request.model_dump())
    return Repayments(made=(*repayments.made, entry), undone=repayments.undone)


def undo(repayments: Repayments, repayment_id: str) -> Repayments:
    """Without that repayment, which will never be booked from now on."""
    return Repayments(
        made=tuple(entry for entry in repayments.made if entry.repayment_id != repayment_id),
        undone=(*repayments.undone, repayment_id)[-UNDONE_KEPT:],
    )
