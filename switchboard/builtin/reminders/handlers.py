"""Serves reminders: one Restate object a customer, and a delayed call to it for each reminder.

What is kept in the object decides, and not the timer: a reminder comes when its call finds it still there, and is
gone with that. So it comes once, and never after it was cancelled, in whatever order the two arrive.
"""

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
from switchboard.toolkit.journaled import as_set
from switchboard.toolkit.rpc import allowed, notify

BOOK = "book"
AHEAD = "ahead at least"


def reminders_object(ahead_min: timedelta) -> restate.VirtualObject:
    """The object; reminders are due at least `ahead_min` from now."""
    reminders = tool_object(REMINDERS, "A customer's reminders; the key is the customer's id.")

    @reminders.handler()
    async def due(ctx: restate.ObjectContext, request: ReminderRef) -> None:
        """Not a tool: the time has come. Tell the customer, unless it was cancelled."""
        book = await read_book(ctx)
        found = book.find(request.reminder_id)
        if found:
            ctx.set(BOOK, book.without(found))
            notify(ctx, found.session_id, ctx.key(), policy.notice(found.reminder))

    @implements(reminders, REMIND_ME)
    async def remind_me(ctx: restate.ObjectContext, request: RemindMe) -> ReminderSet:
        """Keep a reminder and start its timer. TerminalError 409 when it may not be."""
        now = await business_now(ctx)
        book = await read_book(ctx)
        ahead = await as_set(ctx, AHEAD, ahead_min)
        reminder = allowed(policy.judge_reminder(book, request, now, ahead))
        wake = ReminderRef(reminder_id=reminder.reminder_id)
        # Cancelled at the await, this leaves a timer. Its number is used up by then, so that it finds nothing.
        ctx.set(BOOK, book.numbered_on())
        timer = ctx.object_send(due, ctx.key(), wake, send_delay=reminder.due_at - now)
        timer_id = await timer.invocation_id()
        entry = Pending(reminder=reminder, session_id=request.session_id, timer_id=timer_id)
        ctx.set(BOOK, book.numbered_on().with_entry(entry))
        return policy.set_(reminder)

    @implements(reminders, CANCEL_REMINDER)
    async def cancel_reminder(ctx: restate.ObjectContext, request: ReminderRef) -> ReminderCancelled:
        """Drop a reminder. TerminalError 404 for one that has come or never was."""
        book = await read_book(ctx)
        found = allowed(policy.judge_cancellation(book, request.reminder_id))
        ctx.set(BOOK, book.without(found))
        # Only to be tidy: the timer would find nothing, but it would wait for that up to a year.
        ctx.cancel_invocation(found.timer_id)
        return policy.cancelled(found.reminder)

    @implements(reminders, LIST_REMINDERS, kind="shared")
    async def list_reminders(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> ReminderList:
        """What is still to come, the next first."""
        return policy.listed(await read_book(ctx))

    return reminders


async def read_book(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Book:
    return await ctx.get(BOOK, type_hint=Book) or Book()
