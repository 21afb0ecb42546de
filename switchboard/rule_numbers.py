"""Numbers of written rules in refusals: models and staff read them, customers do not. Pure."""

import re

# The blanks before a number are matched only from their first one: a model may write a million blanks.
MARK = re.compile(r"(?:(?<!\s)\s++)?\(rule ([A-Z]+[0-9]+)\)", re.IGNORECASE)

MARK_BEGINS = re.compile(r"(?:(?<!\s)\s++)?(?:\((?:r(?:u(?:l(?:e(?: (?:[A-Z]+[0-9]*)?)?)?)?)?)?)?\Z", re.IGNORECASE)
"""The end of a text that becomes a MARK with the right characters after it."""

HELD_MAX_CHARS = 200
"""How much of a text in parts is held back; a rule's number is shorter, and more blanks may be shown."""


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


class RuleFilter:
    """Removes the rule numbers from a text that arrives in parts."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, part: str) -> str:
        """Return the next part of the text without rule numbers. Holds back what could be the beginning of one."""
        text, at, shown = self._held + part, 0, []
        if "(" not in text:  # Only blanks at its end can begin a number. Nearly all parts of a text are like this.
            end = len(text.rstrip())
            end = end if len(text) - end <= HELD_MAX_CHARS else len(text)
            self._held = text[end:]
            return text[:end]
        for mark in MARK.finditer(text):
            shown.append(text[at : mark.start()])
            at = mark.end()
        begins = MARK_BEGINS.search(text, at)
        end = begins.start() if begins is not None and len(text) - begins.start() <= HELD_MAX_CHARS else len(text)
        self._held = text[end:]
        return "".join((*shown, text[at:end]))

    def rest(self) -> str:
        """Return what was held back at the end of the text."""
        return self._held
