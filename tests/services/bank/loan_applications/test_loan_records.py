"""A customer's stored applications: status changes, texts and limits."""

from datetime import UTC, datetime
from decimal import Decimal

from services.tools.bank.loan_applications.contract import (
    Application,
    Closing,
    LoanFacts,
    LoanRequest,
    consent_to_apply,
)
from services.tools.bank.loan_applications.records import (
    RECORDS_KEPT,
    Records,
    application_list,
    closed,
    describe,
    loan_id_of,
    opened,
    refuse_second,
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
    return describe(record)


def test_each_status_is_described() -> None:
    new = opened(Records(), application())
    assert said(new) == (
        f"Your loan application {ID} for 10,000.00 EUR was received: 24 monthly payments of 447.27 EUR, at 6.90 %"
        " interest per year. We will let you know the decision here."
    )
    assert "is waiting for a decision by our staff" in said(waiting(new, ID))
    assert said(closed(new, closing(approved=False), NOW)).endswith("10,000.00 EUR was declined. Because.")
    assert said(closed(new, closing(approved=True), NOW)).endswith(
        "per year. Because. Your new loan is LN-3F9A1C07B2D4, and the money is in your checking account."
    )


def test_first_outcome_is_final() -> None:
    ended = closed(opened(Records(), application()), closing(approved=True), NOW)
    assert closed(ended, closing(approved=False), NOW) == ended
    assert waiting(ended, ID) == ended


def test_only_undecided_applications_are_open() -> None:
    new = opened(Records(), application())
    before_staff = waiting(new, ID)
    assert new.open is not None
    assert before_staff.open is not None
    assert closed(before_staff, closing(approved=False), NOW).open is None


def test_second_application_is_refused_until_the_first_is_decided() -> None:
    new = opened(Records(), application())
    for still_open in (new, waiting(new, ID)):
        refused = refuse_second(still_open)
        assert refused is not None
        assert (refused.rule, refused.why.endswith("You can apply for another loan after that.")) == ("L10", True)
    assert refuse_second(closed(new, closing(approved=False), NOW)) is None
    assert refuse_second(Records()) is None


def test_newest_applications_are_kept_and_listed_first() -> None:
    records = Records()
    for number in range(RECORDS_KEPT + 1):
        records = opened(records, application(f"LA-{number:012X}"))
    listed = application_list(records)
    assert len(listed.applications) == RECORDS_KEPT
    assert listed.applications[0].application_id == f"LA-{RECORDS_KEPT:012X}"
    assert listed.summary.endswith(f" And {RECORDS_KEPT - 3} more.")
    assert application_list(Records()).summary == "You have no loan applications."


def test_consent_question_shows_the_purpose_on_one_line() -> None:
    request = LoanRequest(
        customer_id="carol", session_id="s", amount=Decimal(1000), term_months=12, purpose="a\n\n  kitchen\n- and: yes"
    )
    facts = LoanFacts(currency="USD", monthly_payment=Decimal("86.48"))
    assert consent_to_apply(request, facts) == (
        "Apply for a loan of 1,000.00 USD over 12 months at 6.90 % interest per year, with payments of 86.48 USD a"
        " month? If the loan is approved, the money is paid into your checking account without another confirmation."
        " Purpose: “a kitchen - and: yes”"
    )
