"""A customer's applications: the first end counts, and each status has its sentence."""

from datetime import UTC, datetime
from decimal import Decimal

from services.tools.bank.loan_applications.contract import Application, Closing, LoanRequest, consent_to_apply
from services.tools.bank.loan_applications.records import (
    RECORDS_KEPT,
    Records,
    closed,
    loan_id_of,
    opened,
    refuse_second,
    sentence,
    views,
    waiting,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "LA-3F9A1C07B2D4"


def application(application_id: str = ID) -> Application:
    return Application(
        application_id=application_id,
        customer_id="carol",
        session_id="s",
        amount=Decimal("10000.00"),
        currency="EUR",
        term_months=24,
        purpose="a kitchen",
        applied_at=NOW,
        decide_within_seconds=60,
    )


def closing(approved: bool) -> Closing:
    loan_id = loan_id_of(ID) if approved else None
    return Closing(application_id=ID, approved=approved, why="Because", decided_at=NOW, loan_id=loan_id)


def said(records: Records) -> str:
    record = records.find(ID)
    assert record is not None
    return sentence(record)


def test_each_status_has_its_sentence() -> None:
    new = opened(Records(), application())
    assert said(new) == (
        f"Your loan application {ID} for 10,000.00 EUR was received: 24 monthly payments of 447.27 EUR, at 6.90 % a"
        " year. It is being checked, and you will be told the outcome."
    )
    assert "waits for a decision of our staff" in said(waiting(new, ID))
    assert said(closed(new, closing(approved=False), NOW)).endswith("10,000.00 EUR was declined. Because.")
    assert said(closed(new, closing(approved=True), NOW)).endswith(
        "a year. Because. It is your loan LN-3F9A1C07B2D4, and the money is in your checking account."
    )


def test_the_first_end_counts() -> None:
    ended = closed(opened(Records(), application()), closing(approved=True), NOW)
    assert closed(ended, closing(approved=False), NOW) == ended
    assert waiting(ended, ID) == ended


def test_only_what_is_not_decided_is_open() -> None:
    new = opened(Records(), application())
    before_staff = waiting(new, ID)
    assert new.open is not None
    assert before_staff.open is not None
    assert closed(before_staff, closing(approved=False), NOW).open is None


def test_the_next_application_is_taken_when_the_one_before_is_decided() -> None:
    new = opened(Records(), application())
    for still_open in (new, waiting(new, ID)):
        refused = refuse_second(still_open)
        assert refused is not None
        assert (refused.rule, refused.why.endswith("Wait for that before you apply for another loan.")) == ("L10", True)
    assert refuse_second(closed(new, closing(approved=False), NOW)) is None
    assert refuse_second(Records()) is None


def test_the_newest_are_kept_and_come_first() -> None:
    records = Records()
    for number in range(RECORDS_KEPT + 1):
        records = opened(records, application(f"LA-{number:012X}"))
    listed = views(records)
    assert len(listed.applications) == RECORDS_KEPT
    assert listed.applications[0].application_id == f"LA-{RECORDS_KEPT:012X}"
    assert listed.summary.endswith(f" And {RECORDS_KEPT - 3} more.")
    assert views(Records()).summary == "You have no loan applications."


def test_a_purpose_is_on_one_line() -> None:
    request = LoanRequest(
        customer_id="carol", session_id="s", amount=Decimal(1000), term_months=12, purpose="a\n\n  kitchen\n- and: yes"
    )
    assert "\n" not in consent_to_apply(request)
