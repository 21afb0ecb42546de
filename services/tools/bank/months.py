"""Arithmetic on calendar months, for due dates and for demo data."""

from datetime import date

MONTHS_A_YEAR = 12
DAY_IN_EVERY_MONTH_MAX = 28


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later, or earlier when negative. The day has to be one that every month has.

    Raises ValueError for the 29th and later.
    """
    if day.day > DAY_IN_EVERY_MONTH_MAX:
        raise ValueError(f"not every month has a {day.day}th")
    year, month_index = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return day.replace(year=year, month=month_index + 1)


def months_between(earlier: date, later: date) -> int:
    """How many months the month of `later` lies after the month of `earlier`; the days do not matter."""
    return (later.year - earlier.year) * MONTHS_A_YEAR + later.month - earlier.month


def payments_due(first_due_on: date, today: date) -> int:
    """Return how many monthly dates, from `first_due_on` on, have come by today."""
    return max(months_between(first_due_on, today) + (today.day >= first_due_on.day), 0)
