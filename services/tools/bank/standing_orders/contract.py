"""What the standing orders promise: a transfer every week or month, each with all the rules of a transfer."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from services.tools.bank.accounts.contract import AccountRef
from services.tools.bank.transfers.contract import Reference, TransferRequest, quoted, terms
from switchboard import Tool, ToolInput
from switchboard.builtin.calendar.contract import When, format_date, format_when
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount

STANDING_ORDERS = "StandingOrders"
STANDING_ORDER_DESK = "StandingOrderDesk"

Interval = Literal["week", "month"]
OrderId = Annotated[
    str, Field(pattern=r"^S[0-9]{1,9}$", examples=["S1"], description="As list_standing_orders gives it.")
]


class StandingOrderRequest(TransferRequest):
    """A transfer that is made again and again."""

    every: Interval = Field(description="How often.")
    starts: When
    ends_on: dt.date | None = Field(None, description="The last possible day; until it is cancelled when left out.")


class StandingOrder(WireModel):
    """A standing order as it goes on."""

    order_id: OrderId
    recipient_name: str
    amount: Money
    currency: Currency
    account: AccountRef
    reference: str
    every: Interval
    next_at: AwareDatetime
    ends_on: dt.date | None
    last: str = Field("", description="What became of the latest transfer of it.")


class OrderKept(WireModel):
    """How the order stands."""

    summary: str
    order: StandingOrder


class OrderList(WireModel):
    """The orders that go on, the next to come first."""

    summary: str
    orders: tuple[StandingOrder, ...]


class OrderChange(PersonalInput):
    """What is to be different from the next transfer on."""

    order_id: OrderId
    amount: Money | None = Field(None, gt=0)
    currency: Currency | None = Field(None, description="Of the new amount.")
    reference: Reference | None = None

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.amount is None and self.reference is None:
            raise ValueError("say what to change: the amount, the reference, or both")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount needs its currency, and a currency its amount")
        return self


class OrderRef(PersonalInput):
    order_id: OrderId


def order_question(request: StandingOrderRequest) -> str:
    until = f", the last on {format_date(request.ends_on)} at most" if request.ends_on else ""
    first = f"every {request.every}, first on {format_when(request.starts)}{until}"
    return f"Send {terms(request)} {first}{quoted(request.reference)}?"


def change_question(request: OrderChange) -> str:
    changes = []
    if request.amount is not None and request.currency is not None:
        changes.append(f"send {format_amount(request.amount, request.currency)} each time")
    if request.reference is not None:
        changes.append(f"with the reference “{request.reference}”")
    return f"Change your standing order {request.order_id}: {' '.join(changes)}?"


def cancel_question(request: OrderRef) -> str:
    return f"Cancel your standing order {request.order_id}, so that nothing more is sent by it?"


CREATE_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="create_standing_order",
    purpose="Send the same amount to somebody every week or month: a standing order.",
    input=StandingOrderRequest,
    output=OrderKept,
    keyed_by="customer_id",
    consent=order_question,
)
LIST_STANDING_ORDERS = Tool(
    service=STANDING_ORDERS,
    handler="list_standing_orders",
    purpose="The customer's standing orders: to whom, how much, how often, and when next.",
    input=PersonalInput,
    output=OrderList,
    keyed_by="customer_id",
)
CHANGE_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="change_standing_order",
    purpose="Change the amount or the reference of a standing order.",
    input=OrderChange,
    output=OrderKept,
    keyed_by="customer_id",
    consent=change_question,
)
CANCEL_STANDING_ORDER = Tool(
    service=STANDING_ORDERS,
    handler="cancel_standing_order",
    purpose="End a standing order.",
    input=OrderRef,
    output=OrderKept,
    keyed_by="customer_id",
    consent=cancel_question,
)

# From here on: what the standing orders ask themselves for. No agent lists these.


class Due(ToolInput):
    """The day of an order's `number`-th transfer; the first is 0."""

    order_id: OrderId
    number: int


class Execution(TransferRequest):
    """One transfer of an order, as the order stood on its day."""

    order_id: OrderId
    number: int


class Executed(ToolInput):
    order_id: OrderId
    told: str


class Noted(WireModel):
    changed: bool


EXECUTE_ORDER = Tool(
    service=STANDING_ORDER_DESK,
    handler="execute",
    purpose="Make one transfer of a standing order.",
    input=Execution,
    output=Noted,
    internal=True,
)
NOTE_EXECUTION = Tool(
    service=STANDING_ORDERS,
    handler="note_execution",
    purpose="Note what became of a standing order's transfer.",
    input=Executed,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
