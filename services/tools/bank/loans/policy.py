"""What may be repaid early, and what that costs. Pure."""

from decimal import ROUND_HALF_EVEN, Decimal

from services.tools.bank.loans.contract import EARLY_MIN, FEE_PERCENT, FEE_SHORT_PERCENT, SHORT_PAYMENTS, RepayEarly
from switchboard.money import CENT, format_amount
from switchboard.toolkit.refusal import Refusal

ZERO = Decimal("0.00")


def fee(amount: Decimal, remaining_payments: int, interest_saved: Decimal) -> Decimal:
    """In whole cents, half-even; never more than the interest that the repayment saves."""
    percent = FEE_SHORT_PERCENT if remaining_payments <= SHORT_PAYMENTS else FEE_PERCENT
    return min((amount * percent / 100).quantize(CENT, rounding=ROUND_HALF_EVEN), max(interest_saved, ZERO))


def refuse_impossible(amount: Decimal, outstanding: Decimal, currency: str) -> Refusal | None:
    """No more can be repaid than is owed."""
    if not outstanding:
        return Refusal("This loan is paid off.")
    if amount > outstanding:
        why = f"Only {format_amount(outstanding, currency)} is outstanding. Repay that, or less."
        return Refusal(why)
    return None


def refuse_early(amount: Decimal, outstanding: Decimal, overdue: Decimal, currency: str) -> Refusal | None:
    if overdue:
        owed = format_amount(overdue, currency)
        why = f"{owed} of this loan is overdue. That has to be paid before more is repaid early."
        return Refusal(why, rule="L7")
    if amount < EARLY_MIN and amount != outstanding:
        return Refusal(
            f"The least that can be repaid early is {format_amount(EARLY_MIN, currency)}, or all of it.", rule="L8"
        )
    return None


def refuse_other_terms(request: RepayEarly, charged: Decimal, currency: str) -> Refusal | None:
    """What the customer has confirmed is what is done, or nothing."""
    if request.currency != currency:
        return Refusal(f"This loan is in {currency}, not in {request.currency}.", rule="T5")
    if request.fee != charged:
        fee, named = format_amount(charged, currency), format_amount(request.fee, currency)
        why = f"The fee is {fee}, not {named}. Ask for a quote, then again."
        return Refusal(why, rule="L9")
    return None
