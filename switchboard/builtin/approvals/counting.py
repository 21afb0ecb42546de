"""What is counted of approvals: once, when what changed them is no replay (docs/reference/metrics.md)."""

from prometheus_client import Counter, Histogram

from switchboard.builtin.approvals.contract import NO_STAFF, AskForApproval, Decision
from switchboard.telemetry import spans

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WAIT_SECONDS = (MINUTE, 10 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR, DAY, 2 * DAY, 3 * DAY)

APPROVALS = Counter("switchboard_approvals", "What staff are asked, and how it ended.", ["kind", "outcome"])
APPROVAL_WAIT = Histogram(
    "switchboard_approval_wait_seconds", "From the question to staff to its end.", ["kind"], buckets=WAIT_SECONDS
)


def count_asked(request: AskForApproval) -> None:
    """Count a question. `kind` is the service that asks, such as `LoanApplication`."""
    kind = request.tell.service

    def count(span: spans.HandlerSpan) -> None:
        APPROVALS.labels(kind, "asked").inc()
        # A counter that begins with its first event has no increase to see.
        for outcome in ("approved", "rejected", "expired"):
            APPROVALS.labels(kind, outcome)

    spans.on_end(count)


def count_decision(item: AskForApproval, decision: Decision) -> None:
    """Count how a question to staff ended."""
    outcome = "approved" if decision.approved else "expired" if decision.by == NO_STAFF else "rejected"
    waited = max((decision.at - item.waiting.since).total_seconds(), 0)

    def count(span: spans.HandlerSpan) -> None:
        APPROVALS.labels(item.tell.service, outcome).inc()
        APPROVAL_WAIT.labels(item.tell.service).observe(waited)

    spans.on_end(count)
