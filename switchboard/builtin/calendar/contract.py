"""What the calendar promises, and how days and instants are written by models and for people. Values, no clock."""

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

DAYS_AHEAD_MAX = 366

WEEKDAY = "(?:" + "|".join(WEEKDAYS) + ")"
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = "[0-9]{2}:[0-9]{2}(?::[0-9]{2})?"


def real(when: str) -> str:
    """Refuse a date or an instant that no calendar has, such as the 30th of February."""
    if when not in WEEKDAYS:
        try:
            dt.datetime.fromisoformat(when)
        except ValueError as error:
            raise ValueError(f"there is no such day or time ({error})") from error
    return when


# Not "today" and not "tomorrow": between a question and the customer's yes midnight may pass.
When = Annotated[
    str,
    Field(
        pattern=f"^(?:{WEEKDAY}|{DATE}(?:T{TIME}Z)?)$",
        description="YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ in UTC, or the name of a weekday for the coming one. "
        "You do not know today's date: find_date tells it.",
        examples=["friday", "2026-12-01", "2026-12-01T17:30:00Z"],
    ),
    AfterValidator(real),
]


def format_when(when: str) -> str:
    """A day or an instant for people, after "on": "the coming Friday", "Tuesday, 1 December 2026 at 17:30 UTC"."""
    if when in WEEKDAYS:
        return f"the coming {when.capitalize()}"
    if "T" not in when:
        return format_date(dt.date.fromisoformat(when))
    return format_instant(dt.datetime.fromisoformat(when))


def format_date(day: dt.date) -> str:
    """Such as "Friday, 27 November 2026"; not by strftime, whose names follow the process's locale."""
    return f"{WEEKDAYS[day.weekday()].capitalize()}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def format_instant(at: dt.datetime) -> str:
    """To the minute, or to the second where there are any."""
    return f"{format_date(at.date())} at {at:%H:%M:%S} UTC".replace(":00 UTC", " UTC")


class DateQuery(ToolInput):
    """Which day is meant; today when nothing is given."""

    weekday: str | None = Field(None, pattern=f"^{WEEKDAY}$", description="The coming day of that name.")
    days_ahead: int = Field(0, ge=0, le=DAYS_AHEAD_MAX, description="Days after today; 1 is tomorrow.")


class FoundDate(WireModel):
    """The day that is meant, and today, both in UTC."""

    summary: str
    date: dt.date
    today: dt.date


FIND_DATE = Tool(
    service="Calendar",
    handler="find_date",
    purpose="Today's date, or the date of tomorrow, of the coming Friday, of the day in so many days.",
    input=DateQuery,
    output=FoundDate,
)
