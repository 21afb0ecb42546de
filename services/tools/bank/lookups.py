"""Interface of the lookups that the bank's handlers need. services/tools/bank/data implements it for the demo.

Each lookup gets the handler's context, because only the implementation knows whether its answers can change. Restate
may replay a handler at any time, and the handler must then see the same answers:

- Records that ship with the code are the same on every replay. The demo's lookups return them without using `ctx`, so
  they add no journal entry.
- Records in a database or behind an API can change. Such a lookup runs its query inside `ctx.run_typed`, which journals
  the answer under a name: `await ctx.run_typed("customer", query, CUSTOMER, customer_id)`. Restate retries a query that
  raises an error. A TerminalError ends the call with its message. Journaled answers, including personal data, stay in
  Restate as long as its journals.

docs/reference/bank-records.md shows how to supply your own. If a mesh switches from one kind to the other, its
in-flight invocations need the old deployment until they finish.
"""

import datetime as dt
from typing import Protocol

import restate

from services.tools.bank.records import Borrowing, Customer, History, Person
from switchboard.toolkit.refusal import NOT_FOUND

LookupContext = restate.Context | restate.ObjectContext | restate.ObjectSharedContext


class PeopleRecords(Protocol):
    """Personal data by customer id."""

    async def person(self, ctx: LookupContext, customer_id: str) -> Person | None:
        """Return a customer's personal data, or None for an unknown customer."""


class BankRecords(PeopleRecords, Protocol):
    """The bank's customers, with their accounts, loans and transactions without the mesh's own bookings."""

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        """Return a customer with accounts and cards, or None for an unknown customer."""

    async def account_holder(self, ctx: LookupContext, iban: str) -> Customer | None:
        """Return the customer who holds the account with that IBAN (no spaces), or None if it is not at this bank."""

    async def customers_named(self, ctx: LookupContext, name: str) -> tuple[Customer, ...]:
        """Return the customers who may have that full name. The handler compares names, so extra results are fine."""

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: dt.date) -> Borrowing:
        """Return a customer's loans and credit lines on the day when the mesh first saw the customer."""

    async def history(
        self, ctx: LookupContext, customer: Customer, first_seen_at: dt.datetime, now: dt.datetime
    ) -> History:
        """Return a customer's transactions, at least up to `now`. Both times are UTC.

        The balance of an account is the balance at its `balance_at`, or else at `first_seen_at`. Later transactions are
        added to it.
        """


async def known_customer(ctx: LookupContext, records: BankRecords, customer_id: str) -> Customer:
    """Return a customer. Raises TerminalError 404 for an unknown customer."""
    customer = await records.customer(ctx, customer_id)
    if customer is None:
        raise restate.TerminalError(f"There is no customer {customer_id!r} at this bank.", status_code=NOT_FOUND)
    return customer


async def known_person(ctx: LookupContext, records: PeopleRecords, customer_id: str) -> Person:
    """Return a customer's personal data. Raises TerminalError 404 if there is none."""
    person = await records.person(ctx, customer_id)
    if person is None:
        raise restate.TerminalError(f"There is no address on record for {customer_id!r}.", status_code=NOT_FOUND)
    return person
