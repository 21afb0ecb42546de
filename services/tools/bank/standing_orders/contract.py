"""Contract of the standing orders: a transfer every week or month. Each one follows all rules of a transfer."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from services.tools.bank.accounts.contract import AccountRef, whole_account_phrase
from services.tools.bank.transfers.contract import (
    PayeeBank,
    RecipientId,
    Reference,
    TransferOrder,
    TransferRequest,
    payee_phrase,
    recipient_phrase,
    sum_and_account,
)
from switchboard import Resolved, Tool, ToolInput, quoted
from switchboard.builtin.calendar.contract import When, format_date, format_instant, format_when
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount
from switchboard.words import OthersWords

STANDING_ORDERS = "StandingOrders"
STANDING_ORDER_SERVICE = "StandingOrderDesk"

Interval = Literal["week", "month"]
OrderId = Annotated[
    str,
    Field(
        pattern=r"^S[0-9]{1,9}$",
    ),
]


class StandingOrderTerms(TransferOrder):
    """A recurring transfer that was accepted earlier."""

    every: Interval
    starts: When
    ends_on: dt.date | None = Field(None, description="The last possible day.")


class StandingOrderRequest(TransferRequest, StandingOrderTerms):
    """A recurring transfer."""


class StandingOrderFacts(Resolved[StandingOrderRequest]):
    """What the check found. `call` has the ids as in TransferFacts, and the exact time of the first transfer."""

    payee_bank: PayeeBank


class StandingOrder(WireModel):
    """The current state of a standing order."""

    order_id: OrderId
    recipient_name: OthersWords
    amount: Money
    currency: Currency
    account: AccountRef
    reference: OthersWords
    every: Interval
    next_at: AwareDatetime
    ends_on: dt.date | None
    last: OthersWords = Field("", description="The outcome of its latest transfer.")


class OrderResult(WireModel):
    """A standing order after a change."""

    summary: OthersWords
    order: StandingOrder


class OrderList(WireModel):
    """The active standing orders, ordered by their next date."""

    summary: OthersWords
    orders: tuple[StandingOrder, ...]


class OrderChange(PersonalInput):
    """Changes to a standing order, starting with its next transfer."""

    order_id: OrderId
    amount: Money | None = Field(None, gt=0)
    currency: Currency | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def check_change_given(self) -> Self:
        if self.amount is None and self.reference is None:
            raise ValueError("no change is given; set amount, reference, or both")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("amount and currency must be set together")
        return self


class OrderRef(PersonalInput):
    order_id: OrderId


class OrderFacts(WireModel):
    """The standing order that the customer wants to change or cancel, as it is now."""

    recipient: RecipientId
    recipient_name: str
    amount: Money
    currency: Currency
    account: AccountRef
    reference: str
    every: Interval
    next_at: AwareDatetime
    ends_on: dt.date | None


def order_question(request: StandingOrderRequest, facts: StandingOrderFacts) -> str:
    first = f"every {request.every}, starting on {format_when(request.starts)}{until(request.ends_on)},"
    return f"Send {sum_and_account(request)} {first} {payee_phrase(request, facts.payee_bank)}?"


def change_question(request: OrderChange, facts: OrderFacts) -> str:
    now = format_amount(facts.amount, facts.currency)
    amount = f"keep sending {now}"
    if request.amount is not None and request.currency is not None:
        amount = f"send {format_amount(request.amount, request.currency)} instead of {now}"
    reference = reference_words(facts.reference)
    if request.reference is not None:
        before = quoted(facts.reference) if facts.reference else "none"
        reference = f"from now on {reference_words(request.reference)} instead of {before}"
    payee = f"{payee_of(facts)}, {reference}"
    return f"Change your standing order {request.order_id}: {amount} {times(facts)} {payee}?"


def cancel_question(request: OrderRef, facts: OrderFacts) -> str:
    each = f"{format_amount(facts.amount, facts.currency)} {times(facts)}"
    payee = f"{payee_of(facts)}, {reference_words(facts.reference)}"
    return f"Cancel your standing order {request.order_id}, which sends {each} {payee}?"


def times(facts: OrderFacts) -> str:
    account = f"from your {whole_account_phrase(facts.account)}"
    return f"{account} every {facts.every}, next on {format_instant(facts.next_at)}{until(facts.ends_on)},"


def payee_of(facts: OrderFacts) -> str:
    return f"to {recipient_phrase(facts.recipient)}, payee {quoted(facts.recipient_name)}"


def reference_words(reference: str) -> str:
    return f"reference {quoted(reference)}" if reference else "no reference"


def until(ends_on: dt.date | None) -> str:
    return f" and ending on {format_date(ends_on)} at the latest" if ends_on else ""


CREATE_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="create_standing_order",
    purpose="Send the same amount to someone else every week or month.",
    input=StandingOrderRequest,
    output=OrderResult,
    keyed_by="customer_id",
    consent=order_question,
    check=StandingOrderFacts,
    label="create the standing order",
)
LIST_STANDING_ORDERS = Tool(
    service=STANDING_ORDERS,
    handler="list_standing_orders",
    purpose="List standing orders with recipient, amount, interval and next date.",
    input=PersonalInput,
    output=OrderList,
    keyed_by="customer_id",
    read_only=True,
)
CHANGE_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="change_standing_order",
    purpose="Change the amount or the reference of a standing order.",
    input=OrderChange,
    output=OrderResult,
    keyed_by="customer_id",
    consent=change_question,
    check=OrderFacts,
    label="change the standing order",
)
CANCEL_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="cancel_standing_order",
    purpose="Cancel a standing order.",
    input=OrderRef,
    output=OrderResult,
    keyed_by="customer_id",
    consent=cancel_question,
    check=OrderFacts,
    label="cancel the standing order",
)

# Internal tools, with which these services call each other. Agents do not list them.


class Due(ToolInput):
    """The due date of an order's transfer with the number `number`. The first transfer is number 0."""

    order_id: OrderId
    number: int


class Execution(TransferOrder):
    """One transfer of an order, with the terms of the order on that day."""

    order_id: OrderId
    number: int


class Executed(ToolInput):
    order_id: OrderId
    told: str


class Acknowledgement(WireModel):
    changed: bool


EXECUTE_ORDER = Tool(
    service=STANDING_ORDER_SERVICE,
    handler="execute",
    purpose="Make one transfer of a standing order.",
    input=Execution,
    output=Acknowledgement,
    internal=True,
)
NOTE_EXECUTION = Tool(
    service=STANDING_ORDERS,
    handler="note_execution",
    purpose="Store the outcome of a standing order's transfer.",
    input=Executed,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
