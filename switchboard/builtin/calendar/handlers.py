"""Serves the calendar: a model does not know today's date, and the tools' clock does."""

from datetime import timedelta

import restate

from switchboard.builtin.calendar.contract import FIND_DATE, DateQuery, FoundDate, format_date
from switchboard.builtin.calendar.dates import coming
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import implements

calendar = tool_service("Calendar", "Today's date and the dates of days to come, in UTC.")


@implements(calendar, FIND_DATE)
async def find_date(ctx: restate.Context, query: DateQuery) -> FoundDate:
    """The day that is meant, and today. A weekday is looked for after `days_ahead`."""
    today = (await business_now(ctx)).date()
    day = today + timedelta(days=query.days_ahead)
    if query.weekday:
        day = coming(query.weekday, day)
    summary = f"Today is {format_date(today)}."
    if day != today:
        summary = f"That is {format_date(day)} ({day}). {summary}"
    return FoundDate(summary=summary, date=day, today=today)
