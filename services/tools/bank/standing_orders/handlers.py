"""Serves standing orders: one Restate object a customer, and a timer for the next day of each order.

A transfer is started when its timer finds the order waiting for just that number, and the order waits for the next
one in the same breath. So each day's transfer is made once, and none after the order was cancelled. The object only
starts it: the desk, which holds no lock, has it made. Whether a
transfer may be made at all it asks the transfers, a plain service.
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
    STANDING_ORDER_DESK,
    STANDING_ORDERS,
    Due,
    Executed,
    Execution,
    Noted,
    OrderChange,
    OrderKept,
    OrderList,
    OrderRef,
    StandingOrderRequest,
)
from services.tools.bank.standing_orders.policy import Orders, StoredOrder
from services.tools.bank.transfers.contract import CARRY_OUT_ORDER, JUDGE_TRANSFER, TransferRequest
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool
from switchboard.toolkit.timers import Timers, WakeUp

ORDERS = Timers("orders", Orders)
AHEAD = "ahead at least"

standing_order_desk = tool_service(STANDING_ORDER_DESK, "Has the transfers of standing orders made.")


@implements(standing_order_desk, EXECUTE_ORDER)
async def execute(ctx: restate.Context, request: Execution) -> Noted:
    """Make one transfer, and notify the customer when it could not be made."""
    transfer = TransferRequest(**request.model_dump(exclude={"order_id", "number"}))
    done = await call_tool(ctx, CARRY_OUT_ORDER, transfer)
    if not done.made:
        notify_customer(ctx, request.session_id, request.customer_id, policy.failed(request, done.told))
    send_tool(ctx, NOTE_EXECUTION, Executed(order_id=request.order_id, told=done.told), request.customer_id)
    return Noted(changed=done.made)


def standing_orders_object(ahead_min: timedelta) -> restate.VirtualObject:
    """The object; the first transfer of an order is due at least `ahead_min` from now."""
    standing_orders = tool_object(STANDING_ORDERS, "A customer's standing orders; the key is the customer's id.")

    def wake_up(order: StoredOrder, now: datetime) -> WakeUp:
        """On the order's next day; at once where the mesh was down on it."""
        return WakeUp(due, Due(order_id=order.order_id, number=order.number), order.next_at - now)

    @standing_orders.handler()
    async def due(ctx: restate.ObjectContext, request: Due) -> Noted:
        """Not a tool: the day has come. Have the transfer made, unless the order was cancelled; wait for the next."""
        now = await business_now(ctx)
        orders = await ORDERS.read(ctx)
        order = orders.find(request.order_id)
        if order is None or order.number != request.number:
            return Noted(changed=False)
        following = policy.advanced(order)
        # Written, sent and waited for in one breath: whoever cancels this cannot come between them.
        ORDERS.write(ctx, orders.without(order.entry_id) if following.over else orders.with_entry(following))
        send_tool(ctx, EXECUTE_ORDER, order.execution())
        if not following.over:
            timer_id = await ORDERS.start(ctx, wake_up(following, now))
            ORDERS.write(ctx, orders.with_entry(policy.with_timer(following, timer_id)))
        return Noted(changed=True)

    @implements(standing_orders, CREATE_STANDING_ORDER)
    async def create_standing_order(ctx: restate.ObjectContext, request: StandingOrderRequest) -> OrderKept:
        """Keep an order and start its timer. TerminalError 404 or 409 for one that could never be carried out."""
        now = await business_now(ctx)
        orders = await ORDERS.read(ctx)
        allowed(policy.refuse_too_many(orders))
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        order = allowed(policy.judge_order(orders, request, now, ahead))
        await call_tool(ctx, JUDGE_TRANSFER, order.transfer())
        await ORDERS.add(ctx, orders, wake_up(order, now), partial(policy.with_timer, order))
        return policy.answer("Set up as", order)

    add_upkeep(standing_orders)
    return standing_orders


def add_upkeep(standing_orders: restate.VirtualObject) -> None:
    """What needs no timer."""

    @implements(standing_orders, CHANGE_STANDING_ORDER)
    async def change_standing_order(ctx: restate.ObjectContext, request: OrderChange) -> OrderKept:
        """Change what is sent from the next transfer on. TerminalError 404 and 409."""
        orders = await ORDERS.read(ctx)
        order = allowed(policy.judge_change(orders, request))
        await call_tool(ctx, JUDGE_TRANSFER, order.transfer())
        ORDERS.write(ctx, orders.with_entry(order))
        return policy.answer("Changed:", order)

    @implements(standing_orders, CANCEL_STANDING_ORDER)
    async def cancel_standing_order(ctx: restate.ObjectContext, request: OrderRef) -> OrderKept:
        """End an order. TerminalError 404 for one that is none of the customer's."""
        orders = await ORDERS.read(ctx)
        order = allowed(policy.judge_ref(orders, request.order_id))
        ORDERS.cancel(ctx, orders, order.entry_id, order.timer_id)
        return policy.answer("Cancelled, nothing more is sent by", order)

    @implements(standing_orders, LIST_STANDING_ORDERS, kind="shared")
    async def list_standing_orders(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> OrderList:
        """The orders that go on."""
        return policy.listed(await ORDERS.read(ctx))

    @implements(standing_orders, NOTE_EXECUTION)
    async def note_execution(ctx: restate.ObjectContext, request: Executed) -> Noted:
        """Not a tool: what became of the latest transfer."""
        ORDERS.write(ctx, policy.noted(await ORDERS.read(ctx), request))
        return Noted(changed=True)
