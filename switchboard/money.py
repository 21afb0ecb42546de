"""Money: decimal, in cents, never a float; beside it always the currency."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

CENT = Decimal("0.01")

AMOUNT_MAX_DIGITS = 18
"""Cents included. Arithmetic is exact to 28 digits; an amount beyond them could not be spelled in cents."""

# In JSON a string with two decimals: a float would lose cents on its way through other languages. More decimals are
# refused and not rounded: whoever computes an amount decides how it is rounded.
Money = Annotated[
    Decimal, Field(decimal_places=2, max_digits=AMOUNT_MAX_DIGITS), AfterValidator(lambda amount: amount.quantize(CENT))
]

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code, such as EUR.")]


def format_amount(amount: Decimal, currency: str) -> str:
    """An amount for people, such as "2,431.80 EUR"."""
    return f"{amount:,.2f} {currency}"
