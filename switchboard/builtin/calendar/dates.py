"""Which instant a named day or a duration means at a certain time, and whether it may be waited for. Pure."""

import datetime as dt

from switchboard.builtin.calendar.contract import WEEKDAYS, format_date, format_instant
from switchboard.toolkit.refusal import Refusal

AHEAD_MAX = dt.timedelta(days=365)

DAYTIME = dt.time(8, tzinfo=dt.UTC)
"""When something is due on a day for which no time was given."""


def coming(weekday: str, today: dt.date) -> dt.date:
    """The next day of that name after today."""
    days = (WEEKDAYS.index(weekday) - today.weekday() - 1) % len(WEEKDAYS) + 1
    return today + dt.timedelta(days=days)


def due_on(when: str, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """The instant of a `When`. A weekday's name on that very day could mean two days, so it is refused."""
    today = now.date()
    if when in WEEKDAYS:
        day = coming(when, today)
        if WEEKDAYS[today.weekday()] == when:
            return Refusal(f"Today is {format_date(today)}: say whether {today} or {day} is meant.")
        return within(dt.datetime.combine(day, DAYTIME), now, ahead_min)
    if "T" in when:
        return within(dt.datetime.fromisoformat(when), now, ahead_min)
    day = dt.date.fromisoformat(when)
    if day == today:
        return Refusal(f"{format_date(day)} is today: do it now, or give a time of today, such as {when}T20:00:00Z.")
    return within(dt.datetime.combine(day, DAYTIME), now, ahead_min)


def due_after(delay: dt.timedelta, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """The instant `delay` from now."""
    # Before it is added: a delay of a thousand years has no date.
    if delay > AHEAD_MAX:
        return too_late(now)
    return within(now + delay, now, ahead_min)


def within(at: dt.datetime, now: dt.datetime, ahead_min: dt.timedelta) -> dt.datetime | Refusal:
    """The instant, if it lies ahead: not sooner than `ahead_min`, not later than AHEAD_MAX."""
    if at < now:
        return Refusal(f"{format_instant(at)} lies in the past: now it is {format_instant(now)}.")
    if at - now < ahead_min:
        seconds = int(ahead_min.total_seconds())
        return Refusal(f"That is too soon: it has to be at least {seconds} seconds ahead. Do it now instead.")
    return too_late(now) if at - now > AHEAD_MAX else at


def too_late(now: dt.datetime) -> Refusal:
    return Refusal(f"That is too far ahead: the last possible day is {format_date((now + AHEAD_MAX).date())}.")
