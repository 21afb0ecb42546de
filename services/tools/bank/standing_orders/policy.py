"""Standing orders: validation, due dates, stored state, and the texts about them. Pure."""

import calendar
import datetime as dt

from pydantic import ConfigDict, Field

from services.tools.bank.months import MONTHS_A_YEAR
from services.tools.bank.standing_orders.contract import (
    Executed,
    Execution,
    Interval,
    OrderChange,
    OrderFacts,
    OrderList,
    OrderResult,
    StandingOrder,
    StandingOrderRequest,
    StandingOrderTerms,
)
from services.tools.bank.transfers.contract import TransferOrder, reference_phrase
from switchboard.builtin.calendar.contract import format_date
from switchboard.builtin.calendar.dates import due_on
from switchboard.money import format_amount
from switchboard.rule_numbers import without_rule
from switchboard.toolkit.refusal import NOT_FOUND, Refusal
from switchboard.toolkit.timers import TimerBook, TimerEntry

ORDERS_MAX = 50
"""Maximum active standing orders of a customer."""

WEEK = dt.timedelta(days=7)


class StoredOrder(TimerEntry):
    """An order as it is stored: the confirmed request, the first date, and the number of the next transfer."""

    order_id: str
    request: StandingOrderTerms
    first_at: dt.datetime
    number: int = 0
    timer_id: str = ""
    last: str = ""

    @property
    def entry_id(self) -> str:
        return self.order_id

    @property
    def next_at(self) -> dt.datetime:
        return due_at(self.first_at, self.request.every, self.number)

    @property
    def over(self) -> bool:
        return self.request.ends_on is not None and self.next_at.date() > self.request.ends_on

    def transfer(self) -> TransferOrder:
        return TransferOrder(**self.request.model_dump(include=set(TransferOrder.model_fields)))

    def execution(self) -> Execution:
        return Execution(order_id=self.order_id, number=self.number, **self.transfer().model_dump())


class Orders(TimerBook[StoredOrder]):
    """A customer's orders, oldest first."""

    # The stored state has the entries under the name `kept`.
    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True, validate_by_name=True)

    pending: tuple[StoredOrder, ...] = Field((), alias="kept")


def due_at(first_at: dt.datetime, every: Interval, number: int) -> dt.datetime:
    """Return the due date of a transfer.

    It is counted from the first date, so an order of the 31st is due on February 28 and again on March 31.
    """
    if every == "week":
        return first_at + number * WEEK
    year, month_index = divmod(first_at.year * MONTHS_A_YEAR + first_at.month - 1 + number, MONTHS_A_YEAR)
    last_day = calendar.monthrange(year, month_index + 1)[1]
    return first_at.replace(year=year, month=month_index + 1, day=min(first_at.day, last_day))


def refuse_too_many(orders: Orders) -> Refusal | None:
    if len(orders.pending) >= ORDERS_MAX:
        return Refusal(f"You already have {ORDERS_MAX} standing orders. Please cancel one first.")
    return None


def create_order(
    orders: Orders, request: StandingOrderRequest, now: dt.datetime, ahead_min: dt.timedelta
) -> StoredOrder | Refusal:
    """Return the order to store."""
    first_at = due_on(request.starts, now, ahead_min)
    if isinstance(first_at, Refusal):
        return first_at
    order = StoredOrder(order_id=f"S{orders.next_number}", request=request, first_at=first_at)
    if order.over:
        first = format_date(first_at.date())
        return Refusal(
            f"The standing order would end before its first transfer on {first}. Please choose a later end date."
        )
    return order


def find_order(orders: Orders, order_id: str) -> StoredOrder | Refusal:
    """Return the customer's order with that id."""
    found = orders.find(order_id)
    if found is None:
        return Refusal(f"You have no standing order {order_id}. Your standing orders: {orders.ids}.", NOT_FOUND)
    return found


def change_order(orders: Orders, change: OrderChange) -> StoredOrder | Refusal:
    """Return the order with the changes."""
    found = find_order(orders, change.order_id)
    if isinstance(found, Refusal):
        return found
    if change.currency not in (None, found.request.currency):
        why = f"This standing order is in {found.request.currency}. For another currency, please set up a new one."
        return Refusal(why, rule="T5")
    fields = change.model_dump(include={"amount", "reference"}, exclude_none=True)
    return found.model_copy(update={"request": found.request.model_copy(update=fields)})


def facts(order: StoredOrder) -> OrderFacts:
    """Return the order as the question of consent shows it."""
    shown = set(OrderFacts.model_fields) - {"next_at"}
    return OrderFacts(next_at=order.next_at, **order.request.model_dump(include=shown))


def advanced(order: StoredOrder) -> StoredOrder:
    return order.model_copy(update={"number": order.number + 1})


def with_timer(order: StoredOrder, timer_id: str) -> StoredOrder:
    return order.model_copy(update={"timer_id": timer_id})


def with_outcome(orders: Orders, executed: Executed) -> Orders:
    """Store the outcome of an order's latest transfer. Do nothing if the order was cancelled in the meantime."""
    found = orders.find(executed.order_id)
    return orders.with_entry(found.model_copy(update={"last": executed.told})) if found else orders


def view(order: StoredOrder) -> StandingOrder:
    fields = {"recipient_name", "amount", "currency", "account", "reference", "every", "ends_on"}
    return StandingOrder(
        order_id=order.order_id, next_at=order.next_at, last=order.last, **order.request.model_dump(include=fields)
    )


def answer(change: str, order: StoredOrder, next_date: bool = True) -> OrderResult:
    summary = f"Your standing order {order.order_id} {change}: {describe_order(order, next_date)}."
    return OrderResult(summary=summary, order=view(order))


def order_list(orders: Orders) -> OrderList:
    kept = sorted(orders.pending, key=lambda order: order.next_at)
    each = "; ".join(f"{order.order_id}: {describe_order(order)}" for order in kept)
    summary = f"Your standing orders: {each}." if kept else "You have no standing orders."
    return OrderList(summary=summary, orders=tuple(view(order) for order in kept))


def describe_order(order: StoredOrder, next_date: bool = True) -> str:
    request = order.request
    amount = format_amount(request.amount, request.currency)
    times = f"every {request.every}" + (f", next on {format_date(order.next_at.date())}" if next_date else "")
    return f"{amount} to {request.recipient_name} {times}{reference_phrase(request.reference)}"


def failed(execution: Execution, why: str) -> str:
    """Return the notification that one transfer failed."""
    what = f"{format_amount(execution.amount, execution.currency)} to {execution.recipient_name}"
    reason = without_rule(why)
    return f"A transfer of your standing order {execution.order_id}, {what}, failed: {reason} The order continues."
