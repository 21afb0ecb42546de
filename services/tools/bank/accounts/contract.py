"""What the accounts service promises. Agents import this file and nothing else of the service."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from switchboard import Tool, ToolInput
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

TRANSACTIONS_DEFAULT = 20
TRANSACTIONS_MAX = 50
"""Transactions in one answer; so many still fit into what a model is fed of one result."""

MONTHS_DEFAULT = 6
MONTHS_MAX = 13

REFERENCE_MAX_CHARS = 70
"""So that an answer full of transfers still fits as well."""

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
IBAN_DIGITS_SHOWN = 4

ACCOUNT_ID = "(?:checking|savings)(?:-[a-z0-9]{1,8})?"

AccountId = Annotated[
    str,
    Field(pattern=f"^{ACCOUNT_ID}$", examples=["checking", "checking-usd"], description="As get_balance gives it."),
]
# The two that nearly everybody has are spelled out, so that a model need not look them up first.
AccountRef = Annotated[
    Literal["checking", "savings"] | Annotated[str, Field(pattern=f"^(?:{ACCOUNT_ID}|{IBAN.pattern})$")],
    Field(description="The customer's own account: its id, as get_balance gives it, or its IBAN."),
]

TransactionId = Annotated[
    str,
    Field(pattern="^TX-[0-9A-F]{10}$", examples=["TX-3F9A1C07B2"], description="As list_transactions gives it."),
]

Category = Literal[
    "groceries",
    "restaurants",
    "shopping",
    "health",
    "rent",
    "utilities",
    "subscriptions",
    "travel",
    "gambling",
    "cash_withdrawals",
    "transfers",
    "loan_payments",
    "refunds",
    "salary",
]

# Month names are there because a model does not know today's date: the tool's clock finds the right year.
NamedPeriod = Literal[
    "this_month",
    "last_month",
    "last_90_days",
    "this_year",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

Period = Annotated[
    NamedPeriod | Annotated[str, Field(pattern=r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$")],
    Field(
        description="A named period, as the bank's clock sees it. A month's name is the latest month of that name; "
        "YYYY-MM is a month of a certain year."
    ),
]


class TransactionQuery(PersonalInput):
    """Which transactions to list; what is left out does not narrow the list."""

    period: Period = "last_90_days"
    category: Category | None = None
    account: AccountRef | None = None
    limit: int = Field(TRANSACTIONS_DEFAULT, ge=1, le=TRANSACTIONS_MAX, description="How many to list at most.")
    merchant: str | None = Field(
        None, min_length=1, max_length=70, description="Part of the merchant's name, or of the reference."
    )
    amount_min: Money | None = Field(None, ge=0, description="The least amount, whether paid or received.")
    amount_max: Money | None = Field(None, ge=0, description="The largest amount, whether paid or received.")


class SpendingQuery(PersonalInput):
    """What spending to add up."""

    period: Period = "last_90_days"
    category: Category | None = Field(None, description="Only this category; all but transfers when left out.")
    currency: Currency | None = Field(None, description="Of which accounts; the customer's own when left out.")


class MonthsQuery(PersonalInput):
    """Which table of months to make."""

    months: int = Field(MONTHS_DEFAULT, ge=1, le=MONTHS_MAX, description="How many months back, this one among them.")
    currency: Currency | None = Field(None, description="Of which accounts; the customer's own when left out.")


class AccountBalance(WireModel):
    """One account as it stands now."""

    account: AccountId
    number: str = Field(description="The IBAN, masked but for its last four digits.")
    balance: Money = Field(description="Negative when the overdraft is in use.")
    overdraft_limit: Money | None = Field(description="How far below zero the account may go; null without overdraft.")
    available: Money = Field(description="What can be spent now, overdraft included.")
    currency: Currency


class CurrencyTotal(WireModel):
    """A sum in one currency. Sums of different currencies are never added up."""

    total: Money
    currency: Currency


class Balances(WireModel):
    """All accounts of one customer."""

    summary: str
    accounts: tuple[AccountBalance, ...]
    totals: tuple[CurrencyTotal, ...] = Field(description="Of all balances, overdrafts not counted, by currency.")
    as_of: AwareDatetime


class Transaction(WireModel):
    """One booked payment."""

    transaction_id: TransactionId
    booked_at: AwareDatetime
    account: AccountId
    merchant: str = Field(description="Who was paid, or who paid.")
    category: Category
    amount: Money = Field(description="Negative when money left the account.")
    currency: Currency
    reference: str = Field("", description="What the payer wrote on a transfer.")


class TransactionList(WireModel):
    """The transactions that match a query, newest first; `matching` counts those beyond the limit too."""

    summary: str
    first_day: date
    last_day: date
    matching: int = Field(description="How many match in all; more than are listed when the limit cut them.")
    transactions: tuple[Transaction, ...]


class CategorySpending(WireModel):
    """What one category cost."""

    category: Category
    total: Money
    payments: int


class MerchantSpending(WireModel):
    """What one merchant was paid."""

    merchant: str
    total: Money
    payments: int


class Spending(WireModel):
    """Money that left the accounts, added up; `transfers` count only when they are asked for."""

    summary: str
    first_day: date
    last_day: date
    total: Money
    payments: int
    currency: Currency
    by_category: tuple[CategorySpending, ...] = Field(description="Largest first.")
    biggest_merchants: tuple[MerchantSpending, ...] = Field(description="Largest first, at most five.")
    other_currencies: tuple[CurrencyTotal, ...] = Field((), description="What was spent beside it, not in the total.")


class MonthRow(WireModel):
    """One category through the months; an amount for each of the table's months."""

    category: Category
    amounts: tuple[Money, ...]
    total: Money


