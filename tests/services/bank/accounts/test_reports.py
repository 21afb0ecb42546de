"""Balances, spending and transaction lists, from Alice's demo data and from small ledgers."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import (
    TRANSACTIONS_MAX,
    CurrencyTotal,
    Period,
    SpendingQuery,
    Transaction,
    TransactionQuery,
)
from services.tools.bank.accounts.ledger import Ledger, open_ledger
from services.tools.bank.accounts.periods import PeriodRefused
from services.tools.bank.accounts.reports import balances, spending, transactions
from services.tools.bank.records import Account, Customer, History
from switchboard.loop.fanout import TOOL_RESULT_MAX_BYTES
from tests.services.bank.demo import CUSTOMERS, ledger_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def alice() -> Ledger:
    return ledger_of("alice", NOW, NOW)


def entry(day: int, category: str, amount: str, merchant: str = "Shop") -> Transaction:
    return Transaction.model_validate(
        {
            "transaction_id": f"TX-00000000{day:02}",
            "booked_at": datetime(2026, 11, day, 10, tzinfo=UTC),
            "account": "checking",
            "merchant": merchant,
            "category": category,
            "amount": Decimal(amount),
            "currency": "EUR",
        }
    )


def ledger(*entries: Transaction, balance: str = "0.00", overdraft: str | None = None) -> Ledger:
    account = Account(
        account="checking",
        iban="DE52500105170648484417",
        currency="EUR",
        balance=Decimal(balance),
        overdraft_limit=None if overdraft is None else Decimal(overdraft),
    )
    zoe = Customer(customer_id="zoe", name="Zoe", currency="EUR", accounts=(account,))
    return open_ledger(zoe, History(begins_on=date(2025, 10, 1), transactions=entries), NOW, NOW)


def test_balances_are_summarized_in_a_sentence(alice: Ledger) -> None:
    report = balances(alice)
    assert report.summary == "Your balance is 2,431.80 EUR in Checking and 8,150.00 EUR in Savings."
    assert report.totals == (CurrencyTotal(total=Decimal("10581.80"), currency="EUR"),)
    assert [account.number for account in report.accounts] == ["•••• 4417", "•••• 0926"]


@pytest.mark.parametrize(
    ("balance", "overdraft", "available"),
    [
        ("100.00", None, "100.00"),
        ("100.00", "500.00", "600.00"),
        ("-312.55", "400.00", "87.45"),
        ("-450.00", "400.00", "0.00"),
        ("-1.00", None, "0.00"),
    ],
)
def test_available_amount_includes_the_overdraft(balance: str, overdraft: str | None, available: str) -> None:
    (account,) = balances(ledger(balance=balance, overdraft=overdraft)).accounts
    assert (str(account.balance), str(account.available)) == (balance, available)


def test_money_is_a_string_with_two_decimals_in_json() -> None:
    json = balances(ledger(balance="5")).model_dump_json()
    assert '"balance":"5.00"' in json
    assert '"total":"5.00"' in json


def test_spending_in_a_category_is_summarized_in_a_sentence(alice: Ledger) -> None:
    report = spending(alice, SpendingQuery(period="last_month", category="gambling"))
    assert report.summary == "You spent 190.50 EUR on gambling in October 2026, in 4 payments."
    assert (str(report.total), report.payments) == ("190.50", 4)


def test_spending_adds_up_by_category_and_by_merchant() -> None:
    report = spending(
        ledger(
            entry(1, "groceries", "-10.00", "Mart"),
            entry(2, "groceries", "-5.50", "Bakery"),
            entry(3, "travel", "-40.00", "Rail"),
            entry(4, "salary", "900.00", "Work"),
            entry(5, "transfers", "-300.00", "Own savings"),
        ),
        SpendingQuery(period="this_month"),
    )
    assert report.summary == (
        "You spent 55.50 EUR in November 2026 so far, in 3 payments; the largest category was travel (40.00 EUR)."
    )
    assert [(c.category, str(c.total), c.payments) for c in report.by_category] == [
        ("travel", "40.00", 1),
        ("groceries", "15.50", 2),
    ]
    assert [m.merchant for m in report.biggest_merchants] == ["Rail", "Mart", "Bakery"]


def test_transfers_are_added_up_if_the_query_asks_for_them() -> None:
    moved = ledger(entry(5, "transfers", "-300.00"), entry(5, "transfers", "300.00"))
    assert str(spending(moved, SpendingQuery(category="transfers")).total) == "300.00"


@pytest.mark.parametrize(
    ("amounts", "summary"),
    [
        ((), "You spent nothing on cash withdrawals in November 2026 so far."),
        (("-20.00",), "You spent 20.00 EUR on cash withdrawals in November 2026 so far, in 1 payment."),
    ],
)
def test_spending_sentence_uses_singular_and_plural(amounts: tuple[str, ...], summary: str) -> None:
    spent = ledger(*(entry(1, "cash_withdrawals", amount) for amount in amounts))
    assert spending(spent, SpendingQuery(period="this_month", category="cash_withdrawals")).summary == summary


def test_monthly_totals_add_up_to_the_year(alice: Ledger) -> None:
    months = [spending(alice, SpendingQuery(period=f"2026-{month:02}")).total for month in range(1, 12)]
    assert sum(months) == spending(alice, SpendingQuery(period="this_year")).total


def test_limited_list_states_the_number_of_matches(alice: Ledger) -> None:
    report = transactions(alice, TransactionQuery(period="last_month", limit=3))
    assert (report.matching, len(report.transactions)) == (28, 3)
    assert report.summary == "You have 28 transactions in October 2026. Only the newest 3 are listed."
    assert (report.first_day, report.last_day) == (date(2026, 10, 1), date(2026, 10, 31))


@pytest.mark.parametrize(
    ("query", "summary"),
    [
        (TransactionQuery(period="this_month", category="gambling"), "no gambling transactions in"),
        (TransactionQuery(period="this_month", account="savings"), "1 transaction on your Savings account in"),
        (TransactionQuery(period="last_month", category="gambling"), "4 gambling transactions in"),
    ],
)
def test_list_is_filtered_by_category_and_account(alice: Ledger, query: TransactionQuery, summary: str) -> None:
    report = transactions(alice, query)
    assert report.summary.startswith(f"You have {summary}")
    assert report.matching == len(report.transactions)
    assert all(query.category in (None, found.category) for found in report.transactions)
    assert all(query.account in (None, found.account) for found in report.transactions)


@pytest.mark.parametrize("customer_id", sorted(CUSTOMERS))
def test_longest_list_fits_the_tool_result_limit(customer_id: str) -> None:
    longest = TransactionQuery(period="this_year", limit=TRANSACTIONS_MAX)
    report = transactions(ledger_of(customer_id, NOW, NOW), longest)
    assert len(report.transactions) == TRANSACTIONS_MAX
    assert len(report.model_dump_json().encode()) < TOOL_RESULT_MAX_BYTES


@pytest.mark.parametrize("period", ["2026-12", "2025-09"])
def test_period_without_records_is_refused(alice: Ledger, period: Period) -> None:
    with pytest.raises(PeriodRefused):
        spending(alice, SpendingQuery(period=period))
