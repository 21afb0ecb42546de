"""Terms of an early repayment: its cost, its effect on the loan and its debits, and the texts about it. Pure."""

from decimal import Decimal

from services.tools.bank.accounts.contract import LoanDebits, MoveMoney, Withdraw
from services.tools.bank.loans import policy
from services.tools.bank.loans.book import LoanState
from services.tools.bank.loans.contract import (
    EarlyTerms,
    ReducedLoan,
    ReduceLoan,
    RepaidEarly,
    RepayEarly,
    RepaymentQuote,
)
from services.tools.bank.loans.early_repayments import PaymentSchedule, reduced
from services.tools.bank.months import add_months
from switchboard.money import format_amount
from switchboard.toolkit.refusal import Refusal

BANK = "Harbour Bank"


def terms(at: LoanState, requested: Decimal | None, currency: str) -> EarlyTerms | Refusal:
    """Return the cost of repaying `requested`, or the whole balance. The policy rules are not checked here."""
    amount = at.outstanding if requested is None else requested
    impossible = policy.refuse_impossible(amount, at.outstanding, currency)
    if impossible:
        return impossible
    after = reduced(
        PaymentSchedule(at.opening, at.instalments), at.paid, amount, at.loan.annual_rate_percent, at.monthly_payment
    )
    rest = after.instalments[at.paid :]
    interest_saved = at.interest_to_come - sum((instalment.interest for instalment in rest), policy.ZERO)
    fee = policy.fee(amount, at.remaining, interest_saved)
    quote = RepaymentQuote(
        summary=quote_summary(at, amount, fee, len(rest), interest_saved, currency),
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


def quote_summary(at: LoanState, amount: Decimal, fee: Decimal, left: int, saved: Decimal, currency: str) -> str:
    name = f"{at.loan.product} {at.loan.loan_id}"
    costs = f"{format_amount(amount + fee, currency)}, including a fee of {format_amount(fee, currency)}"
    verb = "is" if left == 1 else "are"
    after = f"{left} of {at.remaining} payments {verb} left" if left else "the loan is paid off"
    return (
        f"Repaying {format_amount(amount, currency)} of your {name} early costs {costs}. After that, {after}. You save"
        f" {format_amount(saved, currency)} in interest."
    )


def withdrawal(request: RepayEarly, agreed: EarlyTerms, move_id: str) -> Withdraw:
    booked = MoveMoney(
        move_id=move_id,
        account=agreed.account or request.account,
        amount=request.amount + request.fee,
        currency=request.currency,
        counterparty=BANK,
        category="loan_payments",
        reference=f"Early repayment {request.loan_id}",
    )
    return Withdraw(**booked.model_dump())


def reduction(request: RepayEarly, agreed: EarlyTerms, repayment_id: str) -> ReduceLoan:
    return ReduceLoan(
        repayment_id=repayment_id,
        loan_id=request.loan_id,
        amount=request.amount,
        fee=request.fee,
        after_payments=agreed.after_payments,
    )


def reduced_loan(at: LoanState) -> ReducedLoan:
    return ReducedLoan(
        outstanding=at.outstanding, remaining_payments=at.remaining, ends_on=at.ends_on if at.remaining else None
    )


def debits(at: LoanState, granted: bool) -> LoanDebits | None:
    """Return the loan's debits, or None if the account is not debited for it, as for some loans of the demo data.

    `first_on` is set only for a granted loan, because the demo data contains the debits of its own loans.
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


def no_debits(at: LoanState) -> LoanDebits:
    """Return the message that ends the debits of a revoked loan before the first one."""
    before = add_months(at.first_due_on, -1)
    return LoanDebits(debited_as=at.loan.debited_as, last_on=before, last_amount=policy.ZERO, first_on=at.first_due_on)


def repaid(request: RepayEarly, after: ReducedLoan, balance: Decimal) -> RepaidEarly:
    amount, fee = format_amount(request.amount, request.currency), format_amount(request.fee, request.currency)
    outstanding = format_amount(after.outstanding, request.currency)
    left = (
        f"{outstanding} is still outstanding. The last payment is due on {after.ends_on}."
        if after.remaining_payments
        else "The loan is paid off."
    )
    return RepaidEarly(
        summary=f"Repaid {amount} of your loan {request.loan_id}, with a fee of {fee}. {left}",
        loan_id=request.loan_id,
        amount=request.amount,
        fee=request.fee,
        outstanding=after.outstanding,
        remaining_payments=after.remaining_payments,
        ends_on=after.ends_on,
        balance=balance,
        currency=request.currency,
    )
