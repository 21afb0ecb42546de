"""The bank's records of a customer: accounts, cards, loans, transactions and contact data."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from services.tools.bank.accounts.contract import AccountId, Transaction
from services.tools.bank.loans.contract import LoanId, Percent
from services.tools.bank.months import DAY_IN_EVERY_MONTH_MAX
from switchboard.messages import WireModel, added_later
from switchboard.money import Currency, Money

DayOfMonth = Annotated[int, Field(ge=1, le=DAY_IN_EVERY_MONTH_MAX)]
"""A day of the month that exists in every month."""


def in_every_month(day: dt.date) -> dt.date:
    if day.day > DAY_IN_EVERY_MONTH_MAX:
        raise ValueError(f"the day must exist in every month: 1 to {DAY_IN_EVERY_MONTH_MAX}")
    return day


FirstDueDate = Annotated[dt.date, AfterValidator(in_every_month)]


class Account(WireModel):
    """An account, with its balance at the time `balance_at`: by default when the customer was first seen."""

    account: AccountId
    iban: str
    currency: Currency
    balance: Money
    overdraft_limit: Money | None = None
    balance_at: AwareDatetime | None = added_later(None)


class CardData(WireModel):
    """A debit or credit card at the time when the customer was first seen. Limits are in its account's currency."""

    card_id: str
    kind: Literal["debit", "credit"]
    last_digits: Annotated[str, Field(pattern="^[0-9]{4}$")]
    account: AccountId
    expires: Annotated[str, Field(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    day_limit: Money
    cash_limit: Money


class Customer(WireModel):
    """One customer of the bank. `currency` is the currency of the customer's loans; each account has its own."""

    customer_id: str
    name: str
    currency: Currency
    accounts: tuple[Account, ...]
    cards: tuple[CardData, ...] = ()

    def find_account(self, ref: str) -> Account | None:
        """Return the customer's account with that id or IBAN."""
        return next((account for account in self.accounts if ref in (account.account, account.iban)), None)

    def account_in(self, currency: str) -> Account | None:
        """Return the customer's first account in that currency. It receives transfers that name only the customer."""
        return next((account for account in self.accounts if account.currency == currency), None)

    def currency_of(self, account_id: str) -> str:
        account = self.find_account(account_id)
        return account.currency if account else self.currency


class InstalmentLoan(WireModel):
    """A loan that is paid back monthly, starting on `first_payment_on`.

    `payments_made` is set only for a loan in arrears: no payments were made after that many. For all other loans, each
    payment is made on its due date. `debited_as` is the merchant name of the monthly debits, or empty if the account is
    not debited.
    """

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    first_payment_on: FirstDueDate
    payments_made: Annotated[int, Field(ge=0)] | None = None
    debited_as: str = ""


class CreditLine(WireModel):
    """A credit card or line of credit at the time when the customer was first seen."""

    credit_line_id: str
    product: str
    credit_limit: Money
    used: Money
    annual_rate_percent: Percent
    minimum_payment_percent: Percent
    due_day: DayOfMonth


class Borrowing(WireModel):
    """A customer's loans and credit lines. Amounts are in the customer's currency."""

    loans: tuple[InstalmentLoan, ...] = ()
    credit_lines: tuple[CreditLine, ...] = ()


class History(WireModel):
    """A customer's transactions on all accounts since `begins_on`, newest first. It may contain future transactions.

    It must not contain the mesh's own bookings, which the Accounts object stores.
    """

    begins_on: dt.date
    transactions: tuple[Transaction, ...] = ()


class Person(WireModel):
    """A customer's personal data: the facts that verify the identity, and the addresses for letters and e-mails."""

    customer_id: str
    name: str
    date_of_birth: dt.date
    email: str
    phone: str
    address: str
