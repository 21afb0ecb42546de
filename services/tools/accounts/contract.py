"""What the accounts service promises. Agents import this file and nothing else of the service."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import Currency, Money

TRANSACTIONS_DEFAULT = 20
TRANSACTIONS_MAX = 50
"""Transactions in one answer; so many still fit into what a model is fed of one result."""

REFERENCE_MAX_CHARS = 70
"""So that an answer full of transfers still fits as well."""

AccountKind = Literal["checking", "savings"]

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


class TransactionQuery(ToolInput):
    """Which transactions to list."""

    period: Period = "last_90_days"
    category: Category | None = Field(None, description="Only this category; all of them when left out.")
    account: AccountKind | None = Field(None, description="Only this account; all of them when left out.")
    limit: int = Field(TRANSACTIONS_DEFAULT, ge=1, le=TRANSACTIONS_MAX, description="How many to list at most.")


class SpendingQuery(ToolInput):
    """What spending to add up."""

    period: Period = "last_90_days"
    category: Category | None = Field(None, description="Only this category; all but transfers when left out.")


class AccountBalance(Wire):
    """One account as it stands now."""

    account: AccountKind
    number: str = Field(description="The IBAN, masked but for its last four digits.")
    balance: Money = Field(description="Negative when the overdraft is in use.")
    overdraft_limit: Money | None = Field(description="How far below zero the account may go; null without overdraft.")
    available: Money = Field(description="What can be spent now, overdraft included.")
    currency: Currency


class Balances(Wire):
    """All accounts of one customer."""

    summary: str
    accounts: tuple[AccountBalance, ...]
    total: Money = Field(description="Sum of all balances, overdrafts not counted.")
    currency: Currency
    as_of: AwareDatetime


class Transaction(Wire):
    """One booked payment."""

    booked_at: AwareDatetime
    account: AccountKind
    merchant: str = Field(description="Who was paid, or who paid.")
    category: Category
    amount: Money = Field(description="Negative when money left the account.")
    currency: Currency
    reference: str = Field("", description="What the payer wrote on a transfer.")


class TransactionList(Wire):
    """The transactions that match a query, newest first; `matching` counts those beyond the limit too."""

    summary: str
    first_day: date
    last_day: date
    matching: int = Field(description="How many match in all; more than are listed when the limit cut them.")
    transactions: tuple[Transaction, ...]


class CategorySpending(Wire):
    """What one category cost."""

    category: Category
    total: Money
    payments: int


class MerchantSpending(Wire):
    """What one merchant was paid."""

    merchant: str
    total: Money
    payments: int


class Spending(Wire):
    """Money that left the accounts, added up; `transfers` count only when they are asked for."""

    summary: str
    first_day: date
    last_day: date
    total: Money
    payments: int
    currency: Currency
    by_category: tuple[CategorySpending, ...] = Field(description="Largest first.")
    biggest_merchants: tuple[MerchantSpending, ...] = Field(description="Largest first, at most five.")


GET_BALANCE = Tool(
    service="Accounts",
    handler="get_balance",
    purpose="The balance of every account of the customer, with the overdraft that is available.",
    input=NoInput,
    output=Balances,
    keyed_by="customer_id",
)

LIST_TRANSACTIONS = Tool(
    service="Accounts",
    handler="list_transactions",
    purpose="The customer's single transactions (purchases, payments, income) of a period, newest first.",
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

# From here on: what other tools ask the object `Accounts` for. No agent lists these.


class MoveMoney(ToolInput):
    """Money to book on one of the customer's accounts.

    `move_id` is the idempotency key: the same id is booked once. Choose it once and keep it over retries, as
    `ctx.uuid()` does; the two sides of a transfer have ids of their own.
    """

    move_id: str = Field(min_length=1, max_length=64)
    account: AccountKind
    amount: Money = Field(gt=0)
    currency: Currency
    counterparty: str
    category: Category
    reference: str = Field("", max_length=REFERENCE_MAX_CHARS)


class Withdraw(MoveMoney):
    """Money that leaves an account. With `day_limit`, all such withdrawals of a day (UTC) stay within it."""

    day_limit: Money | None = None


class Moved(Wire):
    """The move is booked. `balance` is the account's, as it stands now."""

    account: AccountKind
    balance: Money
    currency: Currency


class MoveRef(ToolInput):
    move_id: str = Field(min_length=1, max_length=64)


class Undone(Wire):
    """`stands` when the move is not undone: money that came in and was spent already is not taken back."""

    stands: bool


WITHDRAW = Tool(
    service="Accounts",
    handler="withdraw",
    purpose="Take money from an account, once for each move_id.",
    input=Withdraw,
    output=Moved,
    keyed_by="customer_id",
)
DEPOSIT = Tool(
    service="Accounts",
    handler="deposit",
    purpose="Put money on an account, once for each move_id.",
    input=MoveMoney,
    output=Moved,
    keyed_by="customer_id",
)
UNDO_MOVE = Tool(
    service="Accounts",
    handler="undo",
    purpose="Undo a move, or see to it that it never happens.",
    input=MoveRef,
    output=Undone,
    keyed_by="customer_id",
)
