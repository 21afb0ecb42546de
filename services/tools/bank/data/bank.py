"""Reads the bank's demo customers from bank.json, whose dates are relative to the day a customer is first seen."""

from collections.abc import Mapping
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from services.tools.bank.accounts.contract import AccountId, Category
from services.tools.bank.data.months import DAY_IN_EVERY_MONTH_MAX
from services.tools.bank.loans.contract import LoanId, Percent
from switchboard.messages import Wire
from switchboard.money import Currency, Money

BANK_JSON = Path(__file__).with_name("bank.json")

HISTORY_MONTHS = 14
"""The month in which a customer is first seen, and those before it."""

Day = Annotated[int, Field(ge=1, le=DAY_IN_EVERY_MONTH_MAX)]
MonthsAgo = Annotated[int, Field(ge=0, lt=HISTORY_MONTHS)]


class Account(Wire):
    """An account; `balance` is what is on it when the customer is first seen."""

    account: AccountId
    iban: str
    currency: Currency
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
    account: AccountId = "checking"
    last_months_ago: MonthsAgo | None = None


class OneOff(Wire):
    """A payment that happened once."""

    months_ago: MonthsAgo
    day: Day
    time: time
    merchant: str
    category: Category
    amount: Money
    account: AccountId = "checking"


class InstalmentLoan(Wire):
    """A loan whose first payment fell due `first_payment_months_ago`.

    The last `missed_payments` of those due were not made; a loan with any stays unpaid. `debited_as` is what its
    monthly debits are called on the account; empty where the demo books none.
    """

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_months_ago: int
    due_day: Day = 1
    missed_payments: int = 0
    debited_as: str = ""


class CreditLine(Wire):
    """A credit card or line of credit, as it stands when the customer is first seen."""

    credit_line_id: str
    product: str
    credit_limit: Money
    used: Money
    annual_rate_percent: Percent
    minimum_payment_percent: Percent
    due_day: Day


class CardData(Wire):
    """A debit card, or the card of a credit line, as it stands when the customer is first seen.

    Limits are in the currency of its account.
    """

    card_id: str
    kind: Literal["debit", "credit"]
    last_digits: Annotated[str, Field(pattern="^[0-9]{4}$")]
    account: AccountId
    expires: Annotated[str, Field(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    day_limit: Money
    cash_limit: Money


class Customer(Wire):
    """One customer of the bank. `currency` is that of their loans and cards; each account has its own."""

    customer_id: str
    name: str
    currency: Currency
    accounts: tuple[Account, ...]
    recurring: tuple[Recurring, ...]
    once: tuple[OneOff, ...] = ()
    loans: tuple[InstalmentLoan, ...] = ()
    credit_lines: tuple[CreditLine, ...] = ()
    cards: tuple[CardData, ...] = ()

    def find_account(self, ref: str) -> Account | None:
        """The customer's account of that id or IBAN."""
        return next((account for account in self.accounts if ref in (account.account, account.iban)), None)

    def account_in(self, currency: str) -> Account | None:
        """The first of the customer's accounts in that currency: the one that takes money sent to them."""
        return next((account for account in self.accounts if account.currency == currency), None)

    def currency_of(self, account_id: str) -> str:
        account = self.find_account(account_id)
        return account.currency if account else self.currency


@cache
def customers() -> Mapping[str, Customer]:
    """All customers by id; read once a process. Raises ValidationError naming what is wrong in the file."""
    read = TypeAdapter(tuple[Customer, ...]).validate_json(BANK_JSON.read_bytes())
    return {customer.customer_id: customer for customer in read}
