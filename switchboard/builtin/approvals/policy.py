"""Texts of the inbox: decisions, and why a second decision is refused. Pure."""

from datetime import datetime, timedelta

from switchboard.builtin.approvals.contract import Decision, InboxPage, PendingApproval
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

DECISIONS_KEPT_FOR = timedelta(days=30)
"""How long a second decision is refused with the first one. After that the id is unknown."""


def refuse_decision(approval_id: str, decided: Decision | None) -> Refusal:
    """Refuse a decision on a request that is not pending: it is decided or does not exist."""
    if decided is None:
        return Refusal(
            f"There is no pending request with the id {approval_id!r}. List the pending requests and use one of their"
            " ids.",
            NOT_FOUND,
        )
    return Refusal(f"Nothing was changed: {describe_decision(decided)}")


def describe_decision(decision: Decision) -> str:
    verdict = "approved" if decision.approved else "rejected"
    why = decision.why.rstrip(".")
    return f"{decision.approval_id} was {verdict} by {decision.by} at {format_time(decision.at)}: {why}."


def page(waiting: tuple[PendingApproval, ...], total: int) -> InboxPage:
    """Return a page of the inbox with a summary of all pages."""
    subject = "1 request is" if total == 1 else f"{total} requests are" if total else "No requests are"
    summary = f"{subject} waiting for approval."
    return InboxPage(summary=summary, waiting=waiting, waiting_total=total)


def format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
