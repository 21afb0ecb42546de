"""Conversations for `switchboard demo`: messages and the expected replies."""

from dataclasses import dataclass
from datetime import date, timedelta

LAST_MONTH = "<last month>"
"""Placeholder in a pattern for the previous month, such as `February 2026`."""


@dataclass(frozen=True)
class Says:
    """A customer's message and the expected result.

    The reply must match each regular expression of `reply` and come from `agent`. At least `tools_at_once` tools must
    run in parallel. If the session must reject the message, `refused` is the HTTP status, otherwise 0.
    """

    text: str
    reply: tuple[str, ...]
    agent: str = ""
    tools_at_once: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Scene:
    """A part of a conversation. Scenes of the same session continue it.

    `emails` is the total number of e-mails in all outboxes after the scene.
    """

    title: str
    customer: str
    session: str
    says: tuple[Says, ...]
    emails: int
    signed_in: bool = True


def pattern(written: str, today: date) -> str:
    """Return the regular expression with placeholders filled for `today`, a date in UTC."""
    last_month = today.replace(day=1) - timedelta(days=1)
    return written.replace(LAST_MONTH, last_month.strftime("%B %Y"))
