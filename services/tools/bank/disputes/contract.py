"""Contract of the dispute services: open and list disputes of card payments, and get notified of the outcome."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from services.tools.bank.accounts.contract import AccountId, Category, TransactionId
from switchboard import FromIdentity, Tool, ToolInput, quoted
from switchboard.builtin.approvals.contract import Decision
from switchboard.builtin.calendar.contract import format_date
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount
from switchboard.text import PlainText
from switchboard.words import OthersWords

DISPUTE_SERVICE = "DisputeDesk"
DISPUTES = "Disputes"
DISPUTE_CASE = "DisputeCase"

DAYS_MAX = 120
"""Days after its booking within which a payment can be disputed."""

INSTANT_CREDIT_MAX = Decimal("25.00")
INSTANT_CREDITS_A_YEAR = 3
"""Disputes up to this amount are credited without staff, this many times a year."""

OPEN_MAX = 20
RECORDS_MAX = 200
"""Maximum disputes of a customer that are open at a time, and that are opened within REMEMBERED_DAYS."""

REMEMBERED_DAYS = 365
"""Minimum time that a closed dispute is stored; open disputes are always stored.

It is longer than DAYS_MAX, so that no payment is disputed twice, and covers the year of INSTANT_CREDITS_A_YEAR.
"""

CARD_CATEGORIES: frozenset[Category] = frozenset(
    {"groceries", "restaurants", "shopping", "health", "travel", "gambling", "cash_withdrawals", "subscriptions"}
)
"""Categories of card payments at this bank. Payments in other categories are transfers or direct debits."""

WORDS_MAX_CHARS = 500

DisputeReason = Literal["not_mine", "not_received", "wrong_amount", "charged_twice", "cancelled"]
DisputeStatus = Literal["checking", "waiting_for_staff", "accepted", "rejected", "undecided"]
DisputeId = Annotated[str, Field(pattern=r"^DP-[0-9A-F]{12}$", examples=["DP-3F9A1C07B2D4"])]
Words = Annotated[
    str,
    PlainText(WORDS_MAX_CHARS),
    Field(description="What happened."),
]


class DisputeRequest(PersonalInput):
    """The payment to dispute, and why."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    transaction_id: TransactionId
    amount: Money = Field(gt=0, description="At most the full payment.")
    currency: Currency
    reason: DisputeReason
    words: Words = ""


class DisputeFacts(WireModel):
    """The payment that the customer wants to dispute."""

    merchant: str
    paid: Money
    currency: Currency
    booked_on: dt.date


class DisputedPayment(ToolInput):
    transaction_id: TransactionId


class Dispute(WireModel):
    """The current state of one dispute."""

    summary: OthersWords
    dispute_id: DisputeId
    status: DisputeStatus
    transaction_id: TransactionId
    merchant: OthersWords
    amount: Money
    currency: Currency
    reason: DisputeReason
    opened_at: AwareDatetime
    decided_at: AwareDatetime | None = None
    decision: OthersWords | None = Field(None, description="The reason for the decision; null until it is made.")


class DisputeList(WireModel):
    """The customer's disputes."""

    summary: OthersWords
    disputes: tuple[Dispute, ...]


def dispute_question(request: DisputeRequest, facts: DisputeFacts) -> str:
    words = f", your description {quoted(request.words)}" if request.words else ""
    amount, reason = format_amount(request.amount, request.currency), request.reason.replace("_", " ")
    paid = f"{format_amount(facts.paid, facts.currency)} on {format_date(facts.booked_on)}"
    return (
        f"Dispute {amount} of the payment {request.transaction_id} of {paid} (reason: {reason}), paid to"
        f" {quoted(facts.merchant)}{words}?"
    )


OPEN_DISPUTE = Tool(
    service=DISPUTE_SERVICE,
    handler="open_dispute",
    purpose="Dispute a card payment: complain about it and claim the money back.",
    input=DisputeRequest,
    output=Dispute,
    consent=dispute_question,
    check=DisputeFacts,
    label="dispute the payment",
)
LIST_DISPUTES = Tool(
    service=DISPUTES,
    handler="list_disputes",
    purpose="List disputes of card payments with their status.",
    input=PersonalInput,
    output=DisputeList,
    keyed_by="customer_id",
    read_only=True,
)

# Internal tools, with which these services call each other. Agents do not list them.


class DisputeCase(ToolInput):
    """A dispute with its payment. `decide_within_seconds` is the deadline for staff, if they have to decide."""

    dispute_id: DisputeId
    customer_id: str
    session_id: str
    transaction_id: TransactionId
    merchant: str
    account: AccountId
    paid_at: AwareDatetime
    paid: Money
    amount: Money
    currency: Currency
    reason: DisputeReason
    words: str
    opened_at: AwareDatetime
    decide_within_seconds: float


class DisputeRef(ToolInput):
    dispute_id: DisputeId


class DisputeOpened(WireModel):
    dispute: Dispute


class DisputeClosing(ToolInput):
    """The outcome of a dispute."""

    dispute_id: DisputeId
    status: DisputeStatus
    why: str


class Acknowledgement(WireModel):
    changed: bool


class CreditPermission(WireModel):
    """Whether the dispute may be credited without staff."""

    at_once: bool


NOTE_DISPUTE = Tool(
    service=DISPUTES,
    handler="note_dispute",
    purpose="Store a new dispute and start its workflow.",
    input=DisputeCase,
    output=DisputeOpened,
    keyed_by="customer_id",
    internal=True,
)
CHECK_DISPUTE = Tool(
    service=DISPUTES,
    handler="check_dispute",
    purpose="Check whether the customer may open a dispute of a payment.",
    input=DisputedPayment,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
REQUEST_CREDIT_PERMISSION = Tool(
    service=DISPUTES,
    handler="ask_leave",
    purpose="Decide whether a dispute may be credited without staff. If not, mark it as waiting for staff.",
    input=DisputeRef,
    output=CreditPermission,
    keyed_by="customer_id",
    internal=True,
)
CLOSE_DISPUTE = Tool(
    service=DISPUTES,
    handler="close_dispute",
    purpose="Store the outcome of a dispute and notify the customer.",
    input=DisputeClosing,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
TAKE_BACK_CREDIT = Tool(
    service=DISPUTE_SERVICE,
    handler="take_back",
    purpose="Undo the credit of a dispute that failed, and close the dispute.",
    input=DisputeCase,
    output=Acknowledgement,
    internal=True,
)
RUN_DISPUTE = Tool(
    service=DISPUTE_CASE,
    handler="run",
    purpose="Get a decision on a dispute, and credit the money if it is accepted.",
    input=DisputeCase,
    output=Acknowledgement,
    internal=True,
)
DISPUTE_DECIDED = Tool(
    service=DISPUTE_CASE,
    handler="decided",
    purpose="Receive the decision of staff.",
    input=Decision,
    output=Acknowledgement,
    internal=True,
)
