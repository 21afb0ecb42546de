"""What a rule of business answers when it says no. A value, so that rules stay pure; handlers raise it."""

from dataclasses import dataclass

NOT_FOUND = 404
CONFLICT = 409


def by_rule(why: str, rule: str) -> str:
    """The words of a refusal with the number of the rule that it keeps, if any: the agent knows the rules by it."""
    return f"{why} (rule {rule})" if rule else why


@dataclass(frozen=True)
class Refusal:
    """Why not, in a sentence that says what to do instead, and as an HTTP status."""

    why: str
    status_code: int = CONFLICT
    rule: str = ""
    """The number of the written rule that says so, such as `C2`; empty for what no policy has to state."""
