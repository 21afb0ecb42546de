"""Reports of the loans service: the state of each loan on a given day. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.tools.bank.amortisation import Instalment, monthly_payment, to_cents
from services.tools.bank.loans.contract import (
    CreditLine,
    Loan,
    LoanChoice,
    LoanOverview,
    LoanSchedule,
    LoanStatus,
    ScheduledPayment,
    ScheduleQuery,
)
from services.tools.bank.loans.early_repayments import EarlyRepayment, EarlyRepayments, payment_schedule
from services.tools.bank.months import add_months, payments_due
from services.tools.bank.records import Borrowing, InstalmentLoan
from services.tools.bank.records import CreditLine as CreditLineData
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

ZERO = Decimal("0.00")

NO_REPAYMENTS = EarlyRepayments()


@dataclass(frozen=True)
class LoanState:
    """The state of a loan: of its `instalments`, `due` have fallen due and `paid` were paid.

    `opening` is the balance before the first payment. The demo bank charges no interest on overdue payments.
    """

    loan: InstalmentLoan
    opening: Decimal
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
        return self.instalments[self.paid - 1].balance if self.paid else self.opening

    @property
    def monthly_payment(self) -> Decimal:
        return monthly_payment(self.loan.principal, self.loan.annual_rate_percent, self.loan.term_months)

    @property
    def remaining(self) -> int:
        return len(self.instalments) - self.paid

    @property
    def interest_to_come(self) -> Decimal:
        return sum((instalment.interest for instalment in self.instalments[self.paid :]), ZERO)

    @property
    def ends_on(self) -> date:
        """The due date of the last payment."""
        return self.due_on(len(self.instalments) - 1)

    @property
    def overdue(self) -> Decimal:
        return sum((instalment.payment for instalment in self.instalments[self.paid : self.due]), ZERO)

    @property
    def next_payment_on(self) -> date | None:
        return self.due_on(self.due) if self.due < len(self.instalments) else None

    def due_on(self, index: int) -> date:
        """Return the due date of the payment with that index. The first payment has index 0."""
        return add_months(self.first_due_on, index)


def loan_state(loan: InstalmentLoan, today: date, early: tuple[EarlyRepayment, ...] = ()) -> LoanState:
    """Return a loan's state today. Payments are made on their due date, unless the loan is in arrears."""
    schedule = payment_schedule(loan, early)
    due = min(payments_due(loan.first_payment_on, today), len(schedule.instalments))
    paid = due if loan.payments_made is None else min(due, loan.payments_made)
    return LoanState(loan, schedule.opening, schedule.instalments, loan.first_payment_on, due, paid)


def overview(borrowing: Borrowing, currency: str, today: date, early: EarlyRepayments = NO_REPAYMENTS) -> LoanOverview:
    """Return all loans and credit lines of the customer, and their totals."""
    states = (loan_state(loan, today, early.of(loan.loan_id)) for loan in borrowing.loans)
    loans = tuple(describe(state, currency) for state in states)
    lines = tuple(credit_line(line, today, currency) for line in borrowing.credit_lines)
    open_loans = [loan for loan in loans if loan.status != "paid_off"]
    outstanding = sum((*(loan.outstanding for loan in loans), *(line.used for line in lines)), ZERO)
    monthly = sum((*(loan.monthly_payment for loan in open_loans), *(line.minimum_payment for line in lines)), ZERO)
    return LoanOverview(
        summary=overview_sentence(loans, lines, outstanding, monthly, currency),
        loans=loans,
        credit_lines=lines,
        total_outstanding=outstanding,
        total_monthly_payment=monthly,
        currency=currency,
    )


def describe(at: LoanState, currency: str) -> Loan:
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
        monthly_payment=at.monthly_payment,
        next_payment_on=at.next_payment_on,
        currency=currency,
    )


def credit_line(line: CreditLineData, today: date, currency: str) -> CreditLine:
    """Return the state of a credit line. The used amount does not change, because the demo has no card payments."""
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
    amounts = f"{format_amount(outstanding, currency)} outstanding, {format_amount(monthly, currency)} due each month"
    overdue = sum((loan.overdue for loan in running), ZERO)
    return f"You have {held}; {amounts}" + (f"; {format_amount(overdue, currency)} is overdue." if overdue else ".")


def find_loan(
    borrowing: Borrowing, choice: LoanChoice, today: date, early: EarlyRepayments = NO_REPAYMENTS
) -> LoanState | Refusal:
    """Return the loan that the customer means. Refuse with 404 if none or several match."""
    states = [loan_state(loan, today, early.of(loan.loan_id)) for loan in borrowing.loans]
    found = [state for state in states if choice.loan_id in (None, state.loan.loan_id)]
    if choice.product:
        found = [state for state in found if state.loan.product.casefold().startswith(choice.product)]
    if choice.loan_id is None and len(found) > 1:
        found = [state for state in found if state.status != "paid_off"]
    if len(found) == 1:
        return found[0]
    owned = ", ".join(f"{state.loan.loan_id} ({state.loan.product.lower()})" for state in found or states) or "none"
    missing = f"You have no loan {choice.loan_id or f'of that kind ({choice.product})'}."
    problem = "Which loan do you mean?" if found else missing
    return Refusal(f"{problem} Your loans: {owned}.", NOT_FOUND)


def schedule(at: LoanState, query: ScheduleQuery, currency: str) -> LoanSchedule:
    """Return a part of a loan's repayment plan, by default the next payments."""
    begin = at.paid if query.first is None else min(query.first - 1, len(at.instalments))
    end = min(begin + query.limit, len(at.instalments))
    return LoanSchedule(
        summary=schedule_sentence(at, currency),
        loan_id=at.loan.loan_id,
        product=at.loan.product,
        payments_total=len(at.instalments),
        remaining_payments=at.remaining,
        payments=tuple(scheduled(at, index) for index in range(begin, end)),
        interest_to_come=at.interest_to_come,
        ends_on=at.ends_on,
        currency=currency,
    )


def scheduled(at: LoanState, index: int) -> ScheduledPayment:
    instalment = at.instalments[index]
    return ScheduledPayment(
        number=index + 1,
        due_on=at.due_on(index),
        payment=instalment.payment,
        interest=instalment.interest,
        principal=instalment.principal,
        remaining=instalment.balance,
    )


def schedule_sentence(at: LoanState, currency: str) -> str:
    name = f"{at.loan.product} {at.loan.loan_id}"
    remaining = len(at.instalments) - at.paid
    if not remaining:
        return f"Your {name} is paid off."
    upcoming = at.instalments[at.paid]
    interest = format_amount(upcoming.interest, currency)
    first = f"{format_amount(upcoming.payment, currency)}, including {interest} interest"
    left = f"{count(remaining, 'payment')} {'is' if remaining == 1 else 'are'} left until {at.ends_on}"
    which = "first unpaid payment" if at.overdue else "next payment"
    verb = "was" if at.overdue else "is"
    owed = f"{format_amount(at.outstanding, currency)} is outstanding"
    return f"The {which} of your {name} {verb} due on {at.due_on(at.paid)}: {first}. {left}. {owed}."


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
