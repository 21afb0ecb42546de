"""Who gets a loan: what may be applied for, and what the figures of a customer say. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from services.tools.bank.accounts.contract import Spending, TransactionList
from services.tools.bank.amortisation import plan
from services.tools.bank.loan_applications.contract import (
    AMOUNT_MAX,
    AMOUNT_MIN,
    ANNUAL_RATE_PERCENT,
    AUTOMATIC_MAX,
    BURDEN_BAD_PERCENT,
    GAMBLING_BAD_PERCENT,
    LENT_PRODUCT,
    TERM_MAX_MONTHS,
    TERM_MIN_MONTHS,
    Offer,
)
from services.tools.bank.loans.contract import LoanOverview, Percent
from switchboard.builtin.approvals.contract import Fact
from switchboard.messages import WireModel
from switchboard.money import CENT, Currency, Money, format_amount
from switchboard.toolkit.refusal import Refusal

BURDEN_GOOD_PERCENT = Decimal(35)
"""As BURDEN_BAD_PERCENT; above this it is for staff."""

GAMBLING_GOOD_PERCENT = Decimal(5)
"""As GAMBLING_BAD_PERCENT; above this it is for staff."""

INCOME_MONTHS_GOOD = 2
"""Months of the last ninety days with a salary; of monthly pay there are two at least."""

UNPROCESSABLE = 422


@dataclass(frozen=True)
class Verdict:
    """What the figures say: `refer` leaves it to staff. `why` is for the customer, and for staff.

    `refused` is the rule that declines it, if one does.
    """

    outcome: Literal["approve", "decline", "refer"]
    why: str
    refused: Refusal | None = None


class Figures(WireModel):
    """What the checks found. `burden_percent` is that with the new loan; None without an income.

    `owed` is what is still owed on loans that were applied for here before.
    """

    currency: Currency
    monthly_income: Money
    months_with_income: int
    monthly_payments: Money
    overdue: Money
    gambling_percent: Percent
    burden_percent: Percent | None
    owed: Money = Decimal("0.00")


def judge_request(amount: Decimal, term_months: int, currency: str) -> Refusal | None:
    """Whether this can be applied for at all."""
    if not AMOUNT_MIN <= amount <= AMOUNT_MAX:
        span = f"{format_amount(AMOUNT_MIN, currency)} to {format_amount(AMOUNT_MAX, currency)}"
        why = f"Loans are from {span}, not {format_amount(amount, currency)}. Ask for an amount within that."
        return Refusal(why, UNPROCESSABLE, "L1")
    if not TERM_MIN_MONTHS <= term_months <= TERM_MAX_MONTHS:
        span = f"{TERM_MIN_MONTHS} to {TERM_MAX_MONTHS} months"
        return Refusal(f"Loans run for {span}, not {term_months}. Ask for a term within that.", UNPROCESSABLE, "L2")
    return None


def offer(amount: Decimal, term_months: int) -> Offer:
    """What the loan would cost, exact to the cent."""
    instalments = plan(amount, ANNUAL_RATE_PERCENT, term_months)
    return Offer(
        annual_rate_percent=ANNUAL_RATE_PERCENT,
        term_months=term_months,
        monthly_payment=instalments[0].payment,
        total_interest=sum((instalment.interest for instalment in instalments), Decimal(0)),
    )


def figures(salary: TransactionList, loans: LoanOverview, spending: Spending, new_payment: Decimal) -> Figures:
    """The customer's figures, from what the bank's own tools say of ninety days and of all loans."""
    paid = [entry for entry in salary.transactions if entry.amount > 0 and entry.currency == loans.currency]
    months = len({(entry.booked_at.year, entry.booked_at.month) for entry in paid})
    # By the months that had one: a window of ninety days holds two or three paydays of the same pay.
    income = cents(sum((entry.amount for entry in paid), Decimal(0)) / max(months, 1))
    gambled = sum((part.total for part in spending.by_category if part.category == "gambling"), Decimal(0))
    payments = loans.total_monthly_payment + new_payment
    return Figures(
        currency=loans.currency,
        monthly_income=income,
        months_with_income=months,
        monthly_payments=loans.total_monthly_payment,
        overdue=sum((loan.overdue for loan in loans.loans), Decimal(0)),
        gambling_percent=percent_of(gambled, spending.total) or Decimal(0),
        burden_percent=percent_of(payments, income),
        owed=sum((loan.outstanding for loan in loans.loans if loan.product == LENT_PRODUCT), Decimal("0.00")),
    )


def judge(amount: Decimal, found: Figures) -> Verdict:
    """Clearly bad is declined, small and clearly good is approved, all else is for staff."""
    bad = clearly_bad(found) or too_much(amount, found)
    if bad:
        return Verdict("decline", bad.why, bad)
    doubts = doubtful(found)
    if amount + found.owed > AUTOMATIC_MAX:
        beside = f" with {format_amount(found.owed, found.currency)} that is owed already" if found.owed else ""
        doubts.append(f"more than {format_amount(AUTOMATIC_MAX, found.currency)}{beside}")
    if doubts:
        return Verdict("refer", f"For staff to decide: {', '.join(doubts)}.")
    return Verdict("approve", "Your income carries it, and nothing is overdue.")


def clearly_bad(found: Figures) -> Refusal | None:
    """The rule that declines it, with the reason in a sentence for the customer."""
    if found.overdue:
        overdue = format_amount(found.overdue, found.currency)
        why = f"Payments of {overdue} on your present loans are overdue. Settle them, then apply again."
        return Refusal(why, rule="L3")
    if found.burden_percent is None:
        return Refusal("We see no salary on your accounts in the last ninety days.", rule="L4")
    if found.burden_percent > BURDEN_BAD_PERCENT:
        why = (
            f"Loan payments would take {found.burden_percent} % of your monthly income, and we lend up to"
            f" {BURDEN_BAD_PERCENT} %. Apply for less, or for a longer term."
        )
        return Refusal(why, rule="L4")
    if found.gambling_percent > GAMBLING_BAD_PERCENT:
        why = f"Gambling is {found.gambling_percent} % of your spending in the last ninety days."
        return Refusal(why, rule="L5")
    return None


def too_much(amount: Decimal, found: Figures) -> Refusal | None:
    """Many small loans are lent no more than a large one."""
    if amount + found.owed <= AMOUNT_MAX:
        return None
    owed, most = format_amount(found.owed, found.currency), format_amount(AMOUNT_MAX, found.currency)
    why = f"You owe {owed} on personal loans already, and with this one it would be more than {most}. Apply for less."
    return Refusal(why, rule="L1")


def doubtful(found: Figures) -> list[str]:
    """What keeps the figures from being clearly good."""
    burden, gambling = found.burden_percent or Decimal(0), found.gambling_percent
    doubts = []
    if burden > BURDEN_GOOD_PERCENT:
        doubts.append(f"payments of {burden} % of the income")
    if gambling > GAMBLING_GOOD_PERCENT:
        doubts.append(f"gambling of {gambling} % of the spending")
    if found.months_with_income < INCOME_MONTHS_GOOD:
        doubts.append("a salary in only one month")
    return doubts


def facts(found: Figures, cost: Offer, purpose: str, why: str) -> tuple[Fact, ...]:
    """The figures as staff see them."""
    return (
        Fact(name="why it is here", value=why),
        Fact(name="purpose", value=purpose),
        Fact(name="monthly payment", value=format_amount(cost.monthly_payment, found.currency)),
        Fact(name="monthly income", value=format_amount(found.monthly_income, found.currency)),
        Fact(name="present loan payments", value=f"{format_amount(found.monthly_payments, found.currency)} a month"),
        Fact(name="owed on personal loans", value=format_amount(found.owed, found.currency)),
        Fact(name="payments with this loan", value=f"{found.burden_percent} % of the income"),
        Fact(name="gambling", value=f"{found.gambling_percent} % of the spending"),
    )


def undecided(within: timedelta) -> str:
    """Why it was declined at the deadline, for the customer."""
    return f"It could not be decided within {format_duration(within)}. Please apply again, or ask for a call."


def format_duration(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds / 3600:g} hours" if seconds % 3600 == 0 else f"{seconds:g} seconds"


def percent_of(part: Decimal, whole: Decimal) -> Decimal | None:
    return cents(part * 100 / whole) if whole > 0 else None


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
