"""Conversations with a known end, for `switchboard demo`: messages, and what the replies must contain."""

from dataclasses import dataclass
from datetime import date, timedelta

LAST_MONTH = "<last month>"
"""Placeholder in a pattern for the month before this one, such as `February 2026`."""


@dataclass(frozen=True)
class Says:
    """A customer's message, and what must come of it.

    The reply must match each regular expression of `reply` and come from `agent`. At least `tools_at_once` tools must
    run in parallel. `refused` is the HTTP status of a message that the session must refuse; 0 for one that it takes.
    """

    text: str
    reply: tuple[str, ...]
    agent: str = ""
    tools_at_once: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Scene:
    """A part of a conversation. Scenes of the same session continue it. `emails` are in all outboxes afterwards."""

    title: str
    customer: str
    session: str
    says: tuple[Says, ...]
    emails: int
    signed_in: bool = True


def pattern(written: str, today: date) -> str:
    """Return the regular expression for `today`, a day in UTC."""
    last_month = today.replace(day=1) - timedelta(days=1)
    return written.replace(LAST_MONTH, last_month.strftime("%B %Y"))
