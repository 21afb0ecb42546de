"""Contract of the accounts service: its tools, inputs and outputs. Agents import only this file of the service."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from switchboard import Tool, ToolInput
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money
from switchboard.text import PlainText
from switchboard.words import OthersWords, OurWords

TRANSACTIONS_DEFAULT = 20
TRANSACTIONS_MAX = 50
"""Maximum number of transactions in one result, so that the result stays below the size limit of a tool result."""

MONTHS_DEFAULT = 6
MONTHS_MAX = 13

REFERENCE_MAX_CHARS = 70
"""Maximum length of a reference, so that a full list of transfers stays below the size limit of a tool result."""

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
IBAN_DIGITS_SHOWN = 4

IBAN_GROUP_CHARS = 4

IBAN_SEPARATORS = re.compile(r"[\s.\u2010-\u2015\u2212_-]+")
"""What people write between the groups of an IBAN."""

ACCOUNT_ID = "(?:checking|savings)(?:-[a-z0-9]{1,8})?"

AccountId = Annotated[
    str,
    Field(
        pattern=f"^{ACCOUNT_ID}$",
        examples=["checking", "checking-usd"],
        description="The account's id. get_balance returns it.",
    ),
]


def compact_iban(text: object) -> object:
    """Return an IBAN in capitals without separators, and anything else unchanged."""
    if not isinstance(text, str):
        return text
    compact = IBAN_SEPARATORS.sub("", text).upper().removeprefix("IBAN")
    return compact if IBAN.fullmatch(compact) else text


# The schema names the two accounts that most customers have, so that a model does not need to look them up.
AccountRef = Annotated[
    Literal["checking", "savings"] | Annotated[str, Field(pattern=f"^(?:{ACCOUNT_ID}|{IBAN.pattern})$")],
    BeforeValidator(compact_iban),
    Field(description="Own account, by id or IBAN."),
]

TransactionId = Annotated[
    str,
    Field(
        pattern="^TX-[0-9A-F]{10}$",
    ),
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

# Month names are allowed because a model does not know today's date. The tool works out the year.
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
    Field(description="The latest month of that name. Or YYYY-MM."),
]


class TransactionQuery(PersonalInput):
    """Filters for the list of transactions. Omitted filters do not apply."""

    period: Period = "last_90_days"
    category: Category | None = None
    account: AccountRef | None = None
    limit: int = Field(TRANSACTIONS_DEFAULT, ge=1, le=TRANSACTIONS_MAX)
    merchant: Annotated[str, PlainText(70, min_chars=1)] | None = Field(
        None, description="Part of the name or reference."
    )
    amount_min: Money | None = Field(None, ge=0)
    amount_max: Money | None = Field(None, ge=0)


class SpendingQuery(PersonalInput):
    """Which spending to add up."""

    period: Period = "last_90_days"
    category: Category | None = Field(None, description="Default: all except transfers.")
    currency: Currency | None = Field(None, description="Default: the main one.")


class MonthsQuery(PersonalInput):
    """Which months to compare, and in which currency."""

    months: int = Field(MONTHS_DEFAULT, ge=1, le=MONTHS_MAX)
    currency: Currency | None = Field(None, description="Default: the main one.")


class AccountBalance(WireModel):
    """The current balance of one account."""

    account: AccountId
    number: OurWords = Field(description="The IBAN, masked except for its last four digits.")
    balance: Money = Field(description="Negative if the account is overdrawn.")
    overdraft_limit: Money | None = Field(description="How far the account can be overdrawn; null without overdraft.")
    available: Money = Field(description="What can be spent now, including the overdraft.")
    currency: Currency


class CurrencyTotal(WireModel):
    """A total in one currency. Totals of different currencies are never added up."""

    total: Money
    currency: Currency


class Balances(WireModel):
    """All accounts of one customer."""

    summary: OurWords
    accounts: tuple[AccountBalance, ...]
    totals: tuple[CurrencyTotal, ...] = Field(description="All balances added up by currency, without overdrafts.")
    as_of: AwareDatetime


class Transaction(WireModel):
    """One booked payment."""

    transaction_id: TransactionId
    booked_at: AwareDatetime
    account: AccountId
    merchant: OthersWords = Field(description="The other party: who was paid, or who paid.")
    category: Category
    amount: Money = Field(description="Negative if money left the account.")
    currency: Currency
    reference: OthersWords = Field("", description="The payer's reference on a transfer.")


class TransactionList(WireModel):
    """The transactions that match a query, newest first."""

    summary: OthersWords
    first_day: date
    last_day: date
    matching: int = Field(description="Number of all matches, including those beyond the limit.")
    transactions: tuple[Transaction, ...]


class CategorySpending(WireModel):
    """Spending in one category."""

    category: Category
    total: Money
    payments: int


class MerchantSpending(WireModel):
    """Spending at one merchant."""

    merchant: OthersWords
    total: Money
    payments: int


class Spending(WireModel):
    """Total spending. Transfers count only if the query asks for that category."""

    summary: OthersWords
    first_day: date
    last_day: date
    total: Money
    payments: int
    currency: Currency
    by_category: tuple[CategorySpending, ...] = Field(description="Largest first.")
    biggest_merchants: tuple[MerchantSpending, ...] = Field(description="Largest first, at most five.")
    other_currencies: tuple[CurrencyTotal, ...] = Field(
        (), description="Spending in other currencies, not in the total."
    )


class MonthRow(WireModel):
    """Spending in one category, with one amount per month of the table."""

    category: Category
    amounts: tuple[Money, ...]
    total: Money


class MonthTable(WireModel):
    """Spending by category (rows, largest first) and month (columns), and the income of each month."""

    summary: OurWords
    months: tuple[OurWords, ...] = Field(description="YYYY-MM, oldest first. The last month is not over yet.")
    spending: tuple[MonthRow, ...]
    spent: tuple[Money, ...]
    income: tuple[Money, ...]
    currency: Currency


GET_BALANCE = Tool(
    service="Accounts",
    handler="get_balance",
    purpose="Get the balance of each account, and what can be spent with the overdraft.",
    input=PersonalInput,
    output=Balances,
    keyed_by="customer_id",
    read_only=True,
)

LIST_TRANSACTIONS = Tool(
    service="Accounts",
    handler="list_transactions",
    purpose="List single transactions (purchases, payments, income) of a period, newest first.",
    input=TransactionQuery,
    output=TransactionList,
    keyed_by="customer_id",
    read_only=True,
)

SUMMARIZE_SPENDING = Tool(
    service="Accounts",
    handler="summarize_spending",
    purpose="Get how much was spent in a period: in total, by category and by merchant.",
    input=SpendingQuery,
    output=Spending,
    keyed_by="customer_id",
    read_only=True,
)

COMPARE_MONTHS = Tool(
    service="Accounts",
    handler="compare_months",
    purpose="Get a table of what was spent in each category month by month, with the income.",
    input=MonthsQuery,
    output=MonthTable,
    keyed_by="customer_id",
    read_only=True,
)

# Internal tools of the object `Accounts`, for other services. Agents do not list them.


class MoveMoney(ToolInput):
    """A booking on one of the customer's accounts.

    `move_id` is the idempotency key: each id is booked once. Create it with `ctx.uuid()`, so that retries reuse it. The
    withdrawal and the deposit of a transfer need different ids.
    """

    move_id: str = Field(min_length=1, max_length=64)
    account: AccountId
    amount: Money = Field(gt=0)
    currency: Currency
    counterparty: str
    category: Category
    reference: str = Field("", max_length=REFERENCE_MAX_CHARS)


class Withdraw(MoveMoney):
    """A withdrawal. If `day_limit` is set, it limits the total of all such withdrawals of the day (UTC)."""

    day_limit: Money | None = None


class Moved(WireModel):
    """A booked move, and the balance of the account after it."""

    account: AccountId
    balance: Money
    currency: Currency


class MoveRef(ToolInput):
    move_id: str = Field(min_length=1, max_length=64)


class Undone(WireModel):
    """Result of an undo. `stands` is true if the move was not undone because the money has already been spent."""

    stands: bool


WITHDRAW = Tool(
    service="Accounts",
    handler="withdraw",
    purpose="Withdraw money from an account, once per move_id.",
    input=Withdraw,
    output=Moved,
    keyed_by="customer_id",
    internal=True,
)


CHECKED_MOVE = "check"
"""The `move_id` of a withdrawal that is only checked. Nothing is booked under it."""


class Withdrawable(WireModel):
    """The account from which a withdrawal is possible now."""

    account: AccountId


CHECK_WITHDRAWAL = Tool(
    service="Accounts",
    handler="check_withdrawal",
    purpose="Check whether money can be withdrawn from an account now.",
    input=Withdraw,
    output=Withdrawable,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
DEPOSIT = Tool(
    service="Accounts",
    handler="deposit",
    purpose="Deposit money on an account, once per move_id.",
    input=MoveMoney,
    output=Moved,
    keyed_by="customer_id",
    internal=True,
)
UNDO_MOVE = Tool(
    service="Accounts",
    handler="undo",
    purpose="Undo a move. If it has not been booked yet, prevent it.",
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
    purpose="Find one of the customer's booked transactions by its id.",
    input=FindTransaction,
    output=Transaction,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)


class LoanDebits(ToolInput):
    """The monthly debits of a loan. The last debit is `last_amount` on `last_on`.

    `debited_as` is the merchant name of the debits and identifies them: the latest message for a name replaces earlier
    ones. For a loan that was granted through the mesh, `first_on` and `monthly` give the first day and the amount of
    the debits. For a loan of the demo data they are not needed, because the demo data contains its debits.
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
    purpose="Set the amount and the end of a loan's monthly debits.",
    input=LoanDebits,
    output=DebitsEnd,
    keyed_by="customer_id",
    internal=True,
)


def account_title(account: str) -> str:
    """Return the account's name for people: "Checking", "Checking USD" or "account DE•• •••• 4417"."""
    if IBAN.fullmatch(account):
        return f"account {masked_iban(account)}"
    kind, _, name = account.partition("-")
    return f"{kind.capitalize()} {name.upper()}".strip()


def account_phrase(account: str) -> str:
    """Return the account's name with the word "account": "Checking account" or "account DE•• •••• 4417"."""
    title = account_title(account)
    return title if IBAN.fullmatch(account) else f"{title} account"


def grouped_iban(iban: str) -> str:
    """Return the whole IBAN in groups of four, as people read it: "DE89 3704 0044 0532 0130 00"."""
    return " ".join(iban[start : start + IBAN_GROUP_CHARS] for start in range(0, len(iban), IBAN_GROUP_CHARS))


def whole_account_phrase(account: str) -> str:
    """Return the account as `account_phrase` does, but with the whole IBAN. For questions of consent."""
    return f"account {grouped_iban(account)}" if IBAN.fullmatch(account) else account_phrase(account)


def masked_iban(iban: str) -> str:
    return f"{iban[:2]}•• •••• {iban[-IBAN_DIGITS_SHOWN:]}"
