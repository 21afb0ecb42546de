"""Named periods are resolved to days."""

from datetime import date
from typing import get_args

import pytest

from services.tools.bank.accounts.contract import NamedPeriod
from services.tools.bank.accounts.periods import MONTH_NAMES, PeriodRefused, Span, resolve

TODAY = date(2026, 11, 23)
RECORDS_FROM = date(2025, 10, 1)


@pytest.mark.parametrize(
    ("period", "span"),
    [
        ("this_month", Span(date(2026, 11, 1), TODAY, "November 2026 so far")),
        ("last_month", Span(date(2026, 10, 1), date(2026, 10, 31), "October 2026")),
        ("last_90_days", Span(date(2026, 8, 26), TODAY, "the last 90 days")),
        ("this_year", Span(date(2026, 1, 1), TODAY, "2026 so far")),
        ("2026-02", Span(date(2026, 2, 1), date(2026, 2, 28), "February 2026")),
        ("2025-10", Span(date(2025, 10, 1), date(2025, 10, 31), "October 2025")),
        ("2026-11", Span(date(2026, 11, 1), TODAY, "November 2026 so far")),
        ("november", Span(date(2026, 11, 1), TODAY, "November 2026 so far")),
        ("january", Span(date(2026, 1, 1), date(2026, 1, 31), "January 2026")),
        ("december", Span(date(2025, 12, 1), date(2025, 12, 31), "December 2025")),
    ],
)
def test_period_is_resolved_to_whole_days(period: str, span: Span) -> None:
    assert resolve(period, TODAY, RECORDS_FROM) == span


def test_last_month_in_january_is_december_of_the_previous_year() -> None:
    assert resolve("last_month", date(2026, 1, 1), date(2024, 12, 1)).first_day == date(2025, 12, 1)


def test_last_90_days_span_90_days() -> None:
    span = resolve("last_90_days", TODAY, RECORDS_FROM)
    assert (span.last_day - span.first_day).days + 1 == 90


def test_last_day_of_a_month_belongs_to_this_month() -> None:
    span = resolve("this_month", date(2026, 11, 30), RECORDS_FROM)
    assert span == Span(date(2026, 11, 1), date(2026, 11, 30), "November 2026 so far")


@pytest.mark.parametrize(
    ("period", "sentence"),
    [
        ("2026-12", "December 2026 has not begun yet."),
        ("2099-01", "January 2099 has not begun yet."),
        ("2025-09", "There are no records for September 2025. Records begin in October 2025."),
        ("1900-01", "There are no records for January 1900. Records begin in October 2025."),
    ],
)
def test_month_without_records_is_refused(period: str, sentence: str) -> None:
    with pytest.raises(PeriodRefused) as refused:
        resolve(period, TODAY, RECORDS_FROM)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("period", get_args(NamedPeriod))
def test_every_named_period_of_the_contract_can_be_resolved(period: str) -> None:
    span = resolve(period, TODAY, RECORDS_FROM)
    assert RECORDS_FROM <= span.first_day <= span.last_day <= TODAY


def test_contract_accepts_all_month_names() -> None:
    assert set(MONTH_NAMES) < set(get_args(NamedPeriod))
