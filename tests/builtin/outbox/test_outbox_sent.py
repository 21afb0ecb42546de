"""Each e-mail id is sent once."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from switchboard.builtin.outbox.contract import BODY_MAX_CHARS, Delivery
from switchboard.builtin.outbox.sent import EMAILS_KEPT, Sent, deliver, list_emails

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def delivery(email_id: str, subject: str = "Invoice") -> Delivery:
    return Delivery(email_id=email_id, to="alice@example.com", subject=subject, body="…")


def test_second_delivery_with_the_same_id_returns_the_first_email() -> None:
    once, first = deliver(Sent(), delivery("id-1"), NOW)
    twice, second = deliver(once, delivery("id-1", "Another"), NOW + timedelta(minutes=1))
    assert (twice, second) == (once, first)
    assert (len(twice.emails), second.subject, second.sent_at) == (1, "Invoice", NOW)


def test_same_text_with_another_id_is_another_email() -> None:
    sent, _ = deliver(deliver(Sent(), delivery("id-1"), NOW)[0], delivery("id-2"), NOW)
    assert [email.email_id for email in sent.emails] == ["id-1", "id-2"]


def test_only_the_latest_emails_are_kept() -> None:
    sent = Sent()
    for number in range(EMAILS_KEPT + 2):
        sent, _ = deliver(sent, delivery(f"id-{number}"), NOW)
    assert len(sent.emails) == EMAILS_KEPT
    assert (sent.emails[0].email_id, sent.emails[-1].email_id) == ("id-2", f"id-{EMAILS_KEPT + 1}")


@pytest.mark.parametrize(
    ("ids", "summary"),
    [
        ((), "No e-mails were sent."),
        (("1",), "1 e-mail sent: Invoice."),
        (("1", "2"), "2 e-mails sent: Invoice; Invoice."),
    ],
)
def test_summary_lists_the_sent_emails(ids: tuple[str, ...], summary: str) -> None:
    sent = Sent()
    for email_id in ids:
        sent, _ = deliver(sent, delivery(email_id), NOW)
    assert list_emails(sent).summary == summary


def test_email_size_and_id_are_validated() -> None:
    with pytest.raises(ValidationError):
        Delivery(email_id="id-1", to="a@b.c", subject="s", body="x" * (BODY_MAX_CHARS + 1))
    with pytest.raises(ValidationError):
        Delivery(email_id="", to="a@b.c", subject="s", body="")
