"""Refusals of business rules. They are values, so that rules stay pure; handlers raise them as errors."""

from dataclasses import dataclass

NOT_FOUND = 404
CONFLICT = 409


@dataclass(frozen=True)
class Refusal:
    """Why a business rule refuses an operation."""

    why: str
    """One sentence for the customer: the reason, and what to do instead."""

    status_code: int = CONFLICT
    """The HTTP status of the error."""

    rule: str = ""
    """Number of the violated rule of the written policy, such as `C2`. Empty for reasons that need no policy."""

    quotes_others: bool = False
    """True if `why` contains other people's words, such as a passenger's name. Models see them in marks."""
