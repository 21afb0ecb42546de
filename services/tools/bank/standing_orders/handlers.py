"""Handlers of standing orders: one Restate object per customer, and a timer for the next date of each order.

A timer starts a transfer only if the order is waiting for the timer's number, and the same step advances the order to
the next number. So each transfer is made once, and none is made after the order was cancelled. The object only starts
the transfer. A service that holds no lock executes it. The transfers service checks whether a transfer is allowed.
"""

from datetime import datetime, timedelta
from functools import partial

import restate

from services.tools.bank.standing_orders import policy
from services.tools.bank.standing_orders.contract import (
    CANCEL_STANDING_ORDER,
    CHANGE_STANDING_ORDER,
    CREATE_STANDING_ORDER,
    EXECUTE_ORDER,
    LIST_STANDING_ORDERS,
    NOTE_EXECUTION,
    STANDING_ORDER_SERVICE,
    STANDING_ORDERS,
    Acknowledgement,
    Due,
    Executed,
    Execution,
    OrderChange,
    OrderFacts,
    OrderList,
    OrderRef,
    OrderResult,
    StandingOrderFacts,
    StandingOrderRequest,
)
from services.tools.bank.standing_orders.policy import Orders, StoredOrder
from services.tools.bank.transfers.contract import CARRY_OUT_ORDER, CHECK_TRANSFER, RESOLVE_TRANSFER, TransferOrder
from switchboard import checks, implements
from switchboard.builtin.calendar.contract import exact_when
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool
from switchboard.toolkit.timers import Timers, WakeUp

ORDERS = Timers("orders", Orders)
AHEAD = "ahead at least"

standing_order_service = tool_service(STANDING_ORDER_SERVICE, "Executes the transfers of standing orders.")


@implements(standing_order_service, EXECUTE_ORDER)
async def execute(ctx: restate.Context, request: Execution) -> Acknowledgement:
    """Make one transfer, and notify the customer if it fails."""
    transfer = TransferOrder(**request.model_dump(exclude={"order_id", "number"}))
    result = await call_tool(ctx, CARRY_OUT_ORDER, transfer)
    if not result.made:
        notify_customer(ctx, request.session_id, request.customer_id, policy.failed(request, result.told))
    send_tool(ctx, NOTE_EXECUTION, Executed(order_id=request.order_id, told=result.told), request.customer_id)
    return Acknowledgement(changed=result.made)


def standing_orders_object(ahead_min: timedelta) -> restate.VirtualObject:
    """Build the object. The first transfer of an order must be due at least `ahead_min` from now."""
    standing_orders = tool_object(STANDING_ORDERS, "A customer's standing orders; the key is the customer's id.")

    def wake_up(order: StoredOrder, now: datetime) -> WakeUp:
        """Return the timer for the order's next date. It fires immediately if the date passed during a downtime."""
        return WakeUp(due, Due(order_id=order.order_id, number=order.number), order.next_at - now)

    @standing_orders.handler()
    async def due(ctx: restate.ObjectContext, request: Due) -> Acknowledgement:
        """Start this date's transfer unless the order was cancelled, and set the timer for the next. Not a tool."""
        now = await business_now(ctx)
        orders = await ORDERS.read(ctx)
        order = orders.find(request.order_id)
        if order is None or order.number != request.number:
            return Acknowledgement(changed=False)
        following = policy.advanced(order)
        # Nothing is awaited between the write and the send, so a cancellation cannot separate them.
        ORDERS.write(ctx, orders.without(order.entry_id) if following.over else orders.with_entry(following))
        send_tool(ctx, EXECUTE_ORDER, order.execution())
        if not following.over:
            timer_id = await ORDERS.start(ctx, wake_up(following, now))
            ORDERS.write(ctx, orders.with_entry(policy.with_timer(following, timer_id)))
        return Acknowledgement(changed=True)

    @checks(standing_orders, CREATE_STANDING_ORDER)
    async def check_create(ctx: restate.ObjectSharedContext, request: StandingOrderRequest) -> StandingOrderFacts:
        """Return what the order would do, and when first. Raises the errors of `create_standing_order`."""
        now = await business_now(ctx)
        orders = await ORDERS.read(ctx)
        allowed(policy.refuse_too_many(orders))
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        order = allowed(policy.create_order(orders, request, now, ahead))
        found = await call_tool(ctx, RESOLVE_TRANSFER, order.transfer())
        call = request.model_copy(update={**found.fields, "starts": exact_when(order.first_at)})
        return StandingOrderFacts(call=call, payee_bank=found.payee_bank)

    @implements(standing_orders, CREATE_STANDING_ORDER)
    async def create_standing_order(ctx: restate.ObjectContext, request: StandingOrderRequest) -> OrderResult:
        """Store an order and start its timer. Raises TerminalError 404 or 409 if the order could never be executed."""
        now = await business_now(ctx)
        orders = await ORDERS.read(ctx)
        allowed(policy.refuse_too_many(orders))
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        order = allowed(policy.create_order(orders, request, now, ahead))
        await call_tool(ctx, CHECK_TRANSFER, order.transfer())
        await ORDERS.add(ctx, orders, wake_up(order, now), partial(policy.with_timer, order))
        return policy.answer("is set up", order)

    add_upkeep(standing_orders)
    return standing_orders


