"""The contract of the calendar, and how dates and times are parsed and formatted. Values only, no clock."""

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.words import OurWords

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
    """Reject a date or time that does not exist, such as the 30th of February. A time gets its seconds."""
    if when in WEEKDAYS:
        return when
    try:
        at = dt.datetime.fromisoformat(when)
    except ValueError as error:
        raise ValueError(f"there is no such day or time ({error})") from error
    return exact_when(at) if "T" in when else when


# "today" and "tomorrow" are not allowed: midnight may pass between the question and the customer's confirmation.
When = Annotated[
    str,
    Field(
        pattern=f"^(?:{WEEKDAY}|{DATE}(?:T{TIME}Z)?)$",
        description="YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ or the next weekday.",
    ),
    AfterValidator(real),
]


def exact_when(at: dt.datetime) -> str:
    """Return a time as a `When`, to the second."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_when(when: str) -> str:
    """Format a day or time to follow "on": "the coming Friday", "Tuesday, 1 December 2026 at 17:30 UTC"."""
    if when in WEEKDAYS:
        return f"the coming {when.capitalize()}"
    if "T" not in when:
        return format_date(dt.date.fromisoformat(when))
    return format_instant(dt.datetime.fromisoformat(when))


def format_date(day: dt.date) -> str:
    """Format a date such as "Friday, 27 November 2026", without strftime, which depends on the process's locale."""
    return f"{WEEKDAYS[day.weekday()].capitalize()}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def format_instant(at: dt.datetime) -> str:
    """Format a time to the minute, or to the second if there are seconds."""
    return f"{format_date(at.date())} at {at:%H:%M:%S} UTC".replace(":00 UTC", " UTC")


class DateQuery(ToolInput):
    """The day to find; today if nothing is given."""

    weekday: str | None = Field(None, pattern=f"^{WEEKDAY}$", description="A weekday, for its next date.")
    days_ahead: int = Field(0, ge=0, le=DAYS_AHEAD_MAX, description="1 is tomorrow.")


class FoundDate(WireModel):
    """The day that was found, and today, both in UTC."""

    summary: OurWords
    date: dt.date
    today: dt.date


FIND_DATE = Tool(
    service="Calendar",
    handler="find_date",
    purpose="Find the date of today, tomorrow, the next Friday, or in some days. You do not know it.",
    input=DateQuery,
    output=FoundDate,
    read_only=True,
)
