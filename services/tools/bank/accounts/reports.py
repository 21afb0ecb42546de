"""Reports of the accounts service, computed from a ledger. Pure.

They raise PeriodRefused for a period without records, and AccountUnknown for an account that the customer lacks.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from services.tools.bank.accounts.contract import (
    AccountBalance,
    Balances,
    Category,
    CategorySpending,
    CurrencyTotal,
    MerchantSpending,
    Period,
    Spending,
    SpendingQuery,
    Transaction,
    TransactionList,
    TransactionQuery,
    account_phrase,
    account_title,
)
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.periods import Span, resolve
from services.tools.bank.records import Account
from switchboard.money import format_amount

MERCHANTS_MAX = 5
NUMBER_DIGITS_SHOWN = 4
ZERO = Decimal("0.00")

# A transfer between own accounts or to a friend is not spending.
NOT_SPENDING: frozenset[Category] = frozenset({"transfers"})

Name = TypeVar("Name", bound=str)


class AccountUnknown(Exception):
    """The customer has no such account. The message says so to the customer."""


def balances(ledger: Ledger) -> Balances:
    """Return the current balance of each of the customer's accounts."""
    accounts = tuple(account_balance(ledger, account) for account in ledger.customer.accounts)
    return Balances(
        summary=balance_sentence(accounts),
        accounts=accounts,
        totals=by_currency((account.currency, account.balance) for account in accounts),
        as_of=ledger.now,
    )


def by_currency(amounts: Iterable[tuple[str, Decimal]]) -> tuple[CurrencyTotal, ...]:
    """Return the total per currency, in the order in which the currencies first appear."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, ZERO) + amount
    return tuple(CurrencyTotal(total=total, currency=currency) for currency, total in sums.items())


def account_balance(ledger: Ledger, account: Account) -> AccountBalance:
    balance = ledger.balance(account)
    return AccountBalance(
        account=account.account,
        number=f"•••• {account.iban[-NUMBER_DIGITS_SHOWN:]}",
        balance=balance,
        overdraft_limit=account.overdraft_limit,
        available=ledger.available(account),
        currency=account.currency,
    )


def balance_sentence(accounts: Sequence[AccountBalance]) -> str:
    each = [
        f"{format_amount(account.balance, account.currency)} in {account_title(account.account)}"
        for account in accounts
    ]
    return f"Your balance is {join_words(each)}."


def join_words(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def transactions(ledger: Ledger, query: TransactionQuery) -> TransactionList:
    """Return the newest matching transactions and the number of all matches."""
    span = span_of(ledger, query.period)
    account = ledger.customer.find_account(query.account) if query.account else None
    if query.account and account is None:
        raise AccountUnknown(f"You have no {account_phrase(query.account)}.")
    matching = [entry for entry in within(ledger, span) if matches(entry, query, account)]
    listed = tuple(matching[: query.limit])
    return TransactionList(
        summary=transactions_sentence(query, span, len(matching), len(listed)),
        first_day=span.first_day,
        last_day=span.last_day,
        matching=len(matching),
        transactions=listed,
    )


def matches(entry: Transaction, query: TransactionQuery, account: Account | None) -> bool:
    amount = abs(entry.amount)
    return (
        query.category in (None, entry.category)
        and (account is None or account.account == entry.account)
        and (query.merchant is None or contains(f"{entry.merchant} {entry.reference}", query.merchant))
        and (query.amount_min is None or amount >= query.amount_min)
        and (query.amount_max is None or amount <= query.amount_max)
    )


def contains(text: str, part: str) -> bool:
    """Return whether `text` contains `part`, ignoring case and extra spaces."""
    return " ".join(part.casefold().split()) in " ".join(text.casefold().split())


def transactions_sentence(query: TransactionQuery, span: Span, matching: int, listed: int) -> str:
    category = f"{plain(query.category)} " if query.category else ""
    account = f" on your {account_phrase(query.account)}" if query.account else ""
    merchant = f" matching “{query.merchant}”" if query.merchant else ""
    found = f"You have {count(matching, f'{category}transaction')}{merchant}{account} in {span.label}"
    return f"{found}. Only the newest {listed} are listed." if listed < matching else f"{found}."


def spending(ledger: Ledger, query: SpendingQuery) -> Spending:
    """Return the total spending, by category and by merchant."""
    span = span_of(ledger, query.period)
    currency = query.currency or ledger.customer.currency
    counted = [entry for entry in within(ledger, span) if entry.amount < 0 and counts(entry, query.category)]
    spent = [entry for entry in counted if entry.currency == currency]
    others = by_currency((entry.currency, -entry.amount) for entry in counted if entry.currency != currency)
    total, by_category = outflow(spent), totals(spent, lambda entry: entry.category)
    return Spending(
        summary=spending_sentence(currency, query, span, spent, others),
        first_day=span.first_day,
        last_day=span.last_day,
        total=total,
        payments=len(spent),
        currency=currency,
        by_category=tuple(
            CategorySpending(category=name, total=amount, payments=payments) for name, amount, payments in by_category
        ),
        biggest_merchants=tuple(
            MerchantSpending(merchant=name, total=amount, payments=payments)
            for name, amount, payments in totals(spent, lambda entry: entry.merchant)[:MERCHANTS_MAX]
        ),
        other_currencies=others,
    )


def counts(entry: Transaction, category: Category | None) -> bool:
    return entry.category not in NOT_SPENDING if category is None else entry.category == category


def spending_sentence(
    currency: str, query: SpendingQuery, span: Span, spent: Sequence[Transaction], others: Sequence[CurrencyTotal]
) -> str:
    on = f" on {plain(query.category)}" if query.category else ""
    also = "".join(f" You also spent {format_amount(other.total, other.currency)}{on}." for other in others)
    if not spent:
        return f"You spent nothing{on} in {span.label}.{also}"
    sentence = (
        f"You spent {format_amount(outflow(spent), currency)}{on} in {span.label}, in {count(len(spent), 'payment')}"
    )
    if query.category:
        return f"{sentence}.{also}"
    category, amount, _ = totals(spent, lambda entry: entry.category)[0]
    return f"{sentence}; the largest category was {plain(category)} ({format_amount(amount, currency)}).{also}"


def totals(spent: Sequence[Transaction], name_of: Callable[[Transaction], Name]) -> list[tuple[Name, Decimal, int]]:
    """Return the name, amount and number of payments of each group, largest amount first, then by name."""
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
