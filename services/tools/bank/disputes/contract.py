"""What the disputes promise: a card payment that is not right is looked into, and the customer is told the outcome."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from services.tools.bank.accounts.contract import AccountId, Category, TransactionId
from switchboard import FromIdentity, Tool, ToolInput
from switchboard.builtin.approvals.contract import Decision
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount

DISPUTE_DESK = "DisputeDesk"
DISPUTES = "Disputes"
DISPUTE_CASE = "DisputeCase"

DAYS_MAX = 120
"""After a payment was booked."""

AT_ONCE_MAX = Decimal("25.00")
AT_ONCE_A_YEAR = 3
"""Up to this amount, and so often in a year, it is credited without staff."""

OPEN_MAX = 20
RECORDS_MAX = 200
"""Disputes of one customer that are open at a time, and that were opened within REMEMBERED_DAYS."""

REMEMBERED_DAYS = 365
"""For so long at least a dispute that is closed is known, and an open one in any case: longer than its payment can be
disputed again, and as long as it counts among those that were credited at once."""

CARD_CATEGORIES: frozenset[Category] = frozenset(
    {"groceries", "restaurants", "shopping", "health", "travel", "gambling", "cash_withdrawals", "subscriptions"}
)
"""What is paid by card at this bank; all else is a transfer or a debit."""

WORDS_MAX_CHARS = 500

DisputeReason = Literal["not_mine", "not_received", "wrong_amount", "charged_twice", "cancelled"]
DisputeStatus = Literal["checking", "waiting_for_staff", "accepted", "rejected", "undecided"]
DisputeId = Annotated[str, Field(pattern=r"^DP-[0-9A-F]{12}$", examples=["DP-3F9A1C07B2D4"])]
Words = Annotated[
    str,
    # On one line: it is shown to the customer to say yes to, and to staff.
    AfterValidator(lambda text: " ".join(text.split())),
    Field(max_length=WORDS_MAX_CHARS, description="What happened, in the customer's words."),
]


class DisputeRequest(PersonalInput):
    """Which payment is not right, and why."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    transaction_id: TransactionId
    amount: Money = Field(gt=0, description="How much of the payment is disputed.")
    currency: Currency
    reason: DisputeReason
    words: Words = ""


class Dispute(WireModel):
    """One case as it stands."""

    summary: str
    dispute_id: DisputeId
    status: DisputeStatus
    transaction_id: TransactionId
    merchant: str
    amount: Money
    currency: Currency
    reason: DisputeReason
    opened_at: AwareDatetime
    decided_at: AwareDatetime | None = None
    decision: str | None = Field(None, description="Why it was decided so; null before that.")


class DisputeList(WireModel):
    """The customer's cases, newest first."""

    summary: str
    disputes: tuple[Dispute, ...]


def dispute_question(request: DisputeRequest) -> str:
    words = f", in your words: “{request.words}”" if request.words else ""
    amount, reason = format_amount(request.amount, request.currency), request.reason.replace("_", " ")
    return f"Dispute {amount} of the payment {request.transaction_id}, because: {reason}{words}?"


OPEN_DISPUTE = Tool(
    service=DISPUTE_DESK,
    handler="open_dispute",
    purpose="Dispute a card payment that is not right: complain about it, claim the money back.",
    input=DisputeRequest,
    output=Dispute,
    consent=dispute_question,
)
LIST_DISPUTES = Tool(
    service=DISPUTES,
    handler="list_disputes",
    purpose="The customer's disputes of card payments, with their status, newest first.",
    input=PersonalInput,
    output=DisputeList,
    keyed_by="customer_id",
)

# From here on: what these services say to each other. No agent lists these.


class DisputeCase(ToolInput):
    """A case on its way. `decide_within_seconds` is what staff have, should it come to them."""

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
    """How a case ended."""

    dispute_id: DisputeId
    status: DisputeStatus
    why: str


class Noted(WireModel):
    changed: bool


class Leave(WireModel):
    """Whether the case may be credited without staff."""

    at_once: bool


NOTE_DISPUTE = Tool(
    service=DISPUTES,
    handler="note_dispute",
    purpose="Note a case and set it going.",
    input=DisputeCase,
    output=DisputeOpened,
    keyed_by="customer_id",
    internal=True,
)
ASK_LEAVE = Tool(
    service=DISPUTES,
    handler="ask_leave",
    purpose="Whether a case may be credited without staff; if not, note that it waits for them.",
    input=DisputeRef,
    output=Leave,
    keyed_by="customer_id",
    internal=True,
)
CLOSE_DISPUTE = Tool(
    service=DISPUTES,
    handler="close_dispute",
    purpose="Note how a case ended, and tell the customer.",
    input=DisputeClosing,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
TAKE_BACK_CREDIT = Tool(
    service=DISPUTE_DESK,
    handler="take_back",
    purpose="Undo what was done for a case that could not be finished, and close it.",
    input=DisputeCase,
    output=Noted,
    internal=True,
)
RUN_DISPUTE = Tool(
    service=DISPUTE_CASE,
    handler="run",
    purpose="Have a case decided, and credit the money.",
    input=DisputeCase,
    output=Noted,
    internal=True,
)
DISPUTE_DECIDED = Tool(
    service=DISPUTE_CASE,
    handler="decided",
    purpose="Take in what staff decided.",
    input=Decision,
    output=Noted,
    internal=True,
)
