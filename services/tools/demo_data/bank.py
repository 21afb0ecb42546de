"""Reads the bank's demo customers from bank.json, whose dates are relative to the day a customer is first seen."""

from collections.abc import Mapping
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from services.tools.accounts.contract import AccountKind, Category
from services.tools.demo_data.months import DAY_IN_EVERY_MONTH_MAX
from services.tools.loans.contract import LoanId, Percent
from switchboard.messages import Wire
from switchboard.money import Currency, Money

BANK_JSON = Path(__file__).with_name("bank.json")

HISTORY_MONTHS = 14
"""The month in which a customer is first seen, and those before it."""

Day = Annotated[int, Field(ge=1, le=DAY_IN_EVERY_MONTH_MAX)]
MonthsAgo = Annotated[int, Field(ge=0, lt=HISTORY_MONTHS)]


class Account(Wire):
    """An account; `balance` is what is on it when the customer is first seen."""

    account: AccountKind
    iban: str
    balance: Money
    overdraft_limit: Money | None = None


class Recurring(Wire):
    """A payment on the same days of every month, for as long as the demo lives or until `last_months_ago`.

    `amounts` take turns, so that a weekly shop does not cost the same each time.
    """

    days: tuple[Day, ...]
    time: time
    merchant: str
    category: Category
    amounts: tuple[Money, ...]
    account: AccountKind = "checking"
    last_months_ago: MonthsAgo | None = None


class OneOff(Wire):
    """A payment that happened once."""

    months_ago: MonthsAgo
    day: Day
    time: time
    merchant: str
    category: Category
    amount: Money
    account: AccountKind = "checking"


class InstalmentLoan(Wire):
    """A loan whose first payment fell due `first_payment_months_ago`.

    The last `missed_payments` of those due were not made; a loan with any stays unpaid.
    """

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_months_ago: int
    due_day: Day = 1
    missed_payments: int = 0


class CreditLine(Wire):
    """A credit card or line of credit, as it stands when the customer is first seen."""

    credit_line_id: str
    product: str
    credit_limit: Money
    used: Money
    annual_rate_percent: Percent
    minimum_payment_percent: Percent
    due_day: Day


class Customer(Wire):
    """One customer of the bank; all that is theirs is in one currency."""

    customer_id: str
    name: str
    currency: Currency
    accounts: tuple[Account, ...]
    recurring: tuple[Recurring, ...]
    once: tuple[OneOff, ...] = ()
    loans: tuple[InstalmentLoan, ...] = ()
    credit_lines: tuple[CreditLine, ...] = ()


@cache
def customers() -> Mapping[str, Customer]:
    """All customers by id; read once a process. Raises ValidationError naming what is wrong in the file."""
    read = TypeAdapter(tuple[Customer, ...]).validate_json(BANK_JSON.read_bytes())
    return {customer.customer_id: customer for customer in read}
