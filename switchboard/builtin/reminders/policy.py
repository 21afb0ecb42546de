"""Limits on reminders, their due times, and the texts about them. Pure."""

import datetime as dt

from switchboard.builtin.calendar.contract import format_instant
from switchboard.builtin.calendar.dates import due_after, due_on
from switchboard.builtin.reminders.contract import (
    PENDING_MAX,
    Reminder,
    ReminderCancelled,
    ReminderList,
    ReminderSet,
    RemindMe,
)
from switchboard.toolkit.refusal import NOT_FOUND, Refusal
from switchboard.toolkit.timers import TimerBook, TimerEntry


class Pending(TimerEntry):
    """A pending reminder: the session that gets it, and the delayed call that will send it."""

    reminder: Reminder
    session_id: str
    timer_id: str

    @property
    def entry_id(self) -> str:
        return self.reminder.reminder_id


class Book(TimerBook[Pending]):
    """A customer's pending reminders."""


def validate_reminder(book: Book, request: RemindMe, now: dt.datetime, ahead_min: dt.timedelta) -> Reminder | Refusal:
    """Return the reminder to store, or the refusal."""
    if len(book.pending) >= PENDING_MAX:
        return Refusal(f"There are already {PENDING_MAX} reminders. Cancel one first.")
    due_at = due_on(request.at, now, ahead_min) if request.at else due_after(delay(request), now, ahead_min)
    if isinstance(due_at, Refusal):
        return due_at
    return Reminder(reminder_id=f"R{book.next_number}", text=request.text, due_at=due_at)


def delay(request: RemindMe) -> dt.timedelta:
    return request.after or dt.timedelta(0)


def find_pending(book: Book, reminder_id: str) -> Pending | Refusal:
    """Return the pending reminder with this id, or the refusal."""
    found = book.find(reminder_id)
    if found is None:
        return Refusal(f"There is no pending reminder {reminder_id}. Pending reminders: {book.ids}.", NOT_FOUND)
    return found


def confirm_set(reminder: Reminder) -> ReminderSet:
    return ReminderSet(summary=f"You will be reminded {describe_reminder(reminder)}.", reminder=reminder)


def confirm_cancelled(reminder: Reminder) -> ReminderCancelled:
    return ReminderCancelled(summary=f"You will not be reminded {describe_reminder(reminder)}.", reminder=reminder)


def list_reminders(book: Book) -> ReminderList:
    reminders = tuple(sorted((entry.reminder for entry in book.pending), key=lambda reminder: reminder.due_at))
    each = "; ".join(f"{reminder.reminder_id} {describe_reminder(reminder)}" for reminder in reminders)
    summary = f"You will be reminded: {each}." if reminders else "You have no reminders."
    return ReminderList(summary=summary, reminders=reminders)


def describe_reminder(reminder: Reminder) -> str:
    return f"on {format_instant(reminder.due_at.replace(microsecond=0))} of “{reminder.text}”"


def notice(reminder: Reminder) -> str:
    """Return the message that the customer gets when the reminder is due."""
    return f"Reminder: {reminder.text}"
