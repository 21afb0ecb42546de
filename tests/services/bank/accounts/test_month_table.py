"""The table of spending by category and month, and totals per currency."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import MONTHS_MAX, MonthsQuery, SpendingQuery, TransactionQuery
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.month_table import month_table
from services.tools.bank.accounts.reports import AccountUnknown, balances, spending, transactions
from switchboard.loop.fanout import TOOL_RESULT_MAX_BYTES
from tests.services.bank.demo import CUSTOMERS, ledger_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def of(customer_id: str) -> Ledger:
    return ledger_of(customer_id, NOW, NOW)


@pytest.mark.parametrize("customer_id", sorted(CUSTOMERS))
def test_month_table_matches_the_spending_summaries(customer_id: str) -> None:
    table = month_table(of(customer_id), MonthsQuery(months=4))
    assert table.months == ("2026-08", "2026-09", "2026-10", "2026-11")
    for index, month in enumerate(table.months):
        summed = spending(of(customer_id), SpendingQuery(period=month))
        assert table.spent[index] == sum(row.amounts[index] for row in table.spending) == summed.total
        by_category = {part.category: part.total for part in summed.by_category}
        assert {row.category: row.amounts[index] for row in table.spending if row.amounts[index]} == by_category
    assert all(row.total == sum(row.amounts) for row in table.spending)
    assert [row.total for row in table.spending] == sorted((row.total for row in table.spending), reverse=True)


def test_month_table_shows_income_and_ignores_transfers() -> None:
    table = month_table(of("alice"), MonthsQuery(months=2))
    assert table.income == (Decimal("3280.00"), Decimal("0.00"))
    assert "transfers" not in {row.category for row in table.spending}
    assert table.summary.endswith("November 2026 is not over yet.")


def test_longest_month_table_fits_the_tool_result_limit() -> None:
    table = month_table(of("carol"), MonthsQuery(months=MONTHS_MAX))
    assert len(table.months) == MONTHS_MAX
    assert len(table.model_dump_json().encode()) < TOOL_RESULT_MAX_BYTES


def test_amounts_in_different_currencies_are_not_added_up() -> None:
    assert [(total.currency, str(total.total)) for total in balances(of("carol")).totals] == [
        ("EUR", "48172.15"),
        ("USD", "1850.25"),
    ]
    euros = spending(of("carol"), SpendingQuery(period="last_month"))
    assert [(other.currency, str(other.total)) for other in euros.other_currencies] == [("USD", "29.00")]
    assert euros.summary.endswith(" You also spent 29.00 USD.")
    dollars = spending(of("carol"), SpendingQuery(period="last_month", currency="USD"))
    assert (str(dollars.total), dollars.currency) == ("29.00", "USD")
    table = month_table(of("carol"), MonthsQuery(months=2, currency="USD"))
    assert [str(amount) for amount in table.spent] == ["29.00", "29.00"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"merchant": "lucky  SPIN"}, 2),
        ({"merchant": "casino", "amount_min": "30"}, 1),
        ({"merchant": "casino", "amount_max": "25.50"}, 1),
        ({"amount_min": "3000"}, 1),  # incoming payments count too
        ({"merchant": "unknown"}, 0),
        ({"account": "savings"}, 1),
        ({"account": "DE25500105170648480926"}, 1),
    ],
    ids=str,
)
def test_transactions_can_be_filtered(query: dict[str, str], found: int) -> None:
    asked = TransactionQuery.model_validate({"period": "last_month", "limit": 50, **query})
    assert transactions(of("alice"), asked).matching == found


def test_filter_refuses_another_customers_account() -> None:
    bobs = TransactionQuery(account="DE92500105170731209953")
    with pytest.raises(AccountUnknown, match="You have no account DE•• •••• 9953"):
        transactions(of("alice"), bobs)
