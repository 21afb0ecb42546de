"""Serve reminders: one Restate object per customer, and one timer per reminder."""

from datetime import timedelta

import restate

from switchboard.builtin.reminders import policy
from switchboard.builtin.reminders.contract import (
    CANCEL_REMINDER,
    LIST_REMINDERS,
    REMIND_ME,
    REMINDERS,
    ReminderCancelled,
    ReminderList,
    ReminderRef,
    ReminderSet,
    RemindMe,
)
from switchboard.builtin.reminders.policy import Book, Pending
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.implement import implements
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.rpc import allowed, notify_customer
from switchboard.toolkit.timers import Timers, WakeUp

BOOK = Timers("book", Book)
AHEAD = "ahead at least"


def reminders_object(ahead_min: timedelta) -> restate.VirtualObject:
    """Build the object. Reminders must be due at least `ahead_min` from now."""
    reminders = tool_object(REMINDERS, "A customer's reminders; the key is the customer's id.")

    @reminders.handler()
    async def due(ctx: restate.ObjectContext, request: ReminderRef) -> None:
        """Send a due reminder to the customer, unless it was cancelled. Called by the timer; not a tool."""
        book = await BOOK.read(ctx)
        found = book.find(request.reminder_id)
        if found:
            BOOK.write(ctx, book.without(found.entry_id))
            notify_customer(ctx, found.session_id, ctx.key(), policy.notice(found.reminder))

    @implements(reminders, REMIND_ME)
    async def remind_me(ctx: restate.ObjectContext, request: RemindMe) -> ReminderSet:
        """Store a reminder and start its timer. TerminalError 409 if it is refused."""
        now = await business_now(ctx)
        book = await BOOK.read(ctx)
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        reminder = allowed(policy.validate_reminder(book, request, now, ahead))
        wake_up = WakeUp(due, ReminderRef(reminder_id=reminder.reminder_id), reminder.due_at - now)

        def pending(timer_id: str) -> Pending:
            return Pending(reminder=reminder, session_id=request.session_id, timer_id=timer_id)

        await BOOK.add(ctx, book, wake_up, pending)
        return policy.confirm_set(reminder)

    @implements(reminders, CANCEL_REMINDER)
    async def cancel_reminder(ctx: restate.ObjectContext, request: ReminderRef) -> ReminderCancelled:
        """Cancel a reminder. TerminalError 404 if it is not pending."""
        book = await BOOK.read(ctx)
        found = allowed(policy.find_pending(book, request.reminder_id))
        BOOK.cancel(ctx, book, found.entry_id, found.timer_id)
        return policy.confirm_cancelled(found.reminder)

    @implements(reminders, LIST_REMINDERS, kind="shared")
    async def list_reminders(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> ReminderList:
        """Return the pending reminders, the next one first."""
        return policy.list_reminders(await BOOK.read(ctx))

    return reminders
