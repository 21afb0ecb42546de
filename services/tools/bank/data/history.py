"""Computes the transactions of a demo customer from the rules of the demo data. Pure."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from services.tools.bank.accounts.contract import Transaction
from services.tools.bank.accounts.ledger import at, transaction_id
from services.tools.bank.data.bank import HISTORY_MONTHS, DemoCustomer, OneOff, Recurring
from services.tools.bank.months import add_months, first_of_month, months_between


def transaction_of(
    customer: DemoCustomer, rule: Recurring | OneOff, booked_at: datetime, amount: Decimal
) -> Transaction:
    # The id depends only on the transaction itself, so it does not change over time.
    seed = f"{customer.customer_id} {booked_at.isoformat()} {rule.account} {rule.merchant} {amount}"
    return Transaction(
        transaction_id=transaction_id(seed),
        booked_at=booked_at,
        account=rule.account,
        merchant=rule.merchant,
        category=rule.category,
        amount=amount,
        currency=customer.currency_of(rule.account),
    )


def history(customer: DemoCustomer, pinned_month: date, last_month: date) -> tuple[Transaction, ...]:
    """Return all transactions from 13 months before `pinned_month` to the end of `last_month`, newest first.

    Months are given by their first days. Recurring payments continue after the pin.
    """
    entries = [*recurring_entries(customer, pinned_month, last_month), *single_entries(customer, pinned_month)]
    return tuple(sorted(entries, key=lambda entry: entry.booked_at, reverse=True))


def recurring_entries(customer: DemoCustomer, pinned_month: date, last_month: date) -> Iterator[Transaction]:
    begin = first_month(pinned_month)
    for rule in customer.recurring:
        end = last_month if rule.last_months_ago is None else add_months(pinned_month, -rule.last_months_ago)
        for index in range(months_between(begin, end) + 1):
            yield from entries_of_month(customer, rule, add_months(begin, index), index)


def entries_of_month(customer: DemoCustomer, rule: Recurring, month: date, index: int) -> Iterator[Transaction]:
    """Return a rule's payments in one month. `index` counts the months of the history, to cycle the amounts."""
    for turn, day in enumerate(rule.days, start=index * len(rule.days)):
        yield transaction_of(customer, rule, at(month, day, rule.time), rule.amounts[turn % len(rule.amounts)])


def single_entries(customer: DemoCustomer, pinned_month: date) -> Iterator[Transaction]:
    for once in customer.once:
        booked_at = at(add_months(pinned_month, -once.months_ago), once.day, once.time)
        yield transaction_of(customer, once, booked_at, once.amount)


def first_month(pinned_on: date) -> date:
    """Return the first day of the month in which the history begins."""
    return add_months(first_of_month(pinned_on), 1 - HISTORY_MONTHS)
