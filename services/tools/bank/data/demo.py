"""The bank records of the demo. They are read once from files that ship with the code, so lookups are not journaled."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache

from services.tools.bank.data.bank import DemoCustomer, read_customers
from services.tools.bank.data.history import first_month, history
from services.tools.bank.data.people import read_people
from services.tools.bank.lookups import LookupContext
from services.tools.bank.months import first_of_month
from services.tools.bank.records import Borrowing, Customer, History, Person

HISTORIES_KEPT = 64
"""Cached histories. One is needed per customer, month of first sight and current month."""


class DemoBank:
    """Implements BankRecords for the demo customers. Their dates are relative to the day when they are first seen."""

    def __init__(self, customers: Mapping[str, DemoCustomer], people: Mapping[str, Person]) -> None:
        self.customers = customers
        self.people = people
        # Cached by id and months, because the same few hundred transactions answer all questions within a month.
        self._history = lru_cache(maxsize=HISTORIES_KEPT)(self._compute_history)

    @classmethod
    def read(cls) -> "DemoBank":
        """Read the demo data. Raises ValidationError, which names the invalid field in the file."""
        return cls(read_customers(), read_people())

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        return self.customers.get(customer_id)

    async def account_holder(self, ctx: LookupContext, iban: str) -> Customer | None:
        return next((customer for customer in self.customers.values() if holds(customer, iban)), None)

    async def customers_named(self, ctx: LookupContext, name: str) -> tuple[Customer, ...]:
        """Return all customers, because there are only a few and the handler compares the names."""
        return tuple(self.customers.values())

    async def person(self, ctx: LookupContext, customer_id: str) -> Person | None:
        return self.people.get(customer_id)

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: date) -> Borrowing:
        return self.borrowing_of(customer.customer_id, first_seen_on)

    async def history(self, ctx: LookupContext, customer: Customer, first_seen_at: datetime, now: datetime) -> History:
        return self.history_of(customer.customer_id, first_seen_at, now)

    def borrowing_of(self, customer_id: str, first_seen_on: date) -> Borrowing:
        customer = self.customers[customer_id]
        loans = tuple(loan.dated(first_seen_on) for loan in customer.loans)
        return Borrowing(loans=loans, credit_lines=customer.credit_lines)

    def history_of(self, customer_id: str, first_seen_at: datetime, now: datetime) -> History:
        first_seen_in = first_of_month(first_seen_at.date())
        return self._history(customer_id, first_seen_in, first_of_month(now.date()))

    def _compute_history(self, customer_id: str, first_seen_in: date, last_month: date) -> History:
        transactions = history(self.customers[customer_id], first_seen_in, last_month)
        return History(begins_on=first_month(first_seen_in), transactions=transactions)


def holds(customer: Customer, iban: str) -> bool:
    return any(account.iban == iban for account in customer.accounts)
