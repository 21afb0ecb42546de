"""Rules for loan applications: the limits of a request, and the assessment of a customer's figures. Pure."""

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
"""Same share as BURDEN_BAD_PERCENT. Above this, staff decide."""

GAMBLING_GOOD_PERCENT = Decimal(5)
"""Same share as GAMBLING_BAD_PERCENT. Above this, staff decide."""

INCOME_MONTHS_GOOD = 2
"""Months with a salary in the last ninety days. With monthly pay there are at least two. Below this, staff decide."""

UNPROCESSABLE = 422


@dataclass(frozen=True)
class Verdict:
    """The result of an assessment. `refer` means that staff decide. Customers and staff read `why`.

    `refused` is the refusal by the rule that declines the application, if there is one.
    """

    outcome: Literal["approve", "decline", "refer"]
    why: str
    refused: Refusal | None = None


class Figures(WireModel):
    """Results of the checks.

    `burden_percent` includes the new loan and is None without an income. `owed` is the outstanding balance of earlier
    loans that were applied for here.
    """

    currency: Currency
    monthly_income: Money
    months_with_income: int
    monthly_payments: Money
    overdue: Money
    gambling_percent: Percent
    burden_percent: Percent | None
    owed: Money = Decimal("0.00")


def refuse_request(amount: Decimal, term_months: int, currency: str) -> Refusal | None:
    """Refuse an amount or a term outside the limits."""
    if not AMOUNT_MIN <= amount <= AMOUNT_MAX:
        span = f"{format_amount(AMOUNT_MIN, currency)} and {format_amount(AMOUNT_MAX, currency)}"
        why = f"A loan can be between {span}, not {format_amount(amount, currency)}. Please choose another amount."
        return Refusal(why, UNPROCESSABLE, "L1")
    if not TERM_MIN_MONTHS <= term_months <= TERM_MAX_MONTHS:
        span = f"{TERM_MIN_MONTHS} to {TERM_MAX_MONTHS} months"
        why = f"The term of a loan is {span}, not {term_months}. Please choose another term."
        return Refusal(why, UNPROCESSABLE, "L2")
    return None


def offer(amount: Decimal, term_months: int) -> Offer:
    """Return the cost of the loan, exact to the cent."""
    instalments = plan(amount, ANNUAL_RATE_PERCENT, term_months)
    return Offer(
        annual_rate_percent=ANNUAL_RATE_PERCENT,
        term_months=term_months,
        monthly_payment=instalments[0].payment,
        total_interest=sum((instalment.interest for instalment in instalments), Decimal(0)),
    )


def figures(salary: TransactionList, loans: LoanOverview, spending: Spending, new_payment: Decimal) -> Figures:
    """Return the customer's figures, computed from ninety days of transactions and from all loans."""
    paid = [entry for entry in salary.transactions if entry.amount > 0 and entry.currency == loans.currency]
    months = len({(entry.booked_at.year, entry.booked_at.month) for entry in paid})
    # Divide by the months with a salary, because ninety days contain two or three paydays.
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


def assess(amount: Decimal, found: Figures) -> Verdict:
    """Decline if a rule is violated, approve if the amount is small and the figures are good, else refer to staff."""
    bad = clearly_bad(found) or too_much(amount, found)
    if bad:
        return Verdict("decline", bad.why, bad)
    doubts = doubtful(found)
    if amount + found.owed > AUTOMATIC_MAX:
        owed = f" with {format_amount(found.owed, found.currency)} that is owed already" if found.owed else ""
        doubts.append(f"more than {format_amount(AUTOMATIC_MAX, found.currency)}{owed}")
    if doubts:
        return Verdict("refer", f"For staff to decide: {', '.join(doubts)}.")
    return Verdict("approve", "Your income covers the payments, and you have no overdue payments.")


def clearly_bad(found: Figures) -> Refusal | None:
    """Return the refusal by the first rule that the figures violate, with the reason for the customer."""
    if found.overdue:
        overdue = format_amount(found.overdue, found.currency)
        why = f"Payments of {overdue} on your existing loans are overdue. Please pay them before you apply again."
        return Refusal(why, rule="L3")
    if found.burden_percent is None:
        return Refusal("We found no salary in your accounts for the last ninety days.", rule="L4")
    if found.burden_percent > BURDEN_BAD_PERCENT:
        why = (
            f"Loan payments would take {found.burden_percent} % of your monthly income. Our maximum is"
            f" {BURDEN_BAD_PERCENT} %. You can apply for a smaller amount or a longer term."
        )
        return Refusal(why, rule="L4")
    if found.gambling_percent > GAMBLING_BAD_PERCENT:
        why = (
            f"Gambling is {found.gambling_percent} % of your spending in the last ninety days. Our maximum is"
            f" {GAMBLING_BAD_PERCENT} %."
        )
        return Refusal(why, rule="L5")
    return None


def too_much(amount: Decimal, found: Figures) -> Refusal | None:
    """Refuse a loan if all personal loans together would exceed the maximum."""
    if amount + found.owed <= AMOUNT_MAX:
        return None
    owed, most = format_amount(found.owed, found.currency), format_amount(AMOUNT_MAX, found.currency)
    why = (
        f"You already owe {owed} on personal loans. With this loan, it would be more than our maximum of {most}. You"
        " can apply for a smaller amount."
    )
    return Refusal(why, rule="L1")


def doubtful(found: Figures) -> list[str]:
    """Return the reasons why staff have to look at the figures."""
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
    """Return the figures as staff see them.

    Workflows that wait for staff sent these texts and the referral's reason before the wait, and send them again on a
    replay. They must stay as they are: another text is a journal mismatch.
    """
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
    """Return the reason for the customer when staff did not decide before the deadline."""
    return (
        f"Sorry, our staff could not decide within {format_duration(within)}. Please apply again or contact our staff."
    )


def format_duration(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds / 3600:g} hours" if seconds % 3600 == 0 else f"{seconds:g} seconds"


def percent_of(part: Decimal, whole: Decimal) -> Decimal | None:
    return cents(part * 100 / whole) if whole > 0 else None


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
