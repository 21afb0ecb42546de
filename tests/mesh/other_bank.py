"""The tools of another bank, whose records can change at any time: `python -m tests.mesh.other_bank`.

Its lookups query a register, which stands for a database, and journal each answer as services/tools/bank/lookups.py
describes. Its customers have numbers instead of names and use Swedish kronor and Swiss francs.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import restate

from services.tools.__main__ import airline_data, tools
from services.tools.bank.accounts.contract import Transaction
from services.tools.bank.accounts.ledger import transaction_id
from services.tools.bank.lookups import LookupContext
from services.tools.bank.months import add_months, first_of_month
from services.tools.bank.records import Account, Borrowing, CardData, Customer, History, InstalmentLoan, Person
from switchboard import serve
from switchboard.messages import WireModel
from switchboard.runtime.settings import load
from switchboard.toolkit.settings import ToolsSettings

ASTRID, NILS, CHIARA = "100231", "100232", "100233"
ASTRIDS_IBAN, NILS_IBAN, CHIARAS_IBAN = "SE8350000000058398257461", "SE5650000000058398257462", "CH9300762011623852957"

SALARY_MONTHS = 6
SALARY = Decimal("31500.00")


class Found(WireModel):
    """Result of a query for customers."""

    customers: tuple[Customer, ...] = ()


class FoundPerson(WireModel):
    """Result of a query for personal data."""

    person: Person | None


FOUND = restate.RunOptions[Found](type_hint=Found)
PERSON = restate.RunOptions[FoundPerson](type_hint=FoundPerson)
BORROWING = restate.RunOptions[Borrowing](type_hint=Borrowing)
HISTORY = restate.RunOptions[History](type_hint=History)


def customer(customer_id: str, name: str, iban: str, currency: str, balance: str) -> Customer:
    account = Account(account="checking", iban=iban, currency=currency, balance=Decimal(balance))
    card = CardData(
        card_id=f"CD-{iban[-4:]}",
        kind="debit",
        last_digits=iban[-4:],
        account="checking",
        expires="2031-05",
        day_limit=Decimal("5000.00"),
        cash_limit=Decimal("1000.00"),
    )
    return Customer(customer_id=customer_id, name=name, currency=currency, accounts=(account,), cards=(card,))


REGISTER = (
    customer(ASTRID, "Astrid Lund", ASTRIDS_IBAN, "SEK", "54200.50"),
    customer(NILS, "Nils Ek", NILS_IBAN, "SEK", "120.00"),
    customer(CHIARA, "Chiara Frei", CHIARAS_IBAN, "CHF", "8800.00"),
)
PEOPLE = (
    Person(
        customer_id=ASTRID,
        name="Astrid Lund",
        date_of_birth=date(1985, 2, 3),
        email="astrid@example.se",
        phone="+46 8 5550101",
        address="Storgatan 1, 111 23 Stockholm",
    ),
)
LOAN = InstalmentLoan(
    loan_id="LN-7001",
    product="Boat loan",
    principal=Decimal("9000.00"),
    annual_rate_percent=Decimal("5.00"),
    term_months=120,
    first_payment_on=date(2026, 1, 15),
)


def has_account(iban: str) -> Callable[[Customer], bool]:
    return lambda each: any(account.iban == iban for account in each.accounts)


def salaries(customer: Customer, now: datetime) -> tuple[Transaction, ...]:
    """Return the salaries of the last months, newest first."""
    months = [add_months(first_of_month(now.date()), -ago) for ago in range(1, SALARY_MONTHS)]
    return tuple(salary(customer, datetime(month.year, month.month, 25, tzinfo=UTC)) for month in months)


def salary(customer: Customer, booked_at: datetime) -> Transaction:
    return Transaction(
        transaction_id=transaction_id(f"{customer.customer_id} {booked_at}"),
        booked_at=booked_at,
        account="checking",
        merchant="Skeppsvarvet AB",
        category="salary",
        amount=SALARY,
        currency=customer.currency,
    )


class OtherBank:
    """Implements BankRecords with journaled queries."""

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        return first(await self.query(ctx, "customer", lambda each: each.customer_id == customer_id))

    async def account_holder(self, ctx: LookupContext, iban: str) -> Customer | None:
        return first(await self.query(ctx, "account holder", has_account(iban)))

    async def customers_named(self, ctx: LookupContext, name: str) -> tuple[Customer, ...]:
        return await self.query(ctx, "customers by name", lambda each: each.name.casefold() == name.casefold())

    async def person(self, ctx: LookupContext, customer_id: str) -> Person | None:
        def query() -> FoundPerson:
            return FoundPerson(person=next((each for each in PEOPLE if each.customer_id == customer_id), None))

        return (await ctx.run_typed("person", query, PERSON)).person

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: date) -> Borrowing:
        def query() -> Borrowing:
            return Borrowing(loans=(LOAN,) if customer.customer_id == ASTRID else ())

        return await ctx.run_typed("borrowing", query, BORROWING)

    async def history(self, ctx: LookupContext, customer: Customer, first_seen_at: datetime, now: datetime) -> History:
        def query() -> History:
            begins_on = add_months(first_of_month(now.date()), -SALARY_MONTHS)
            return History(begins_on=begins_on, transactions=salaries(customer, now))

        return await ctx.run_typed("history", query, HISTORY)

    async def query(self, ctx: LookupContext, name: str, matches: Callable[[Customer], bool]) -> tuple[Customer, ...]:
        def query() -> Found:
            return Found(customers=tuple(filter(matches, REGISTER)))

        return (await ctx.run_typed(name, query, FOUND)).customers


def first(found: tuple[Customer, ...]) -> Customer | None:
    return found[0] if found else None


if __name__ == "__main__":
    serve(*tools(load(ToolsSettings), OtherBank(), airline_data()), name="other_bank")
