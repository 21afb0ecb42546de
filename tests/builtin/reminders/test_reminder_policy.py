"""Which reminders may be set and cancelled, and how they are told."""

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
        reminder = policy.judge_reminder(filled, ask(after=delay_s), NOW, MINUTE)
        assert isinstance(reminder, Reminder)
        filled = filled.with_next_number().with_entry(Pending(reminder=reminder, session_id="s", timer_id="t"))
    return filled


@pytest.mark.parametrize("after", ["PT2H", 7200, "7200"])
def test_a_duration_may_be_written_as_models_write_it(after: Any) -> None:
    assert ask(after=after).after == timedelta(hours=2)


def test_a_journaled_request_reads_back_the_same() -> None:
    assert RemindMe.model_validate_json(ask(after=90).model_dump_json()) == ask(after=90)


@pytest.mark.parametrize("fields", [{}, {"at": "friday", "after": 60}, {"after": 60, "text": " "}, {"after": "soon"}])
def test_what_does_not_say_when_or_what_is_no_request(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ask(**fields)


def test_ids_are_never_used_twice() -> None:
    two = book(60, 60)
    found = two.find("R1")
    assert found is not None
    assert policy.judge_reminder(two.without(found.entry_id), ask(after=60), NOW, MINUTE) == Reminder(
        reminder_id="R3", text="call", due_at=NOW + MINUTE
    )


def test_the_list_begins_with_the_next() -> None:
    told = policy.listed(book(7200, 60))
    assert [entry.reminder_id for entry in told.reminders] == ["R2", "R1"]
    assert told.summary == (
        "You will be reminded: R2 on Monday, 23 November 2026 at 12:01 UTC of “call”;"
        " R1 on Monday, 23 November 2026 at 14:00 UTC of “call”."
    )
    assert policy.listed(Book()).summary == "You have no reminders."


def test_only_what_is_still_to_come_can_be_cancelled() -> None:
    assert policy.judge_cancellation(book(60), "R2") == Refusal("No reminder R2 is still to come. There are: R1.", 404)


def test_there_is_an_end_to_them() -> None:
    judged = policy.judge_reminder(book(*[60] * PENDING_MAX), ask(after=60), NOW, MINUTE)
    assert isinstance(judged, Refusal)
