"""Which case can be closed, and what is said of the open ones."""

from datetime import UTC, datetime

from services.tools.cases.contract import TRANSFER_TO_HUMAN_AGENTS, Case
from services.tools.cases.policy import closing_notice, page, refuse_closing

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CASE = Case(case_id="case-1", customer_id="carol", session_id="s-1", summary="A refund", opened_at=NOON)


def test_an_open_case_is_closed_once() -> None:
    assert refuse_closing("case-1", CASE) is None
    closed = CASE.model_copy(update={"closed_at": NOON, "closed_by": "Mia", "outcome": "Refunded"})
    again, unknown = refuse_closing("case-1", closed), refuse_closing("case-2", None)
    assert again is not None
    assert again.why == "case-1 was closed by Mia before: Refunded"
    assert unknown is not None
    assert unknown.status_code == 404


def test_the_outcome_is_told_to_the_customer_and_to_nobody_else() -> None:
    closed = CASE.model_copy(update={"closed_at": NOON, "closed_by": "Mia", "outcome": "Refunded"})
    assert closing_notice(closed, known=True) == "Our staff have closed your case case-1: Refunded"
    withheld = closing_notice(closed, known=False)
    assert withheld.startswith("Our staff have closed your case case-1. What came of it is told only to")
    assert "Refunded" not in withheld


def test_a_case_that_says_nothing_of_it_was_not_verified() -> None:
    kept = CASE.model_dump(exclude={"verified"})
    assert Case.model_validate(kept).verified is False


def test_the_inbox_says_how_many_are_open() -> None:
    assert page((), 0).summary == "No case is open."
    assert page((CASE,), 1).summary == "1 case is open."
    assert page((CASE,), 70).summary == "70 cases are open."


def test_the_model_says_nothing_but_the_matter() -> None:
    assert list(TRANSFER_TO_HUMAN_AGENTS.parameters()["properties"]) == ["summary"]
