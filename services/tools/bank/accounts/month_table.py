"""Spending by category and month, as a table. Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from services.tools.bank.accounts.contract import Category, MonthRow, MonthsQuery, MonthTable, Transaction
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.periods import month_label
from services.tools.bank.accounts.reports import NOT_SPENDING, ZERO, plain
from services.tools.bank.months import add_months, first_of_month
from switchboard.money import format_amount

Cells = dict[tuple[Category, str], Decimal]


def month_table(ledger: Ledger, query: MonthsQuery) -> MonthTable:
    """Return the spending and income of the last months, including this one. Transfers are not counted."""
    currency = query.currency or ledger.customer.currency
    this_month = first_of_month(ledger.now.date())
    months = [add_months(this_month, ago - query.months + 1) for ago in range(query.months)]
    columns = [column(month) for month in months if month >= first_of_month(ledger.records_from)]
    entries = [
        entry
        for entry in ledger.booked
        if entry.currency == currency
        and entry.category not in NOT_SPENDING
        and column(entry.booked_at.date()) in columns
    ]
    rows = spending_rows(entries, columns)
    return MonthTable(
        summary=sentence(rows, columns, months[-1], currency),
        months=tuple(columns),
        spending=rows,
        spent=tuple(sum((row.amounts[index] for row in rows), ZERO) for index in range(len(columns))),
        income=tuple(
            sum((e.amount for e in entries if e.amount > 0 and column(e.booked_at.date()) == name), ZERO)
            for name in columns
        ),
        currency=currency,
    )


def column(day: date) -> str:
    return f"{day:%Y-%m}"


def spending_rows(entries: Sequence[Transaction], columns: Sequence[str]) -> tuple[MonthRow, ...]:
    """Return one row per category with any spending, largest first."""
    cells: Cells = {}
    for entry in entries:
        if entry.amount < 0:
            cell = (entry.category, column(entry.booked_at.date()))
            cells[cell] = cells.get(cell, ZERO) - entry.amount
    rows = []
    for category in {category for category, _ in cells}:
        amounts = tuple(cells.get((category, name), ZERO) for name in columns)
        rows.append(MonthRow(category=category, amounts=amounts, total=sum(amounts, ZERO)))
    return tuple(sorted(rows, key=lambda row: (-row.total, row.category)))


def sentence(rows: Sequence[MonthRow], columns: Sequence[str], this_month: date, currency: str) -> str:
    if not rows:
        return "You spent nothing in these months."
    by_month = ", ".join(
        f"{format_amount(sum((row.amounts[index] for row in rows), ZERO), currency)} in {name}"
        for index, name in enumerate(columns)
    )
    most = f"the largest category was {plain(rows[0].category)} ({format_amount(rows[0].total, currency)})"
    return f"You spent {by_month}; {most}. {month_label(this_month)} is not over yet."
