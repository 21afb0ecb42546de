"""Rules and fees for early repayments. Pure."""

from decimal import ROUND_HALF_EVEN, Decimal

from services.tools.bank.accounts.contract import account_phrase
from services.tools.bank.loans.contract import EARLY_MIN, FEE_PERCENT, FEE_SHORT_PERCENT, SHORT_PAYMENTS, RepayEarly
from services.tools.bank.records import Account, Customer
from switchboard.money import CENT, format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

ZERO = Decimal("0.00")


def fee(amount: Decimal, remaining_payments: int, interest_saved: Decimal) -> Decimal:
    """Return the fee in whole cents, rounded half to even. It is never more than the interest saved."""
    percent = FEE_SHORT_PERCENT if remaining_payments <= SHORT_PAYMENTS else FEE_PERCENT
    return min((amount * percent / 100).quantize(CENT, rounding=ROUND_HALF_EVEN), max(interest_saved, ZERO))


def refuse_impossible(amount: Decimal, outstanding: Decimal, currency: str) -> Refusal | None:
    """Refuse to repay more than is owed."""
    if not outstanding:
        return Refusal("This loan is paid off.")
    if amount > outstanding:
        return Refusal(f"Only {format_amount(outstanding, currency)} is outstanding. You cannot repay more than that.")
    return None


def refuse_early(amount: Decimal, outstanding: Decimal, overdue: Decimal, currency: str) -> Refusal | None:
    if overdue:
        owed = format_amount(overdue, currency)
        why = f"{owed} of this loan is overdue. Please pay it before you repay the loan early."
        return Refusal(why, rule="L7")
    if amount < EARLY_MIN and amount != outstanding:
        minimum = format_amount(EARLY_MIN, currency)
        return Refusal(f"You can repay at least {minimum} early, or the whole outstanding balance.", rule="L8")
    return None


def paying_account(customer: Customer, request: RepayEarly) -> Account | Refusal:
    """Return the customer's account that pays."""
    account = customer.find_account(request.account)
    if account is None:
        return Refusal(f"You have no {account_phrase(request.account)}.", NOT_FOUND)
    return account


def refuse_other_terms(request: RepayEarly, charged: Decimal, currency: str) -> Refusal | None:
    """Refuse if the currency or the fee differs from what the customer confirmed."""
    if request.currency != currency:
        return Refusal(f"This loan is in {currency}, not in {request.currency}.", rule="T5")
    if request.fee != charged:
        fee, confirmed = format_amount(charged, currency), format_amount(request.fee, currency)
        why = f"The fee is {fee}, not {confirmed}. Please request a new quote."
        return Refusal(why, rule="L9")
    return None
