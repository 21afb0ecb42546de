"""Metrics of approvals (docs/reference/metrics.md). Replays do not count again."""

from prometheus_client import Counter, Histogram

from switchboard.builtin.approvals.contract import DECIDED_BY_DEADLINE, ApprovalRequest, Decision
from switchboard.telemetry import spans

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WAIT_SECONDS = (MINUTE, 10 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR, DAY, 2 * DAY, 3 * DAY)

APPROVALS = Counter("switchboard_approvals", "Approval requests to staff and their outcomes.", ["kind", "outcome"])
APPROVAL_WAIT = Histogram(
    "switchboard_approval_wait_seconds", "Time from the request to the decision.", ["kind"], buckets=WAIT_SECONDS
)


def count_request(request: ApprovalRequest) -> None:
    """Count a request. `kind` is the service that requests approval, such as `LoanApplication`."""
    kind = request.tell.service

    def count(span: spans.HandlerSpan) -> None:
        APPROVALS.labels(kind, "asked").inc()
        # Create the other counters at 0. A counter that starts with its first event shows no increase.
        for outcome in ("approved", "rejected", "expired"):
            APPROVALS.labels(kind, outcome)

    spans.on_end(count)


def count_decision(item: ApprovalRequest, decision: Decision) -> None:
    """Count the outcome of a request."""
    outcome = "approved" if decision.approved else "expired" if decision.by == DECIDED_BY_DEADLINE else "rejected"
    waited = max((decision.at - item.waiting.since).total_seconds(), 0)

    def count(span: spans.HandlerSpan) -> None:
        APPROVALS.labels(item.tell.service, outcome).inc()
        APPROVAL_WAIT.labels(item.tell.service).observe(waited)

    spans.on_end(count)
