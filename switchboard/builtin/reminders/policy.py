"""What reminders a customer may have, and when they are due. Pure."""

import datetime as dt

from switchboard.builtin.calendar.contract import spell_instant
from switchboard.builtin.calendar.dates import due_after, due_on
from switchboard.builtin.reminders.contract import (
    PENDING_MAX,
    Reminder,
    ReminderCancelled,
    ReminderList,
    ReminderSet,
    RemindMe,
)
from switchboard.messages import Wire
from switchboard.toolkit.refusal import NOT_FOUND, Refusal


class Pending(Wire):
    """A reminder that waits: whom it goes to, and the delayed call that will bring it."""

    reminder: Reminder
    session_id: str
    timer_id: str


class Book(Wire):
    """A customer's reminders that wait, in the order in which they were set; `numbered` counts all there ever were."""

    numbered: int = 0
    pending: tuple[Pending, ...] = ()

    def find(self, reminder_id: str) -> Pending | None:
        return next((entry for entry in self.pending if entry.reminder.reminder_id == reminder_id), None)

    def numbered_on(self) -> "Book":
        return Book(numbered=self.numbered + 1, pending=self.pending)

    def with_entry(self, entry: Pending) -> "Book":
        return Book(numbered=self.numbered, pending=(*self.pending, entry))

    def without(self, gone: Pending) -> "Book":
        return Book(numbered=self.numbered, pending=tuple(entry for entry in self.pending if entry is not gone))


def judge_reminder(book: Book, request: RemindMe, now: dt.datetime, ahead_min: dt.timedelta) -> Reminder | Refusal:
    """The reminder as it would be kept."""
    if len(book.pending) >= PENDING_MAX:
        return Refusal(f"There are {PENDING_MAX} reminders already; cancel one first.")
    due_at = due_on(request.at, now, ahead_min) if request.at else due_after(delay(request), now, ahead_min)
    if isinstance(due_at, Refusal):
        return due_at
    return Reminder(reminder_id=f"R{book.numbered + 1}", text=request.text, due_at=due_at)


def delay(request: RemindMe) -> dt.timedelta:
    return request.after or dt.timedelta(0)


def judge_cancellation(book: Book, reminder_id: str) -> Pending | Refusal:
    """The reminder that may still be cancelled."""
    found = book.find(reminder_id)
    if found is None:
        ids = ", ".join(entry.reminder.reminder_id for entry in book.pending) or "none"
        return Refusal(f"No reminder {reminder_id} is still to come. There are: {ids}.", NOT_FOUND)
    return found


def set_(reminder: Reminder) -> ReminderSet:
    return ReminderSet(summary=f"You will be reminded {spell(reminder)}.", reminder=reminder)


def cancelled(reminder: Reminder) -> ReminderCancelled:
    return ReminderCancelled(summary=f"You will not be reminded {spell(reminder)}.", reminder=reminder)


def listed(book: Book) -> ReminderList:
    reminders = tuple(sorted((entry.reminder for entry in book.pending), key=lambda reminder: reminder.due_at))
    each = "; ".join(f"{reminder.reminder_id} {spell(reminder)}" for reminder in reminders)
    summary = f"You will be reminded: {each}." if reminders else "You have no reminders."
    return ReminderList(summary=summary, reminders=reminders)


def spell(reminder: Reminder) -> str:
    return f"on {spell_instant(reminder.due_at.replace(microsecond=0))} of “{reminder.text}”"


def notice(reminder: Reminder) -> str:
    """What the customer gets when it is due."""
    return f"Reminder: {reminder.text}"
