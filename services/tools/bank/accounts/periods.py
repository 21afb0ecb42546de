"""Resolves a named period to days, relative to a given day. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta

from services.tools.bank.accounts.contract import Period
from services.tools.bank.months import MONTHS_A_YEAR, add_months, first_of_month

LAST_DAYS = 90
"""Number of days in `last_90_days`, including today."""

MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


class PeriodRefused(Exception):
    """There is no data for the period. The message tells the customer why."""


@dataclass(frozen=True)
class Span:
    """A range of whole days, both ends included. `label` is a phrase that follows "in"."""

    first_day: date
    last_day: date
    label: str


def resolve(period: Period, today: date, records_from: date) -> Span:
    """Return the days of `period` relative to `today`, up to and including today.

    Raises PeriodRefused for a month that has not begun or that ended before `records_from`.
    """
    match period:
        case "this_month":
            return month_span(first_of_month(today), today)
        case "last_month":
            return month_span(add_months(first_of_month(today), -1), today)
        case "last_90_days":
            return Span(today - timedelta(days=LAST_DAYS - 1), today, f"the last {LAST_DAYS} days")
        case "this_year":
            return Span(date(today.year, 1, 1), today, f"{today.year} so far")
    first = latest_month(period, today) if period in MONTH_NAMES else date.fromisoformat(f"{period}-01")
    if first > today:
        raise PeriodRefused(f"{month_label(first)} has not begun yet.")
    if first < first_of_month(records_from):
        why = f"There are no records for {month_label(first)}. Records begin in {month_label(records_from)}."
        raise PeriodRefused(why)
    return month_span(first, today)


def latest_month(name: str, today: date) -> date:
    """Return the first day of the latest month with that name that has begun."""
    this_month = first_of_month(today)
    months_ago = (this_month.month - 1 - MONTH_NAMES.index(name)) % MONTHS_A_YEAR
    return add_months(this_month, -months_ago)


def month_span(first_day: date, today: date) -> Span:
    last_day = add_months(first_day, 1) - timedelta(days=1)
    if last_day < today:
        return Span(first_day, last_day, month_label(first_day))
    return Span(first_day, today, f"{month_label(first_day)} so far")


def month_label(day: date) -> str:
    """Return the month as in "October 2026". strftime is not used because its names depend on the process's locale."""
    return f"{MONTH_NAMES[day.month - 1].capitalize()} {day.year}"
