"""An early repayment: what it costs, what it changes, and what is told of it. Pure."""

from decimal import Decimal

from services.tools.bank.accounts.contract import LoanDebits, MoveMoney, Withdraw
from services.tools.bank.loans import policy
from services.tools.bank.loans.book import Standing
from services.tools.bank.loans.contract import (
    EarlyTerms,
    Reduce,
    Reduced,
    RepaidEarly,
    RepayEarly,
    RepaymentQuote,
)
from services.tools.bank.loans.early import Course, reduced
from services.tools.bank.months import add_months
from switchboard.money import format_amount
from switchboard.toolkit.refusal import Refusal

BANK = "Harbour Bank"


def terms(at: Standing, asked: Decimal | None, currency: str) -> EarlyTerms | Refusal:
    """What it costs to repay `asked`, or all that is outstanding; whether the rules allow it is not judged here."""
    amount = at.outstanding if asked is None else asked
    impossible = policy.refuse_impossible(amount, at.outstanding, currency)
    if impossible:
        return impossible
    after = reduced(
        Course(at.opening, at.instalments), at.paid, amount, at.loan.annual_rate_percent, at.monthly_payment
    )
    rest = after.instalments[at.paid :]
    interest_saved = at.interest_to_come - sum((instalment.interest for instalment in rest), policy.ZERO)
    fee = policy.fee(amount, at.remaining, interest_saved)
    quote = RepaymentQuote(
        summary=sentence(at, amount, fee, len(rest), interest_saved, currency),
        loan_id=at.loan.loan_id,
        amount=amount,
        fee=fee,
        total=amount + fee,
        outstanding_after=at.outstanding - amount,
        payments_saved=at.remaining - len(rest),
        interest_saved=interest_saved,
        currency=currency,
    )
    return EarlyTerms(quote=quote, after_payments=at.paid)


def sentence(at: Standing, amount: Decimal, fee: Decimal, left: int, saved: Decimal, currency: str) -> str:
    name = f"{at.loan.product} {at.loan.loan_id}"
    costs = f"{format_amount(amount + fee, currency)}, {format_amount(fee, currency)} of it a fee"
    after = f"{left} of {at.remaining} payments are left then" if left else "then it is paid off"
    return (
        f"To repay {format_amount(amount, currency)} of your {name} early costs {costs}; {after}, and you save"
        f" {format_amount(saved, currency)} of interest."
    )


def withdrawal(request: RepayEarly, move_id: str) -> Withdraw:
    booked = MoveMoney(
        move_id=move_id,
        account=request.account,
        amount=request.amount + request.fee,
        currency=request.currency,
        counterparty=BANK,
        category="loan_payments",
        reference=f"Early repayment {request.loan_id}",
    )
    return Withdraw(**booked.model_dump())


def reduction(request: RepayEarly, judged: EarlyTerms, repayment_id: str) -> Reduce:
    return Reduce(
        repayment_id=repayment_id,
        loan_id=request.loan_id,
        amount=request.amount,
        fee=request.fee,
        after_payments=judged.after_payments,
    )


def reduced_to(at: Standing) -> Reduced:
    """The loan as it stands now."""
    return Reduced(
        outstanding=at.outstanding, remaining_payments=at.remaining, ends_on=at.ends_on if at.remaining else None
    )


def debits(at: Standing, granted: bool) -> LoanDebits | None:
    """What the account is debited for the loan as it stands; None for one of the demo data that it is not debited for.

    Only the debits of a loan that was granted here are the account's to begin.
    """
    if not at.loan.debited_as:
        return None
    return LoanDebits(
        debited_as=at.loan.debited_as,
        last_on=at.ends_on,
        last_amount=at.instalments[-1].payment if at.instalments else policy.ZERO,
        first_on=at.first_due_on if granted else None,
        monthly=at.monthly_payment,
    )


def no_debits(at: Standing) -> LoanDebits:
    """Of a granted loan that was taken back."""
    before = add_months(at.first_due_on, -1)
    return LoanDebits(debited_as=at.loan.debited_as, last_on=before, last_amount=policy.ZERO, first_on=at.first_due_on)


def repaid(request: RepayEarly, now: Reduced, balance: Decimal) -> RepaidEarly:
    amount, fee = format_amount(request.amount, request.currency), format_amount(request.fee, request.currency)
    outstanding = format_amount(now.outstanding, request.currency)
    left = (
        f"{outstanding} is outstanding now, the last payment is due on {now.ends_on}."
        if now.remaining_payments
        else "The loan is paid off."
    )
    return RepaidEarly(
        summary=f"Repaid {amount} of your loan {request.loan_id}, with a fee of {fee}. {left}",
        loan_id=request.loan_id,
        amount=request.amount,
        fee=request.fee,
        outstanding=now.outstanding,
        remaining_payments=now.remaining_payments,
        ends_on=now.ends_on,
        balance=balance,
        currency=request.currency,
    )
