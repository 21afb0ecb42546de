"""Writes the demo customers into the bank's tables in PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from services.tools.bank.data.bank import DemoCustomer, read_customers
from services.tools.bank.data.history import first_month, history
from services.tools.bank.months import add_months, first_of_month
from services.tools.bank.transfers.payee import spellings

MONTHS_AHEAD = 12
"""Months of recurring payments that are written in advance. They count when their time has come."""

CUSTOMER = text(
    "INSERT INTO bank_customers (customer_id, name, name_words, currency, records_from)"
    " VALUES (:customer_id, :name, :name_words, :currency, :records_from) ON CONFLICT DO NOTHING"
)
ACCOUNT = text(
    "INSERT INTO bank_accounts (customer_id, account, position, iban, currency, balance, balance_at, overdraft_limit)"
    " VALUES (:customer_id, :account, :position, :iban, :currency, :balance, :balance_at, :overdraft_limit)"
)
TRANSACTION = text(
    "INSERT INTO bank_transactions"
    " (customer_id, transaction_id, account, booked_at, merchant, category, amount, reference)"
    " VALUES (:customer_id, :transaction_id, :account, :booked_at, :merchant, :category, :amount, :reference)"
)


def write_demo_customers(connection: Connection, now: datetime) -> int:
    """Write the demo customers that the tables lack, with dates relative to `now`. Return how many."""
    return sum(write_customer(connection, customer, now) for customer in read_customers().values())


def write_customer(connection: Connection, customer: DemoCustomer, now: datetime) -> bool:
    """Write a customer. Return False, and change nothing, if the customer is there."""
    own = {"customer_id": customer.customer_id}
    words = sorted({spelling for word in spellings(customer.name) for spelling in word})
    added = connection.execute(
        CUSTOMER,
        {
            **own,
            "name": customer.name,
            "name_words": words,
            "currency": customer.currency,
            "records_from": first_month(now.date()),
        },
    )
    if not added.rowcount:
        return False
    connection.execute(ACCOUNT, [{**own, **row} for row in accounts(customer, now)])
    month = first_of_month(now.date())
    entries = history(customer, month, add_months(month, MONTHS_AHEAD))
    if entries:
        connection.execute(TRANSACTION, [{**own, **entry.model_dump()} for entry in entries])
    return True


def accounts(customer: DemoCustomer, now: datetime) -> Iterator[dict[str, Any]]:
    for position, account in enumerate(customer.accounts):
        yield {**account.model_dump(), "position": position, "balance_at": now}
