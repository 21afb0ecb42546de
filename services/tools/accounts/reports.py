"""Answers of the accounts service, worked out from a ledger. Pure.

Raises PeriodRefused where a query asks for a period of which nothing can be known.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from services.tools.accounts.contract import (
    AccountBalance,
    Balances,
    Category,
    CategorySpending,
    MerchantSpending,
    Period,
    Spending,
    SpendingQuery,
    Transaction,
    TransactionList,
    TransactionQuery,
)
from services.tools.accounts.ledger import Ledger
from services.tools.accounts.periods import Span, resolve
from services.tools.demo_data.bank import Account
from switchboard.money import spell

MERCHANTS_MAX = 5
NUMBER_DIGITS_SHOWN = 4
ZERO = Decimal("0.00")

# Money that goes from one's own account to another, or to a friend, is moved rather than spent.
NOT_SPENDING: frozenset[Category] = frozenset({"transfers"})

Name = TypeVar("Name", bound=str)


def balances(ledger: Ledger) -> Balances:
    """Every account of the customer, as it stands now."""
    accounts = tuple(account_balance(ledger, account) for account in ledger.customer.accounts)
    return Balances(
        summary=balance_sentence(accounts),
        accounts=accounts,
        total=sum((account.balance for account in accounts), ZERO),
        currency=ledger.customer.currency,
        as_of=ledger.now,
    )


def account_balance(ledger: Ledger, account: Account) -> AccountBalance:
    balance = ledger.balance(account)
    return AccountBalance(
        account=account.account,
        number=f"•••• {account.iban[-NUMBER_DIGITS_SHOWN:]}",
        balance=balance,
        overdraft_limit=account.overdraft_limit,
        available=ledger.available(account),
        currency=ledger.customer.currency,
    )


def balance_sentence(accounts: Sequence[AccountBalance]) -> str:
    each = [f"{spell(account.balance, account.currency)} in {account.account.capitalize()}" for account in accounts]
    return f"Your balance is {' and '.join(each)}."


def transactions(ledger: Ledger, query: TransactionQuery) -> TransactionList:
    """The newest transactions that match, and how many match in all."""
    span = span_of(ledger, query.period)
    matching = [
        entry
        for entry in within(ledger, span)
        if query.category in (None, entry.category) and query.account in (None, entry.account)
    ]
    listed = tuple(matching[: query.limit])
    return TransactionList(
        summary=transactions_sentence(query, span, len(matching), len(listed)),
        first_day=span.first_day,
        last_day=span.last_day,
        matching=len(matching),
        transactions=listed,
    )


def transactions_sentence(query: TransactionQuery, span: Span, matching: int, listed: int) -> str:
    category = f"{plain(query.category)} " if query.category else ""
    account = f" on {query.account.capitalize()}" if query.account else ""
    found = f"You have {count(matching, f'{category}transaction')}{account} in {span.label}"
    return f"{found}; the newest {listed} are listed." if listed < matching else f"{found}."


def spending(ledger: Ledger, query: SpendingQuery) -> Spending:
    """What left the accounts, added up by category and by merchant."""
    span = span_of(ledger, query.period)
    spent = [entry for entry in within(ledger, span) if entry.amount < 0 and counts(entry, query.category)]
    total, by_category = outflow(spent), totals(spent, lambda entry: entry.category)
    return Spending(
        summary=spending_sentence(ledger, query, span, spent),
        first_day=span.first_day,
        last_day=span.last_day,
        total=total,
        payments=len(spent),
        currency=ledger.customer.currency,
        by_category=tuple(
            CategorySpending(category=name, total=amount, payments=payments) for name, amount, payments in by_category
        ),
        biggest_merchants=tuple(
            MerchantSpending(merchant=name, total=amount, payments=payments)
            for name, amount, payments in totals(spent, lambda entry: entry.merchant)[:MERCHANTS_MAX]
        ),
    )


def counts(entry: Transaction, category: Category | None) -> bool:
    return entry.category not in NOT_SPENDING if category is None else entry.category == category


def spending_sentence(ledger: Ledger, query: SpendingQuery, span: Span, spent: Sequence[Transaction]) -> str:
    on = f" on {plain(query.category)}" if query.category else ""
    if not spent:
        return f"You spent nothing{on} in {span.label}."
    currency = ledger.customer.currency
    sentence = f"You spent {spell(outflow(spent), currency)}{on} in {span.label}, in {count(len(spent), 'payment')}"
    if query.category:
        return f"{sentence}."
    category, amount, _ = totals(spent, lambda entry: entry.category)[0]
    return f"{sentence}; the most on {plain(category)} ({spell(amount, currency)})."


def totals(spent: Sequence[Transaction], name_of: Callable[[Transaction], Name]) -> list[tuple[Name, Decimal, int]]:
    """Name, amount and number of payments of each group; the largest amount first, then by name."""
    groups: dict[Name, list[Transaction]] = {}
    for entry in spent:
        groups.setdefault(name_of(entry), []).append(entry)
    named = [(name, outflow(entries), len(entries)) for name, entries in groups.items()]
    return sorted(named, key=lambda group: (-group[1], group[0]))


def outflow(entries: Sequence[Transaction]) -> Decimal:
    return -sum((entry.amount for entry in entries), ZERO)


def span_of(ledger: Ledger, period: Period) -> Span:
    return resolve(period, ledger.now.date(), ledger.records_from)


def within(ledger: Ledger, span: Span) -> list[Transaction]:
    return [entry for entry in ledger.booked if span.first_day <= entry.booked_at.date() <= span.last_day]


def count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def plain(name: str) -> str:
    return name.replace("_", " ")
