"""Numbers of written rules in refusals: models and staff read them, customers do not. Pure."""

import re

MARK = re.compile(r"\s*\(rule ([A-Z]+[0-9]+)\)", re.IGNORECASE)


def with_rule(why: str, rule: str) -> str:
    """Append the rule number to a refusal's text, if there is one. Agents know the policy by these numbers."""
    return f"{why} (rule {rule})" if rule else why


def without_rule(text: str) -> str:
    """Remove the rule numbers from a text that the customer reads."""
    return MARK.sub("", text)


def rule_of(text: str) -> str:
    """Return the rule number in a refusal's text; empty if it names none."""
    found = MARK.search(text)
    return found[1] if found else ""
