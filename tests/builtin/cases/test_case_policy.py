"""Which case can be closed, and what is said of the open ones."""

from datetime import UTC, datetime

import pytest

from switchboard.builtin.cases.contract import (
    OPEN_OF_CUSTOMER_MAX,
    OPEN_OF_SESSION_MAX,
    OPEN_UNVERIFIED_MAX,
    TRANSFER_TO_HUMAN_AGENTS,
    Case,
)
from switchboard.builtin.cases.policy import OPEN_MAX, OpenCases, closing_notice, page, refuse_closing, refuse_opening

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


def waiting(number: int, session: str = "s-{}", verified: bool = True) -> OpenCases:
    cases = OpenCases()
    for one in range(number):
        fields = {"case_id": f"case-{one}", "session_id": session.format(one), "verified": verified}
        cases = cases.with_case(CASE.model_copy(update=fields))
    return cases


@pytest.mark.parametrize(
    ("of_customer", "totals", "verified", "told"),
    [
        (waiting(OPEN_OF_SESSION_MAX - 1, "mine"), (9, 9), True, None),
        (waiting(OPEN_OF_SESSION_MAX, "mine"), (9, 9), True, "in hand already: case-0, case-1, case-2. Tell"),
        (waiting(OPEN_OF_SESSION_MAX, "mine", False), (9, 9), False, "in hand already: case-0, case-1, case-2. Tell"),
        (waiting(OPEN_OF_CUSTOMER_MAX - 1), (9, 9), True, None),
        (waiting(OPEN_OF_CUSTOMER_MAX), (9, 9), True, "in hand already: case-0,"),
        (waiting(OPEN_OF_CUSTOMER_MAX, verified=False), (9, 9), False, "in hand already. Tell"),
        (waiting(OPEN_OF_CUSTOMER_MAX, verified=False), (9, 9), True, None),
        (waiting(0), (OPEN_MAX, 0), True, "too many open cases"),
        (waiting(0), (OPEN_MAX - 1, OPEN_UNVERIFIED_MAX), True, None),
        (waiting(0), (OPEN_MAX - 1, OPEN_UNVERIFIED_MAX), False, "too many open cases"),
    ],
)
def test_so_many_cases_are_open_and_a_stranger_takes_none_of_the_customers(
    of_customer: OpenCases, totals: tuple[int, int], verified: bool, told: str | None
) -> None:
    case = CASE.model_copy(update={"case_id": "case-new", "session_id": "mine", "verified": verified})
    refused = refuse_opening(case, of_customer, *totals)
    assert (refused is None) if told is None else refused is not None and told in refused.why


def test_a_case_that_is_closed_makes_room() -> None:
    assert len(waiting(3).without("case-1").cases) == 2
    assert waiting(3).without("case-9") == waiting(3)
