"""Calendar month arithmetic, for due dates and demo data."""

from datetime import date

MONTHS_A_YEAR = 12
DAY_IN_EVERY_MONTH_MAX = 28


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def add_months(day: date, months: int) -> date:
    """Return the same day of the month, `months` later, or earlier if negative.

    Raises ValueError for the 29th and later, because not every month has those days.
    """
    if day.day > DAY_IN_EVERY_MONTH_MAX:
        raise ValueError(f"the day must exist in every month (1 to {DAY_IN_EVERY_MONTH_MAX}), not {day.day}")
    year, month_index = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return day.replace(year=year, month=month_index + 1)


def months_between(earlier: date, later: date) -> int:
    """Return the number of months from the month of `earlier` to the month of `later`. The days are ignored."""
    return (later.year - earlier.year) * MONTHS_A_YEAR + later.month - earlier.month


def payments_due(first_due_on: date, today: date) -> int:
    """Return how many monthly due dates, starting with `first_due_on`, have passed by today."""
    return max(months_between(first_due_on, today) + (today.day >= first_due_on.day), 0)
