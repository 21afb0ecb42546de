"""The contract of reminders: send the customer a message later. Agents import only this module."""

import datetime as dt
from typing import Annotated, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from switchboard import Tool
from switchboard.builtin.calendar.contract import When
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.text import PlainText
from switchboard.words import OthersWords

REMINDERS = "Reminders"

TEXT_MAX_CHARS = 500
PENDING_MAX = 50
"""Pending reminders per customer."""


def seconds(value: object) -> object:
    """Accept a number of seconds as text, because models sometimes write it that way."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


ReminderId = Annotated[str, Field(pattern=r"^R[0-9]{1,9}$")]


class RemindMe(PersonalInput):
    """The text and time of a reminder. Exactly one of `at` and `after` must be given."""

    text: Annotated[str, PlainText(TEXT_MAX_CHARS, min_chars=1, lines=True)] = Field(
        description="What to remind the customer of."
    )
    at: When | None = None
    after: Annotated[dt.timedelta, BeforeValidator(seconds)] | None = Field(
        None, description="From now, such as PT2H30M."
    )

    @model_validator(mode="after")
    def exactly_one_time(self) -> Self:
        if (self.at is None) == (self.after is None):
            raise ValueError("give either at or after")
        return self


class Reminder(WireModel):
    """A pending reminder."""

    reminder_id: ReminderId
    text: OthersWords
    due_at: AwareDatetime


class ReminderSet(WireModel):
    """The result of setting a reminder."""

    summary: OthersWords
    reminder: Reminder


class ReminderList(WireModel):
    """The customer's pending reminders, the next one first."""

    summary: OthersWords
    reminders: tuple[Reminder, ...]


class ReminderRef(PersonalInput):
    reminder_id: ReminderId


class ReminderCancelled(WireModel):
    """The result of cancelling a reminder."""

    summary: OthersWords
    reminder: Reminder


REMIND_ME = Tool(
    service=REMINDERS,
    handler="remind_me",
    purpose="Remind the customer of something later, in this conversation.",
    input=RemindMe,
    output=ReminderSet,
    keyed_by="customer_id",
    label="set the reminder",
)
LIST_REMINDERS = Tool(
    service=REMINDERS,
    handler="list_reminders",
    purpose="List pending reminders.",
    input=PersonalInput,
    output=ReminderList,
    keyed_by="customer_id",
    read_only=True,
)
CANCEL_REMINDER = Tool(
    service=REMINDERS,
    handler="cancel_reminder",
    purpose="Cancel a reminder.",
    input=ReminderRef,
    output=ReminderCancelled,
    keyed_by="customer_id",
    label="cancel the reminder",
)
