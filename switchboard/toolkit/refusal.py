"""Refusals of business rules. They are values, so that rules stay pure; handlers raise them as errors."""

import re
from dataclasses import dataclass

NOT_FOUND = 404
CONFLICT = 409


def with_rule(why: str, rule: str) -> str:
    """Append the rule number to a refusal's text, if there is one. Agents know the policy by these numbers."""
    return f"{why} (rule {rule})" if rule else why


def without_rule(why: str) -> str:
    """Remove the rule number from a refusal's text, for a text that the customer reads."""
    return re.sub(r" \(rule [A-Z]+\d+\)", "", why)


@dataclass(frozen=True)
class Refusal:
    """Why a business rule refuses an operation."""

    why: str
    """One sentence for the customer: the reason, and what to do instead."""

    status_code: int = CONFLICT
    """The HTTP status of the error."""

    rule: str = ""
    """Number of the violated rule of the written policy, such as `C2`. Empty for reasons that need no policy."""
