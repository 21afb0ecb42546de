"""Annuity loans: the monthly payment and the repayment plan, exact to the cent. Pure."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

from switchboard.money import CENT

MONTHS_A_YEAR = 12
TERM_MAX_MONTHS = 480
PRECISION_DIGITS = 34
"""Precision of intermediate results. It is far more than the rounding errors of 480 compounded months."""

PLANS_KEPT = 256


@dataclass(frozen=True)
class Instalment:
    """One payment of a plan. `payment` is `interest` plus `principal`; `balance` is owed after it."""

    payment: Decimal
    interest: Decimal
    principal: Decimal
    balance: Decimal


def monthly_payment(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> Decimal:
    """Return the equal payment that pays back `principal` in `term_months`, rounded half to even to cents.

    Raises ValueError for a principal that is not positive, a negative rate, or a term outside 1 to 480 months.
    """
    refuse_impossible(principal, annual_rate_percent, term_months)
    with localcontext(prec=PRECISION_DIGITS):
        rate = monthly_rate(annual_rate_percent)
        if not rate:
            return to_cents(principal / term_months)
        return to_cents(principal * rate / (1 - (1 + rate) ** -term_months))


# Cached, because a plan never changes and every read of a loan needs it.
@lru_cache(maxsize=PLANS_KEPT)
def plan(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> tuple[Instalment, ...]:
    """Return all payments of a loan, in order. Their principals add up to `principal`, to the cent.

    The last payment settles the rounding difference. If rounding up pays back a tiny loan early, the plan is shorter
    than `term_months`. Raises ValueError as `monthly_payment` does.
    """
    payment = monthly_payment(principal, annual_rate_percent, term_months)
    balance = to_cents(principal)
    instalments: list[Instalment] = []
    with localcontext(prec=PRECISION_DIGITS):
        rate = monthly_rate(annual_rate_percent)
        for month in range(1, term_months + 1):
            interest = to_cents(balance * rate)
            to_settle = balance + interest
            due = to_settle if month == term_months else min(payment, to_settle)
            balance = to_settle - due
            instalments.append(Instalment(due, interest, due - interest, balance))
            if not balance:
                break
    return tuple(instalments)


def rest_of_plan(balance: Decimal, annual_rate_percent: Decimal, payment: Decimal) -> tuple[Instalment, ...]:
    """Return the payments that pay back `balance` with the given `payment`. The last payment settles the rest.

    Raises ValueError if the payment is too small to pay it back in 480 months.
    """
    instalments: list[Instalment] = []
    with localcontext(prec=PRECISION_DIGITS):
        rate = monthly_rate(annual_rate_percent)
        for _ in range(TERM_MAX_MONTHS):
            if not balance:
                return tuple(instalments)
            interest = to_cents(balance * rate)
            due = min(payment, balance + interest)
            balance = balance + interest - due
            instalments.append(Instalment(due, interest, due - interest, balance))
    if balance:
        raise ValueError(f"{payment} a month does not pay back the balance in {TERM_MAX_MONTHS} months")
    return tuple(instalments)


def monthly_rate(annual_rate_percent: Decimal) -> Decimal:
    return annual_rate_percent / 100 / MONTHS_A_YEAR


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def refuse_impossible(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> None:
    if principal <= 0 or principal != to_cents(principal):
        raise ValueError(f"the principal must be positive and in whole cents, not {principal}")
    if annual_rate_percent < 0:
        raise ValueError(f"the interest rate must be zero or more, not {annual_rate_percent} percent")
    if not 1 <= term_months <= TERM_MAX_MONTHS:
        raise ValueError(f"the term must be 1 to {TERM_MAX_MONTHS} months, not {term_months}")
