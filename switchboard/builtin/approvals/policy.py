"""What the inbox says: who decided what, and why a second decision is refused. Pure."""

from datetime import datetime, timedelta

from switchboard.builtin.approvals.contract import Decision, InboxPage, Waiting
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

DECISIONS_KEPT_FOR = timedelta(days=30)
"""So long a second decision is refused by naming the first; after that the id is not known any more."""


def refusal(approval_id: str, decided: Decision | None) -> Refusal:
    """Why something that does not wait cannot be decided: it has been, or there is nothing of that id."""
    if decided is None:
        return Refusal(
            f"Nothing waits under the id {approval_id!r}. List what waits, and take an id from there.", NOT_FOUND
        )
    return Refusal(f"Nothing was changed: {sentence(decided)}")


def sentence(decision: Decision) -> str:
    verdict = "approved" if decision.approved else "rejected"
    why = decision.why.rstrip(".")
    return f"{decision.approval_id} was {verdict} by {decision.by} at {format_time(decision.at)}: {why}."


def page(waiting: tuple[Waiting, ...], total: int) -> InboxPage:
    """A page of the inbox, with a sentence on the whole of it."""
    verb = "waits" if total == 1 else "wait"
    summary = f"{total} {verb} for a decision." if total else "Nothing waits for a decision."
    return InboxPage(summary=summary, waiting=waiting, waiting_total=total)


def format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
