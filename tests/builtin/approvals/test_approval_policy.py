"""What staff are told of a decision, and of one that is refused."""

from datetime import UTC, datetime

import pytest

from switchboard.builtin.approvals.contract import Decision
from switchboard.builtin.approvals.policy import page, refusal, sentence

DECISION = Decision(
    approval_id="LA-1", approved=True, by="Mia", why="Good for it.", at=datetime(2026, 3, 1, 12, tzinfo=UTC)
)


def test_a_decision_says_who_when_and_why() -> None:
    assert sentence(DECISION) == "LA-1 was approved by Mia at 2026-03-01 12:00 UTC: Good for it."


def test_a_second_decision_is_refused_by_naming_the_first() -> None:
    refused = refusal("LA-1", DECISION)
    assert (refused.status_code, refused.why) == (409, f"Nothing was changed: {sentence(DECISION)}")


def test_what_nobody_asked_for_is_not_found() -> None:
    refused = refusal("LA-2", None)
    assert refused.status_code == 404
    assert "List what waits" in refused.why


@pytest.mark.parametrize(
    ("total", "said"),
    [(0, "Nothing waits for a decision."), (1, "1 waits for a decision."), (2, "2 wait for a decision.")],
)
def test_the_inbox_counts_all_pages(total: int, said: str) -> None:
    assert page((), total).summary == said
