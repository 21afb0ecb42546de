"""The bank's customers, accounts and transactions in PostgreSQL. services/tools/bank/migrations has the tables.

The mesh only reads them: its own bookings are moves, see services/tools/bank/accounts/postgres.py. Another program may
change them at any time, such as the bank's core system.
"""

import datetime as dt

from services.tools.bank.lookups import BankRecords, LookupContext
from services.tools.bank.records import Account, Borrowing, CardData, Customer, History, Person
from services.tools.bank.transfers.payee import spellings
from switchboard.messages import WireModel
from switchboard.toolkit.sql import Database, Row, Transaction

CANDIDATES_MAX = 100
"""Customers with the same first and last word in their names that are compared with a payee's name."""

HISTORY_MAX = 5_000
"""Latest transactions of a customer that are read. Older ones count in the balance, but are not listed."""


class Wanted(WireModel):
    """Selects customers by id, by IBAN, or by words of the name."""

    customer_id: str = ""
    iban: str = ""
    first_word: tuple[str, ...] = ()
    last_word: tuple[str, ...] = ()


class Found(WireModel):
    """Result of a query for customers."""

    customers: tuple[Customer, ...] = ()


class HistoryOf(WireModel):
    """Selects a customer's transactions."""

    customer_id: str
    today: dt.date


class PostgresBank:
    """Implements BankRecords with accounts in a database. `others` has the cards, loans and personal data."""

    def __init__(self, database: Database, others: BankRecords) -> None:
        self._database = database
        self._others = others

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        return first(await self._find(ctx, Wanted(customer_id=customer_id)))

    async def account_holder(self, ctx: LookupContext, iban: str) -> Customer | None:
        return first(await self._find(ctx, Wanted(iban=iban)))

    async def customers_named(self, ctx: LookupContext, name: str) -> tuple[Customer, ...]:
        words = [tuple(sorted(word)) for word in spellings(name)]
        return await self._find(ctx, Wanted(first_word=words[0], last_word=words[-1])) if words else ()

    async def person(self, ctx: LookupContext, customer_id: str) -> Person | None:
        return await self._others.person(ctx, customer_id)

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: dt.date) -> Borrowing:
        known = await self._others.customer(ctx, customer.customer_id)
        return await self._others.borrowing(ctx, known, first_seen_on) if known is not None else Borrowing()

    async def history(
        self, ctx: LookupContext, customer: Customer, first_seen_at: dt.datetime, now: dt.datetime
    ) -> History:
        wanted = HistoryOf(customer_id=customer.customer_id, today=now.date())
        return await self._database.read(ctx, read_history, wanted)

    async def _find(self, ctx: LookupContext, wanted: Wanted) -> tuple[Customer, ...]:
        found = (await self._database.read(ctx, read_customers, wanted)).customers
        return tuple([each.model_copy(update={"cards": await self._cards(ctx, each.customer_id)}) for each in found])

    async def _cards(self, ctx: LookupContext, customer_id: str) -> tuple[CardData, ...]:
        known = await self._others.customer(ctx, customer_id)
        return known.cards if known is not None else ()


def first(found: tuple[Customer, ...]) -> Customer | None:
    return found[0] if found else None


async def read_customers(transaction: Transaction, wanted: Wanted) -> Found:
    """Return the customers with their balances as of now, without the mesh's own bookings."""
    rows = await transaction.rows(
        "SELECT customer_id, name, currency FROM bank_customers"
        " WHERE customer_id = %(customer_id)s"
        " OR customer_id IN (SELECT customer_id FROM bank_accounts WHERE iban = %(iban)s)"
        " OR (name_words && %(first_word)s::text[] AND name_words && %(last_word)s::text[])"
        " ORDER BY customer_id LIMIT %(candidates_max)s",
        {**wanted.model_dump(mode="json"), "candidates_max": CANDIDATES_MAX},
    )
    accounts = await transaction.rows(
        "SELECT customer_id, account, iban, currency, booked, overdraft_limit, now() AS at FROM bank_balances"
        " WHERE customer_id = ANY(%s) ORDER BY customer_id, position",
        ([row["customer_id"] for row in rows],),
    )
    return Found(customers=tuple(customer_of(row, accounts) for row in rows))


def customer_of(row: Row, accounts: list[Row]) -> Customer:
    own = [account for account in accounts if account["customer_id"] == row["customer_id"]]
    return Customer(accounts=tuple(account_of(account) for account in own), **row)


def account_of(row: Row) -> Account:
    return Account(
        account=row["account"],
        iban=row["iban"],
        currency=row["currency"],
        balance=row["booked"],
        overdraft_limit=row["overdraft_limit"],
        balance_at=row["at"],
    )


async def read_history(transaction: Transaction, wanted: HistoryOf) -> History:
    """Return a customer's latest transactions, newest first."""
    rows = await transaction.rows(
        "SELECT t.transaction_id, t.booked_at, t.account, t.merchant, t.category, t.amount, t.reference, a.currency"
        " FROM bank_transactions AS t JOIN bank_accounts AS a USING (customer_id, account)"
        " WHERE t.customer_id = %(customer_id)s ORDER BY t.booked_at DESC, t.transaction_id LIMIT %(history_max)s",
        {"customer_id": wanted.customer_id, "history_max": HISTORY_MAX},
    )
    since = await transaction.row(
        "SELECT records_from FROM bank_customers WHERE customer_id = %(customer_id)s", wanted.model_dump()
    )
    begins_on = since["records_from"] if since is not None else wanted.today
    if len(rows) == HISTORY_MAX:
        # The oldest day may not be complete.
        begins_on = max(begins_on, rows[-1]["booked_at"].date() + dt.timedelta(days=1))
    return History.model_validate({"begins_on": begins_on, "transactions": rows})
