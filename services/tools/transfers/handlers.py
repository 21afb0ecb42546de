"""Serves transfers: money leaves one account and arrives on another, all of it or nothing.

A transfer holds no lock. It withdraws, then deposits; each side is booked once by an id of its own, so a crash anywhere
only makes it go on from there. Stopped between the two, it is brought to one of its two ends by a handler that nobody
waits for and that cancelling the transfer does not reach: undone, or whole when the money had arrived and was spent.
"""

import logging

import restate

from services.tools.accounts.contract import DEPOSIT, UNDO_MOVE, WITHDRAW, MoveRef
from services.tools.call import allowed, ask, notify, tell
from services.tools.demo_data.bank import customers
from services.tools.transfers import policy, schedule
from services.tools.transfers.contract import (
    END_TRANSFER,
    TRANSFERS,
    Ended,
    Nothing,
    OwnTransferRequest,
    Recipient,
    RecipientQuery,
    ScheduleRequest,
    Transferred,
    TransferRequest,
    Unfinished,
)
from services.tools.transfers.policy import Order
from switchboard.declare import tool_service

CANCELLED = 409

logger = logging.getLogger(__name__)

transfers = tool_service(TRANSFERS, "Transfers of money between accounts of this bank.")


@transfers.handler()
async def find_recipient(ctx: restate.Context, query: RecipientQuery) -> Recipient:
    """The customer who is meant. TerminalError 404 when that is nobody, or not sure."""
    return allowed(policy.find_recipient(customers(), query))


@transfers.handler()
async def transfer_money(ctx: restate.Context, request: TransferRequest) -> Transferred:
    """Send money to a customer. TerminalError 404 and 409, with the reason, when it was not sent."""
    return await transfer(ctx, allowed(policy.judge_transfer(customers(), request)))


@transfers.handler()
async def move_between_own_accounts(ctx: restate.Context, request: OwnTransferRequest) -> Transferred:
    """Move money between a customer's own accounts. TerminalError as for `transfer_money`."""
    return await transfer(ctx, allowed(policy.judge_own_transfer(customers(), request)))


@transfers.handler()
async def carry_out(ctx: restate.Context, request: ScheduleRequest) -> Nothing:
    """Not a tool: make a scheduled transfer, and tell the customer how that went."""
    try:
        done = await transfer(ctx, allowed(policy.judge_transfer(customers(), request)))
        told = schedule.made(done.summary)
    except restate.TerminalError as error:
        told = schedule.failed(request, error.message)
    notify(ctx, request.session_id, request.customer_id, told)
    return Nothing()


@transfers.handler()
async def end_transfer(ctx: restate.Context, request: Unfinished) -> Nothing:
    """Not a tool: whether the deposit was made or not, it now stands or never will; the withdrawal goes with it."""
    deposit = await ask(ctx, UNDO_MOVE, MoveRef(move_id=request.deposit_id), request.recipient_id)
    if not deposit.stands:
        await ask(ctx, UNDO_MOVE, MoveRef(move_id=request.withdrawal_id), request.payer_id)
    ctx.resolve_awakeable(request.tell, Ended(whole=deposit.stands))
    return Nothing()


async def transfer(ctx: restate.Context, order: Order) -> Transferred:
    """The saga. Raises TerminalError when nothing was moved."""
    transfer_id = ctx.uuid()
    out, into = f"{transfer_id}.out", f"{transfer_id}.in"
    try:
        moved = await ask(ctx, WITHDRAW, order.withdrawal(out), order.payer.customer_id)
    except restate.TerminalError:
        # Refused, or cancelled while it was on its way, done or not. The account takes its messages in the order in
        # which they were sent, so the undoing comes after the withdrawal; it is sent, so cancelling does not reach it.
        tell(ctx, UNDO_MOVE, MoveRef(move_id=out), order.payer.customer_id)
        raise
    try:
        await ask(ctx, DEPOSIT, order.deposit(into), order.recipient.customer_id)
    except restate.TerminalError as error:
        await end(ctx, order, out, into, error)
    return policy.transferred(order, moved)


async def end(ctx: restate.Context, order: Order, out: str, into: str, why: restate.TerminalError) -> None:
    """Between the two sides: have the transfer ended, either way. Raises TerminalError when it was undone."""
    told_id, told = ctx.awakeable(type_hint=Ended)
    unfinished = Unfinished(
        payer_id=order.payer.customer_id,
        withdrawal_id=out,
        recipient_id=order.recipient.customer_id,
        deposit_id=into,
        tell=told_id,
    )
    tell(ctx, END_TRANSFER, unfinished)
    ended = await told  # A second cancellation surfaces here; the ending goes on without us.
    if not ended.whole:
        logger.info("transfer %s was undone: %s", out.removesuffix(".out"), why.message)
        raise restate.TerminalError(f"Nothing was transferred: {why.message}", status_code=why.status_code)
