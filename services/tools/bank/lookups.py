"""The lookups that the bank's handlers need; services/tools/bank/data has the demo's, and another mesh has its own.

Each lookup gets the context of the handler that makes it, because only an implementation knows whether its answers can
change. A handler may run again at any time and must then see the same answers (Restate calls it a replay):

- Records that ship with the code are the same on every replay. The demo's lookups just return them and leave `ctx`
  alone, so they add no entry to the journal.
- Records in a database or behind an API change. Such a lookup makes its query inside of `ctx.run_typed`, which journals
  the answer, and gives the entry a name: `await ctx.run_typed("customer", query, CUSTOMER, customer_id)`. Restate
  retries the query when it raises; a TerminalError ends the call with its message. Journaled answers stay in Restate
  for as long as its journals do, personal data among them.

docs/reference/bank-records.md shows how to supply your own. Where a mesh changes from one way to the other, invocations
in flight need their old deployment until they end.
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
        """Return a customer's personal data; None for an unknown customer."""


class BankRecords(PeopleRecords, Protocol):
    """The bank's customers and what was theirs before the mesh moved any money."""

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        """Return a customer with accounts and cards; None for an unknown customer."""

    async def account_holder(self, ctx: LookupContext, iban: str) -> Customer | None:
        """Return the customer who has an account of that IBAN (no spaces); None when it is not at this bank."""

    async def customers_named(self, ctx: LookupContext, name: str) -> tuple[Customer, ...]:
        """Return the customers who may go by that full name. The handler compares names itself, so more do no harm."""

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: dt.date) -> Borrowing:
        """Return a customer's loans and credit lines on the day on which the mesh first saw the customer."""

    async def history(
        self, ctx: LookupContext, customer: Customer, first_seen_at: dt.datetime, now: dt.datetime
    ) -> History:
        """Return a customer's transactions at least up to `now`; both instants are UTC.

        An account's balance is the one at `first_seen_at`, so a transaction after that instant changes it.
        """


async def known_customer(ctx: LookupContext, records: BankRecords, customer_id: str) -> Customer:
    """Return a customer. Raises TerminalError 404 for an unknown one."""
    customer = await records.customer(ctx, customer_id)
    if customer is None:
        raise restate.TerminalError(f"There is no customer {customer_id!r} at this bank.", status_code=NOT_FOUND)
    return customer


async def known_person(ctx: LookupContext, records: PeopleRecords, customer_id: str) -> Person:
    """Return a customer's personal data. Raises TerminalError 404 where there is none."""
    person = await records.person(ctx, customer_id)
    if person is None:
        raise restate.TerminalError(f"There is no address on record for {customer_id!r}.", status_code=NOT_FOUND)
    return person