def add_upkeep(standing_orders: restate.VirtualObject) -> None:
    """Add the handlers that do not start a timer."""

    @checks(standing_orders, CHANGE_STANDING_ORDER)
    async def check_change(ctx: restate.ObjectSharedContext, request: OrderChange) -> OrderFacts:
        """Return the order as it is now. Raises the errors of `change_standing_order`."""
        orders = await ORDERS.read(ctx)
        changed = allowed(policy.change_order(orders, request))
        await call_tool(ctx, RESOLVE_TRANSFER, changed.transfer())
        return policy.facts(allowed(policy.find_order(orders, request.order_id)))

    @implements(standing_orders, CHANGE_STANDING_ORDER)
    async def change_standing_order(ctx: restate.ObjectContext, request: OrderChange) -> OrderResult:
        """Change an order, starting with its next transfer. Raises TerminalError 404 or 409."""
        orders = await ORDERS.read(ctx)
        order = allowed(policy.change_order(orders, request))
        await call_tool(ctx, CHECK_TRANSFER, order.transfer())
        ORDERS.write(ctx, orders.with_entry(order))
        return policy.answer("was changed", order)

    @checks(standing_orders, CANCEL_STANDING_ORDER)
    async def check_cancel(ctx: restate.ObjectSharedContext, request: OrderRef) -> OrderFacts:
        """Return the order as it is now. Raises TerminalError 404 if the customer has no such order."""
        return policy.facts(allowed(policy.find_order(await ORDERS.read(ctx), request.order_id)))

    @implements(standing_orders, CANCEL_STANDING_ORDER)
    async def cancel_standing_order(ctx: restate.ObjectContext, request: OrderRef) -> OrderResult:
        """Cancel an order. Raises TerminalError 404 if the customer has no such order."""
        orders = await ORDERS.read(ctx)
        order = allowed(policy.find_order(orders, request.order_id))
        ORDERS.cancel(ctx, orders, order.entry_id, order.timer_id)
        return policy.answer("was cancelled and makes no more transfers", order, next_date=False)

    @implements(standing_orders, LIST_STANDING_ORDERS, kind="shared")
    async def list_standing_orders(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> OrderList:
        """Return the active orders."""
        return policy.order_list(await ORDERS.read(ctx))

    @implements(standing_orders, NOTE_EXECUTION)
    async def note_execution(ctx: restate.ObjectContext, request: Executed) -> Acknowledgement:
        """Store the outcome of the latest transfer."""
        ORDERS.write(ctx, policy.with_outcome(await ORDERS.read(ctx), request))
        return Acknowledgement(changed=True)
