"""Reads the demo customers from bank.json. Its dates are relative to the day when a customer is first seen."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from services.tools.bank.accounts.contract import AccountId, Category
from services.tools.bank.loans.contract import LoanId, Percent
from services.tools.bank.months import add_months, first_of_month, payments_due
from services.tools.bank.records import CreditLine, Customer, DayOfMonth, InstalmentLoan
from switchboard.messages import WireModel
from switchboard.money import Money

BANK_JSON = Path(__file__).with_name("bank.json")

HISTORY_MONTHS = 14
"""Months of transactions, including the month in which a customer is first seen."""

MonthsAgo = Annotated[int, Field(ge=0, lt=HISTORY_MONTHS)]


class Recurring(WireModel):
    """A payment on the same days of every month, without an end or until `last_months_ago`.

    The payments cycle through `amounts`, so that a weekly purchase does not always cost the same.
    """

    days: tuple[DayOfMonth, ...]
    time: dt.time
    merchant: str
    category: Category
    amounts: tuple[Money, ...]
    account: AccountId = "checking"
    last_months_ago: MonthsAgo | None = None


class OneOff(WireModel):
    """A single payment."""

    months_ago: MonthsAgo
    day: DayOfMonth
    time: dt.time
    merchant: str
    category: Category
    amount: Money
    account: AccountId = "checking"


class DemoLoan(WireModel):
    """A loan whose first payment fell due `first_payment_months_ago`.

    The last `missed_payments` of the due payments were not made, and later ones are not made either. `debited_as` is
    the merchant name of the monthly debits, or empty if the demo data has none.
    """

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_months_ago: int
    due_day: DayOfMonth = 1
    missed_payments: int = 0
    debited_as: str = ""

    def dated(self, first_seen_on: dt.date) -> InstalmentLoan:
        """Return the loan of a customer who was first seen on that day."""
        month = add_months(first_of_month(first_seen_on), -self.first_payment_months_ago)
        first_payment_on = month.replace(day=self.due_day)
        due = payments_due(first_payment_on, first_seen_on)
        return InstalmentLoan(
            loan_id=self.loan_id,
            product=self.product,
            principal=self.principal,
            annual_rate_percent=self.annual_rate_percent,
            term_months=self.term_months,
            first_payment_on=first_payment_on,
            payments_made=max(due - self.missed_payments, 0) if self.missed_payments else None,
            debited_as=self.debited_as,
        )


class DemoCustomer(Customer):
    """A demo customer, with the rules from which transactions and loans are computed."""

    recurring: tuple[Recurring, ...] = ()
    once: tuple[OneOff, ...] = ()
    loans: tuple[DemoLoan, ...] = ()
    credit_lines: tuple[CreditLine, ...] = ()


def read_customers() -> Mapping[str, DemoCustomer]:
    """Read all customers, by id. Raises ValidationError, which names the invalid field in the file."""
    read = TypeAdapter(tuple[DemoCustomer, ...]).validate_json(BANK_JSON.read_bytes())
    return {customer.customer_id: customer for customer in read}
