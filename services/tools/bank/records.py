"""The bank's records of a customer: accounts, cards, loans, transactions, contact data. Values only."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.tools.bank.accounts.contract import AccountId, Transaction
from services.tools.bank.loans.contract import LoanId, Percent
from services.tools.bank.months import DAY_IN_EVERY_MONTH_MAX
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

DayOfMonth = Annotated[int, Field(ge=1, le=DAY_IN_EVERY_MONTH_MAX)]
"""A day that every month has."""


def in_every_month(day: dt.date) -> dt.date:
    if day.day > DAY_IN_EVERY_MONTH_MAX:
        raise ValueError(f"the day must be one that every month has, 1 to {DAY_IN_EVERY_MONTH_MAX}")
    return day


FirstDueDate = Annotated[dt.date, AfterValidator(in_every_month)]


class Account(WireModel):
    """An account; `balance` is the one at the instant at which the customer was first seen."""

    account: AccountId
    iban: str
    currency: Currency
    balance: Money
    overdraft_limit: Money | None = None


class CardData(WireModel):
    """A debit card, or the card of a credit line, at the time at which the customer was first seen.

    Limits are in the currency of its account.
    """

    card_id: str
    kind: Literal["debit", "credit"]
    last_digits: Annotated[str, Field(pattern="^[0-9]{4}$")]
    account: AccountId
    expires: Annotated[str, Field(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    day_limit: Money
    cash_limit: Money


class Customer(WireModel):
    """One customer of the bank. `currency` is that of their loans and cards; each account has its own."""

    customer_id: str
    name: str
    currency: Currency
    accounts: tuple[Account, ...]
    cards: tuple[CardData, ...] = ()

    def find_account(self, ref: str) -> Account | None:
        """Return the customer's account of that id or IBAN."""
        return next((account for account in self.accounts if ref in (account.account, account.iban)), None)

    def account_in(self, currency: str) -> Account | None:
        """Return the first of the customer's accounts in that currency: it takes the money sent to them by name."""
        return next((account for account in self.accounts if account.currency == currency), None)

    def currency_of(self, account_id: str) -> str:
        account = self.find_account(account_id)
        return account.currency if account else self.currency


class InstalmentLoan(WireModel):
    """A loan that is paid back monthly, from `first_payment_on`, a day that every month has.

    `payments_made` is given for a loan in arrears only: after that many payments none was made. All others make each
    payment on the day on which it is due. `debited_as` is the merchant of its monthly debits on the account; empty
    where the account is not debited for it.
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
    """A credit card or line of credit, at the time at which the customer was first seen."""

    credit_line_id: str
    product: str
    credit_limit: Money
    used: Money
    annual_rate_percent: Percent
    minimum_payment_percent: Percent
    due_day: DayOfMonth


class Borrowing(WireModel):
    """A customer's loans and credit lines; amounts are in the customer's currency."""

    loans: tuple[InstalmentLoan, ...] = ()
    credit_lines: tuple[CreditLine, ...] = ()


class History(WireModel):
    """A customer's transactions on all accounts from the day `begins_on`, newest first; later ones may be among them.

    Moves of money that the mesh itself has made are not in it: the Accounts object keeps those.
    """

    begins_on: dt.date
    transactions: tuple[Transaction, ...] = ()


class Person(WireModel):
    """One customer's personal data: the facts that verify their identity, and the addresses for letters and e-mails."""

    customer_id: str
    name: str
    date_of_birth: dt.date
    email: str
    phone: str
    address: str
