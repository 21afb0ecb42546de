"""Limits on cases, closing cases, and the texts about them."""

from datetime import UTC, datetime

import pytest

from switchboard.builtin.cases.contract import (
    NOTES_MAX,
    OPEN_OF_CUSTOMER_MAX,
    OPEN_OF_SESSION_MAX,
    OPEN_UNVERIFIED_MAX,
    TRANSFER_TO_HUMAN_AGENTS,
    Case,
    CaseNote,
)
from switchboard.builtin.cases.policy import (
    OPEN_MAX,
    OpenCases,
    closing_notice,
    page,
    refuse_opening,
    require_open,
    require_room_for_note,
)
from switchboard.toolkit.refusal import Refusal

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CASE = Case(case_id="case-1", customer_id="carol", session_id="s-1", summary="A refund", opened_at=NOON)


def test_case_can_be_closed_once() -> None:
    assert require_open("case-1", CASE) == CASE
    closed = CASE.model_copy(update={"closed_at": NOON, "closed_by": "Mia", "outcome": "Refunded"})
    again, unknown = require_open("case-1", closed), require_open("case-2", None)
    assert isinstance(again, Refusal)
    assert again.why == "case-1 was already closed by Mia: Refunded."
    assert isinstance(unknown, Refusal)
    assert unknown.status_code == 404


def test_case_takes_a_limited_number_of_notes() -> None:
    note = CaseNote(at=NOON, by="mia", text="Called back")
    almost = CASE.model_copy(update={"notes": (note,) * (NOTES_MAX - 1)})
    full = CASE.model_copy(update={"notes": (note,) * NOTES_MAX})
    assert require_room_for_note(almost) == almost
    assert isinstance(require_room_for_note(full), Refusal)
    assert "notes" not in CASE.model_dump(), "earlier versions wrote no notes into journals"


def test_outcome_is_withheld_from_unverified_customers() -> None:
    closed = CASE.model_copy(update={"closed_at": NOON, "closed_by": "Mia", "outcome": "Refunded"})
    assert closing_notice(closed, known=True) == "Our staff have closed your case case-1: Refunded"
    withheld = closing_notice(closed, known=False)
    assert withheld.startswith(
        "Our staff have closed your case case-1. To protect your data, we share the outcome only after you sign in."
    )
    assert "Refunded" not in withheld


def test_stored_case_without_the_field_counts_as_unverified() -> None:
    kept = CASE.model_dump(exclude={"verified"})
    assert Case.model_validate(kept).verified is False


def test_page_summary_counts_open_cases() -> None:
    assert page((), 0).summary == "No cases are open."
    assert page((CASE,), 1).summary == "1 case is open."
    assert page((CASE,), 70).summary == "70 cases are open."


def test_model_passes_only_the_summary() -> None:
    assert list(TRANSFER_TO_HUMAN_AGENTS.parameters()["properties"]) == ["summary"]


def waiting(number: int, session: str = "s-{}", verified: bool = True) -> OpenCases:
    cases = OpenCases()
    for one in range(number):
        fields = {"case_id": f"case-{one}", "session_id": session.format(one), "verified": verified}
        cases = cases.with_case(CASE.model_copy(update=fields))
    return cases


@pytest.mark.parametrize(
    ("of_customer", "totals", "verified", "refusal"),
    [
        (waiting(OPEN_OF_SESSION_MAX - 1, "mine"), (9, 9), True, None),
        (
            waiting(OPEN_OF_SESSION_MAX, "mine"),
            (9, 9),
            True,
            "working on this customer's cases: case-0, case-1, case-2. Tell",
        ),
        (
            waiting(OPEN_OF_SESSION_MAX, "mine", False),
            (9, 9),
            False,
            "working on this customer's cases: case-0, case-1, case-2. Tell",
        ),
        (waiting(OPEN_OF_CUSTOMER_MAX - 1), (9, 9), True, None),
        (waiting(OPEN_OF_CUSTOMER_MAX), (9, 9), True, "working on this customer's cases: case-0,"),
        (waiting(OPEN_OF_CUSTOMER_MAX, verified=False), (9, 9), False, "working on this customer's cases. Tell"),
        (waiting(OPEN_OF_CUSTOMER_MAX, verified=False), (9, 9), True, None),
        (waiting(0), (OPEN_MAX, 0), True, "too many open cases"),
        (waiting(0), (OPEN_MAX - 1, OPEN_UNVERIFIED_MAX), True, None),
        (waiting(0), (OPEN_MAX - 1, OPEN_UNVERIFIED_MAX), False, "too many open cases"),
    ],
)
def test_open_cases_are_limited_separately_for_unverified_customers(
    of_customer: OpenCases, totals: tuple[int, int], verified: bool, refusal: str | None
) -> None:
    case = CASE.model_copy(update={"case_id": "case-new", "session_id": "mine", "verified": verified})
    refused = refuse_opening(case, of_customer, *totals)
    assert (refused is None) if refusal is None else refused is not None and refusal in refused.why


def test_closed_case_frees_a_place() -> None:
    assert len(waiting(3).without("case-1").cases) == 2
    assert waiting(3).without("case-9") == waiting(3)
