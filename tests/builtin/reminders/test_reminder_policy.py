"""Setting, listing and cancelling reminders."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from switchboard.builtin.reminders import policy
from switchboard.builtin.reminders.contract import PENDING_MAX, Reminder, RemindMe
from switchboard.builtin.reminders.policy import Book, Pending
from switchboard.toolkit.refusal import Refusal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ask(**fields: Any) -> RemindMe:
    return RemindMe.model_validate({"session_id": "s", "text": "call", **fields})


def book(*delays_s: int) -> Book:
    filled = Book()
    for delay_s in delays_s:
        reminder = policy.validate_reminder(filled, ask(after=delay_s), NOW, MINUTE)
        assert isinstance(reminder, Reminder)
        filled = filled.with_next_number().with_entry(Pending(reminder=reminder, session_id="s", timer_id="t"))
    return filled


@pytest.mark.parametrize("after", ["PT2H", 7200, "7200"])
def test_duration_is_accepted_in_the_forms_that_models_use(after: Any) -> None:
    assert ask(after=after).after == timedelta(hours=2)


def test_request_round_trips_through_json() -> None:
    assert RemindMe.model_validate_json(ask(after=90).model_dump_json()) == ask(after=90)


@pytest.mark.parametrize("fields", [{}, {"at": "friday", "after": 60}, {"after": 60, "text": " "}, {"after": "soon"}])
def test_request_without_a_text_or_exactly_one_time_is_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ask(**fields)


def test_ids_are_never_reused() -> None:
    two = book(60, 60)
    found = two.find("R1")
    assert found is not None
    assert policy.validate_reminder(two.without(found.entry_id), ask(after=60), NOW, MINUTE) == Reminder(
        reminder_id="R3", text="call", due_at=NOW + MINUTE
    )


def test_list_starts_with_the_next_reminder() -> None:
    told = policy.list_reminders(book(7200, 60))
    assert [entry.reminder_id for entry in told.reminders] == ["R2", "R1"]
    assert told.summary == (
        "You will be reminded: R2 on Monday, 23 November 2026 at 12:01 UTC of “call”;"
        " R1 on Monday, 23 November 2026 at 14:00 UTC of “call”."
    )
    assert policy.list_reminders(Book()).summary == "You have no reminders."


def test_only_pending_reminders_can_be_cancelled() -> None:
    assert policy.find_pending(book(60), "R2") == Refusal(
        "There is no pending reminder R2. Pending reminders: R1.", 404
    )


def test_number_of_pending_reminders_is_limited() -> None:
    judged = policy.validate_reminder(book(*[60] * PENDING_MAX), ask(after=60), NOW, MINUTE)
    assert isinstance(judged, Refusal)
