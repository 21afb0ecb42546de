"""Serve the calendar, because a model does not know today's date."""

from datetime import timedelta

import restate

from switchboard.builtin.calendar.contract import FIND_DATE, DateQuery, FoundDate, format_date
from switchboard.builtin.calendar.dates import next_weekday
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import implements

calendar = tool_service("Calendar", "Today's date and the dates of future days, in UTC.")


@implements(calendar, FIND_DATE)
async def find_date(ctx: restate.Context, query: DateQuery) -> FoundDate:
    """Return the requested day and today. A weekday is searched for after `days_ahead`."""
    today = (await business_now(ctx)).date()
    day = today + timedelta(days=query.days_ahead)
    if query.weekday:
        day = next_weekday(query.weekday, day)
    summary = f"Today is {format_date(today)}."
    if day != today:
        summary = f"That is {format_date(day)} ({day}). {summary}"
    return FoundDate(summary=summary, date=day, today=today)
