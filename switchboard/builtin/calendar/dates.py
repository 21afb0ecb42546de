"""Resolve named days and durations to times, and check that they are in the allowed range. Pure."""

import datetime as dt

from switchboard.builtin.calendar.contract import WEEKDAYS, format_date, format_instant
from switchboard.toolkit.refusal import Refusal

AHEAD_MAX = dt.timedelta(days=365)
"""Timers further in the future are refused."""

DAYTIME = dt.time(8, tzinfo=dt.UTC)
"""Time of day used when only a day is given."""


def next_weekday(weekday: str, today: dt.date) -> dt.date:
    """Return the next day of that name after today."""
    days = (WEEKDAYS.index(weekday) - today.weekday() - 1) % len(WEEKDAYS) + 1
    return today + dt.timedelta(days=days)


def due_on(when: str, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """Return the time that a `When` stands for. Today's weekday is refused, because it is ambiguous."""
    today = now.date()
    if when in WEEKDAYS:
        day = next_weekday(when, today)
        if WEEKDAYS[today.weekday()] == when:
            return Refusal(f"Today is {format_date(today)}. State whether {today} or {day} is meant.")
        return within(dt.datetime.combine(day, DAYTIME), now, ahead_min)
    if "T" in when:
        return within(dt.datetime.fromisoformat(when), now, ahead_min)
    day = dt.date.fromisoformat(when)
    if day == today:
        return Refusal(f"{format_date(day)} is today. Do it now, or give a time today such as {when}T20:00:00Z.")
    return within(dt.datetime.combine(day, DAYTIME), now, ahead_min)


def due_after(delay: dt.timedelta, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """Return the time `delay` from now."""
    # Check this before adding: a delay of a thousand years would overflow the date.
    if delay > AHEAD_MAX:
        return too_late(now)
    return within(now + delay, now, ahead_min)


def within(at: dt.datetime, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """Return the time if it is between `ahead_min` and AHEAD_MAX from now."""
    if at < now:
        return Refusal(f"{format_instant(at)} is in the past: it is now {format_instant(now)}.")
    if at - now < ahead_min:
        seconds = int(ahead_min.total_seconds())
        return Refusal(f"That is too soon: it must be at least {seconds} seconds from now. Do it now instead.")
    return too_late(now) if at - now > AHEAD_MAX else at


def too_late(now: dt.datetime) -> Refusal:
    return Refusal(f"That is too far ahead: the last possible day is {format_date((now + AHEAD_MAX).date())}.")