class MonthTable(WireModel):
    """Spending by category (rows) and month (columns), the largest category first; income below it."""

    summary: str
    months: tuple[str, ...] = Field(description="YYYY-MM, the oldest first; the last one is not over.")
    spending: tuple[MonthRow, ...]
    spent: tuple[Money, ...]
    income: tuple[Money, ...]
    currency: Currency


GET_BALANCE = Tool(
    service="Accounts",
    handler="get_balance",
    purpose="The balance of every account of the customer, with the overdraft that is available.",
    input=PersonalInput,
    output=Balances,
    keyed_by="customer_id",
)

LIST_TRANSACTIONS = Tool(
    service="Accounts",
    handler="list_transactions",
    purpose="The customer's single transactions (purchases, payments, income) of a period, newest first; also by"
    " merchant, amount, category and account.",
    input=TransactionQuery,
    output=TransactionList,
    keyed_by="customer_id",
)

SUMMARIZE_SPENDING = Tool(
    service="Accounts",
    handler="summarize_spending",
    purpose="How much the customer spent in a period: in total, by category and by merchant, or in one category.",
    input=SpendingQuery,
    output=Spending,
    keyed_by="customer_id",
)

COMPARE_MONTHS = Tool(
    service="Accounts",
    handler="compare_months",
    purpose="A table: what was spent in each category month by month, and the income beside it.",
    input=MonthsQuery,
    output=MonthTable,
    keyed_by="customer_id",
)

# From here on: what other tools ask the object `Accounts` for. No agent lists these.


class MoveMoney(ToolInput):
    """Money to book on one of the customer's accounts.

    `move_id` is the idempotency key: the same id is booked once. Choose it once and keep it over retries, as
    `ctx.uuid()` does; the two sides of a transfer have ids of their own.
    """

    move_id: str = Field(min_length=1, max_length=64)
    account: AccountId
    amount: Money = Field(gt=0)
    currency: Currency
    counterparty: str
    category: Category
    reference: str = Field("", max_length=REFERENCE_MAX_CHARS)


class Withdraw(MoveMoney):
    """Money that leaves an account. With `day_limit`, all such withdrawals of a day (UTC) stay within it."""

    day_limit: Money | None = None


class Moved(WireModel):
    """The move is booked. `balance` is the account's, as it stands now."""

    account: AccountId
    balance: Money
    currency: Currency


class MoveRef(ToolInput):
    move_id: str = Field(min_length=1, max_length=64)


class Undone(WireModel):
    """`stands` when the move is not undone: money that came in and was spent already is not taken back."""

    stands: bool


WITHDRAW = Tool(
    service="Accounts",
    handler="withdraw",
    purpose="Take money from an account, once for each move_id.",
    input=Withdraw,
    output=Moved,
    keyed_by="customer_id",
    internal=True,
)
DEPOSIT = Tool(
    service="Accounts",
    handler="deposit",
    purpose="Put money on an account, once for each move_id.",
    input=MoveMoney,
    output=Moved,
    keyed_by="customer_id",
    internal=True,
)
UNDO_MOVE = Tool(
    service="Accounts",
    handler="undo",
    purpose="Undo a move, or see to it that it never happens.",
    input=MoveRef,
    output=Undone,
    keyed_by="customer_id",
    internal=True,
)


class FindTransaction(ToolInput):
    transaction_id: TransactionId


FIND_TRANSACTION = Tool(
    service="Accounts",
    handler="find_transaction",
    purpose="One booked transaction of the customer's.",
    input=FindTransaction,
    output=Transaction,
    keyed_by="customer_id",
    internal=True,
)


class LoanDebits(ToolInput):
    """The monthly debits of a loan as they stand: none after `last_on`, and on that day `last_amount`.

    `debited_as` is what the debits are called; the latest that is said counts. Of a loan that was granted here
    `first_on` and `monthly` say when they begin and how much they are; the demo data's own begin with it.
    """

    debited_as: str
    last_on: date
    last_amount: Money = Field(ge=0)
    first_on: date | None = None
    monthly: Money = Field(Decimal("0.00"), ge=0)
    account: AccountId = "checking"


class DebitsEnd(WireModel):
    debited_as: str
    last_on: date


END_DEBITS = Tool(
    service="Accounts",
    handler="end_debits",
    purpose="How the monthly debits of a loan go on, and when they end.",
    input=LoanDebits,
    output=DebitsEnd,
    keyed_by="customer_id",
    internal=True,
)


def account_title(account: str) -> str:
    """An account for people: "Checking", "Checking USD", "account DE•• •••• 4417"."""
    if IBAN.fullmatch(account):
        return f"account {masked_iban(account)}"
    kind, _, name = account.partition("-")
    return f"{kind.capitalize()} {name.upper()}".strip()


def masked_iban(iban: str) -> str:
    return f"{iban[:2]}•• •••• {iban[-IBAN_DIGITS_SHOWN:]}"
