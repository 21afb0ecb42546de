"""Money types. An amount is a Decimal with two places, never a float, and has its currency in a field beside it."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

CENT = Decimal("0.01")

AMOUNT_MAX_DIGITS = 18
"""Maximum digits of an amount, cents included. Decimal arithmetic is exact up to 28 digits."""

# A string with two decimals in JSON, because floats lose cents in other languages. More than two decimals are rejected,
# not rounded: the code that computes an amount decides how to round it.
Money = Annotated[
    Decimal, Field(decimal_places=2, max_digits=AMOUNT_MAX_DIGITS), AfterValidator(lambda amount: amount.quantize(CENT))
]

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


def format_amount(amount: Decimal, currency: str) -> str:
    """Format an amount for people, such as "2,431.80 EUR"."""
    return f"{amount:,.2f} {currency}"
