"""Serves standing orders: one Restate object a customer, and a delayed call to it for the next day of each order.

What is kept in the object decides, and not the timer: a transfer is set going when its call finds the order waiting for
just that number, and the order waits for the next one in the same breath. So each day's transfer is made once, and none
after the order was cancelled. The object only sets it going: the desk, which holds no lock, has it made. Whether a
transfer may be made at all it asks the transfers, a plain service.
"""

from datetime import datetime, timedelta

import restate
from restate.context import SendHandle

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
from services.tools.bank.standing_orders.policy import Kept, Orders
from services.tools.bank.transfers.contract import CARRY_OUT_ORDER, JUDGE_TRANSFER, TransferRequest
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import as_set
from switchboard.toolkit.rpc import allowed, ask, notify, tell

ORDERS = "orders"
AHEAD = "ahead at least"

standing_order_desk = tool_service(STANDING_ORDER_DESK, "Has the transfers of standing orders made.")


@implements(standing_order_desk, EXECUTE_ORDER)
async def execute(ctx: restate.Context, request: Execution) -> Noted:
    """Make one transfer, and tell the customer when it could not be made."""
    transfer = TransferRequest(**request.model_dump(exclude={"order_id", "number"}))
    done = await ask(ctx, CARRY_OUT_ORDER, transfer)
    if not done.made:
        notify(ctx, request.session_id, request.customer_id, policy.failed(request, done.told))
    tell(ctx, NOTE_EXECUTION, Executed(order_id=request.order_id, told=done.told), request.customer_id)
    return Noted(changed=done.made)


def standing_orders_object(ahead_min: timedelta) -> restate.VirtualObject:
    """The object; the first transfer of an order is due at least `ahead_min` from now."""
    standing_orders = tool_object(STANDING_ORDERS, "A customer's standing orders; the key is the customer's id.")

    def start_timer(ctx: restate.ObjectContext, order: Kept, now: datetime) -> SendHandle:
        """Wait for the order's next day; at once where the mesh was down on it."""
        request = Due(order_id=order.order_id, number=order.number)
        return ctx.object_send(due, ctx.key(), request, send_delay=max(order.next_at - now, timedelta(0)))

    @standing_orders.handler()
    async def due(ctx: restate.ObjectContext, request: Due) -> Noted:
        """Not a tool: the day has come. Have the transfer made, unless the order was cancelled; wait for the next."""
        now = await business_now(ctx)
        orders = await read_orders(ctx)
        order = orders.find(request.order_id)
        if order is None or order.number != request.number:
            return Noted(changed=False)
        following = policy.advanced(order)
        # Written, sent and waited for in one breath: whoever cancels this cannot come between them.
        ctx.set(ORDERS, orders.without(order.order_id) if following.over else orders.with_order(following))
        tell(ctx, EXECUTE_ORDER, order.execution())
        if not following.over:
            timer = start_timer(ctx, following, now)
            ctx.set(ORDERS, orders.with_order(policy.with_timer(following, await timer.invocation_id())))
        return Noted(changed=True)

    @implements(standing_orders, CREATE_STANDING_ORDER)
    async def create_standing_order(ctx: restate.ObjectContext, request: StandingOrderRequest) -> OrderKept:
        """Keep an order and start its timer. TerminalError 404 or 409 for one that could never be carried out."""
        now = await business_now(ctx)
        orders = await read_orders(ctx)
        allowed(policy.refuse_too_many(orders))
        ahead = await as_set(ctx, AHEAD, ahead_min)
        order = allowed(policy.judge_order(orders, request, now, ahead))
        await ask(ctx, JUDGE_TRANSFER, order.transfer())
        # Cancelled at the timer's await, this leaves one. Its number is used up by then, so that it finds nothing.
        ctx.set(ORDERS, orders.with_number())
        timer_id = await start_timer(ctx, order, now).invocation_id()
        order = policy.with_timer(order, timer_id)
        ctx.set(ORDERS, orders.with_number().with_order(order))
        return policy.answer("Set up as", order)

    add_upkeep(standing_orders)
    return standing_orders


def add_upkeep(standing_orders: restate.VirtualObject) -> None:
    """What needs no timer."""

    @implements(standing_orders, CHANGE_STANDING_ORDER)
    async def change_standing_order(ctx: restate.ObjectContext, request: OrderChange) -> OrderKept:
        """Change what is sent from the next transfer on. TerminalError 404 and 409."""
        orders = await read_orders(ctx)
        order = allowed(policy.judge_change(orders, request))
        await ask(ctx, JUDGE_TRANSFER, order.transfer())
        ctx.set(ORDERS, orders.with_order(order))
        return policy.answer("Changed:", order)

    @implements(standing_orders, CANCEL_STANDING_ORDER)
    async def cancel_standing_order(ctx: restate.ObjectContext, request: OrderRef) -> OrderKept:
        """End an order. TerminalError 404 for one that is none of the customer's."""
        orders = await read_orders(ctx)
        order = allowed(policy.judge_ref(orders, request.order_id))
        ctx.set(ORDERS, orders.without(order.order_id))
        if order.timer_id:
            # Only to be tidy: the timer would find nothing.
            ctx.cancel_invocation(order.timer_id)
        return policy.answer("Cancelled, nothing more is sent by", order)

    @implements(standing_orders, LIST_STANDING_ORDERS, kind="shared")
    async def list_standing_orders(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> OrderList:
        """The orders that go on."""
        return policy.listed(await read_orders(ctx))

    @implements(standing_orders, NOTE_EXECUTION)
    async def note_execution(ctx: restate.ObjectContext, request: Executed) -> Noted:
        """Not a tool: what became of the latest transfer."""
        ctx.set(ORDERS, policy.noted(await read_orders(ctx), request))
        return Noted(changed=True)


async def read_orders(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Orders:
    return await ctx.get(ORDERS, type_hint=Orders) or Orders()
