"""Annuity loans: the monthly payment and the plan of all payments, exact to the cent. Pure arithmetic."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

from switchboard.money import CENT

MONTHS_A_YEAR = 12
TERM_MAX_MONTHS = 480
PRECISION_DIGITS = 34
"""Of intermediate results; far more than 480 compounded months can wear off."""

PLANS_KEPT = 256


@dataclass(frozen=True)
class Instalment:
    """One payment of a plan: `payment` = `interest` + `principal`, and what is owed after it."""

    payment: Decimal
    interest: Decimal
    principal: Decimal
    balance: Decimal


def monthly_payment(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> Decimal:
    """The equal payment that pays back `principal` in `term_months`, rounded half-even to cents.

    Raises ValueError for a principal that is not positive, a negative rate, or a term outside 1 to 480 months.
    """
    refuse_impossible(principal, annual_rate_percent, term_months)
    with localcontext(prec=PRECISION_DIGITS):
        rate = monthly_rate(annual_rate_percent)
        if not rate:
            return to_cents(principal / term_months)
        return to_cents(principal * rate / (1 - (1 + rate) ** -term_months))


# A plan never changes, and every look at a loan needs it.
@lru_cache(maxsize=PLANS_KEPT)
def plan(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> tuple[Instalment, ...]:
    """All payments of a loan, the first one first. Their principals add up to `principal`, to the cent.

    The last payment settles what rounding left over. Where rounding up pays a tiny loan back early, the plan is
    shorter than `term_months`. Raises ValueError as `monthly_payment` does.
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
    """The payments that are left when `balance` is paid back by the same `payment` as before; the last one settles it.

    Raises ValueError where the payment would never pay it back.
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
        raise ValueError(f"{payment} a month does not pay it back in {TERM_MAX_MONTHS} months")
    return tuple(instalments)


def monthly_rate(annual_rate_percent: Decimal) -> Decimal:
    return annual_rate_percent / 100 / MONTHS_A_YEAR


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def refuse_impossible(principal: Decimal, annual_rate_percent: Decimal, term_months: int) -> None:
    if principal <= 0 or principal != to_cents(principal):
        raise ValueError(f"a principal is positive and in whole cents, not {principal}")
    if annual_rate_percent < 0:
        raise ValueError(f"a rate is zero or more, not {annual_rate_percent} percent")
    if not 1 <= term_months <= TERM_MAX_MONTHS:
        raise ValueError(f"a term is 1 to {TERM_MAX_MONTHS} months, not {term_months}")
