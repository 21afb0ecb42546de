"""Contract of the standing orders: a transfer every week or month. Each one follows all rules of a transfer."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from services.tools.bank.accounts.contract import AccountRef
from services.tools.bank.transfers.contract import Reference, TransferRequest, describe_request, reference_phrase
from switchboard import Tool, ToolInput
from switchboard.builtin.calendar.contract import When, format_date, format_when
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount

STANDING_ORDERS = "StandingOrders"
STANDING_ORDER_SERVICE = "StandingOrderDesk"

Interval = Literal["week", "month"]
OrderId = Annotated[
    str,
    Field(
        pattern=r"^S[0-9]{1,9}$",
    ),
]


class StandingOrderRequest(TransferRequest):
    """A recurring transfer."""

    every: Interval
    starts: When
    ends_on: dt.date | None = Field(None, description="The last possible day.")


class StandingOrder(WireModel):
    """The current state of a standing order."""

    order_id: OrderId
    recipient_name: str
    amount: Money
    currency: Currency
    account: AccountRef
    reference: str
    every: Interval
    next_at: AwareDatetime
    ends_on: dt.date | None
    last: str = Field("", description="The outcome of its latest transfer.")


class OrderResult(WireModel):
    """A standing order after a change."""

    summary: str
    order: StandingOrder


class OrderList(WireModel):
    """The active standing orders, ordered by their next date."""

    summary: str
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


def order_question(request: StandingOrderRequest) -> str:
    until = f" and ending on {format_date(request.ends_on)} at the latest" if request.ends_on else ""
    first = f"every {request.every}, starting on {format_when(request.starts)}{until}"
    return f"Send {describe_request(request)} {first}{reference_phrase(request.reference)}?"


def change_question(request: OrderChange) -> str:
    changes = []
    if request.amount is not None and request.currency is not None:
        changes.append(f"send {format_amount(request.amount, request.currency)} each time")
    if request.reference is not None:
        changes.append(f"use the reference “{request.reference}”")
    return f"Change your standing order {request.order_id}: {' and '.join(changes)}?"


def cancel_question(request: OrderRef) -> str:
    return f"Cancel your standing order {request.order_id} so that it makes no more transfers?"


CREATE_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="create_standing_order",
    purpose="Send the same amount to someone else every week or month.",
    input=StandingOrderRequest,
    output=OrderResult,
    keyed_by="customer_id",
    consent=order_question,
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
    label="cancel the standing order",
)

# Internal tools, with which these services call each other. Agents do not list them.


class Due(ToolInput):
    """The due date of an order's transfer with the number `number`. The first transfer is number 0."""

    order_id: OrderId
    number: int


class Execution(TransferRequest):
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
