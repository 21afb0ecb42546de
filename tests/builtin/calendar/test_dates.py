"""Resolving weekdays, dates and durations, and formatting them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from switchboard.builtin.calendar.contract import When, format_when
from switchboard.builtin.calendar.dates import due_after, due_on, next_weekday
from switchboard.toolkit.refusal import Refusal

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("weekday", "day"),
    [("tuesday", 24), ("friday", 27), ("sunday", 29), ("monday", 30)],
)
def test_weekday_is_the_next_one(weekday: str, day: int) -> None:
    assert next_weekday(weekday, MONDAY.date()) == date(2026, 11, day)


@pytest.mark.parametrize(
    ("when", "due"),
    [
        ("friday", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-23T12:01:00Z", datetime(2026, 11, 23, 12, 1, tzinfo=UTC)),
        ("2026-11-23T17:30Z", datetime(2026, 11, 23, 17, 30, tzinfo=UTC)),
        ("2027-11-23", datetime(2027, 11, 23, 8, tzinfo=UTC)),
        ("monday", "Today is Monday, 23 November 2026. State whether 2026-11-23 or 2026-11-30 is meant."),
        ("2026-11-23", "Monday, 23 November 2026 is today. Do it now"),
        ("2026-11-22", "Sunday, 22 November 2026 at 08:00 UTC is in the past"),
        ("2026-11-23T12:00:59Z", "That is too soon: it must be at least 60 seconds from now."),
        ("2026-11-23T11:59:59Z", "at 11:59:59 UTC is in the past: it is now Monday, 23 November 2026 at 12:00 UTC."),
        ("2027-11-24", "That is too far ahead: the last possible day is Tuesday, 23 November 2027."),
    ],
)
def test_named_day_or_time_resolves_to_the_due_time(when: str, due: datetime | str) -> None:
    found = due_on(when, MONDAY, MINUTE)
    assert found == due if isinstance(due, datetime) else isinstance(found, Refusal) and due in found.why


@pytest.mark.parametrize(
    ("delay", "due"),
    [
        (timedelta(seconds=60), MONDAY + MINUTE),
        (timedelta(seconds=59), "too soon"),
        (timedelta(0), "too soon"),
        (timedelta(seconds=-1), "in the past"),
        (timedelta(days=365), MONDAY + timedelta(days=365)),
        (timedelta(days=365, seconds=1), "too far ahead"),
        (timedelta.max, "too far ahead"),
    ],
)
def test_duration_resolves_to_the_due_time(delay: timedelta, due: datetime | str) -> None:
    found = due_after(delay, MONDAY, MINUTE)
    assert found == due if isinstance(due, datetime) else isinstance(found, Refusal) and due in found.why


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("friday", "the coming Friday"),
        ("2026-12-01", "Tuesday, 1 December 2026"),
        ("2026-12-01T17:30Z", "Tuesday, 1 December 2026 at 17:30 UTC"),
        ("2026-12-01T17:30:05Z", "Tuesday, 1 December 2026 at 17:30:05 UTC"),
        ("2026-12-01T17:00:00Z", "Tuesday, 1 December 2026 at 17:00 UTC"),
    ],
)
def test_day_or_time_is_formatted_in_words(when: str, text: str) -> None:
    assert format_when(TypeAdapter(When).validate_python(when)) == text


@pytest.mark.parametrize(
    "when",
    [
        "tomorrow",
        "today",
        "Friday",
        "fri",
        "2026-02-30",
        "2026-13-01",
        "2026-12-01T25:00Z",
        "2026-12-01T10:00",
        "1.12.",
    ],
)
def test_invalid_day_is_refused(when: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(When).validate_python(when)
