"""What the reminders promise: a customer is told something later. Agents import this file and nothing else of it."""

import datetime as dt
from typing import Annotated, Self

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from switchboard import Tool
from switchboard.builtin.calendar.contract import When
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel

REMINDERS = "Reminders"

TEXT_MAX_CHARS = 500
PENDING_MAX = 50
"""Reminders of one customer that wait at the same time."""


def seconds(value: object) -> object:
    """Models write a number of seconds as text as well."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


ReminderId = Annotated[str, Field(pattern=r"^R[0-9]{1,9}$", examples=["R1"])]


class RemindMe(PersonalInput):
    """What to remind the customer of, and when: `at` or `after`."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MAX_CHARS)] = Field(
        description="What to remind of, in the customer's words."
    )
    at: When | None = None
    after: Annotated[dt.timedelta, BeforeValidator(seconds)] | None = Field(
        None, description="How long from now: an ISO 8601 duration such as PT2H30M, or a number of seconds."
    )

    @model_validator(mode="after")
    def one_time(self) -> Self:
        if (self.at is None) == (self.after is None):
            raise ValueError("give either at or after")
        return self


class Reminder(WireModel):
    """A reminder that waits."""

    reminder_id: ReminderId
    text: str
    due_at: AwareDatetime


class ReminderSet(WireModel):
    """The reminder will come."""

    summary: str
    reminder: Reminder


class ReminderList(WireModel):
    """What the customer will be reminded of, the next first."""

    summary: str
    reminders: tuple[Reminder, ...]


class ReminderRef(PersonalInput):
    reminder_id: ReminderId


class ReminderCancelled(WireModel):
    """The reminder will not come."""

    summary: str
    reminder: Reminder


REMIND_ME = Tool(
    service=REMINDERS,
    handler="remind_me",
    purpose="Remind the customer of something later: they get a message in this conversation.",
    input=RemindMe,
    output=ReminderSet,
    keyed_by="customer_id",
)
LIST_REMINDERS = Tool(
    service=REMINDERS,
    handler="list_reminders",
    purpose="The customer's reminders that are still to come, with their ids.",
    input=PersonalInput,
    output=ReminderList,
    keyed_by="customer_id",
)
CANCEL_REMINDER = Tool(
    service=REMINDERS,
    handler="cancel_reminder",
    purpose="Cancel one of the customer's reminders by its id.",
    input=ReminderRef,
    output=ReminderCancelled,
    keyed_by="customer_id",
)
