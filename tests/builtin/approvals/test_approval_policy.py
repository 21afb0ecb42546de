"""Texts about decisions and refused decisions for staff."""

from datetime import UTC, datetime

import pytest

from switchboard.builtin.approvals.contract import Decision
from switchboard.builtin.approvals.policy import describe_decision, page, refuse_decision

DECISION = Decision(
    approval_id="LA-1", approved=True, by="Mia", why="Good for it.", at=datetime(2026, 3, 1, 12, tzinfo=UTC)
)


def test_decision_text_names_who_when_and_why() -> None:
    assert describe_decision(DECISION) == "LA-1 was approved by Mia at 2026-03-01 12:00 UTC: Good for it."


def test_second_decision_is_refused_with_the_first() -> None:
    refused = refuse_decision("LA-1", DECISION)
    assert (refused.status_code, refused.why) == (409, f"Nothing was changed: {describe_decision(DECISION)}")


def test_unknown_request_is_not_found() -> None:
    refused = refuse_decision("LA-2", None)
    assert refused.status_code == 404
    assert "List the pending requests" in refused.why


@pytest.mark.parametrize(
    ("total", "summary"),
    [
        (0, "No requests are waiting for approval."),
        (1, "1 request is waiting for approval."),
        (2, "2 requests are waiting for approval."),
    ],
)
def test_page_summary_counts_all_pages(total: int, summary: str) -> None:
    assert page((), total).summary == summary
