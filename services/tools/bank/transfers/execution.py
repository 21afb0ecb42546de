"""Transfers money completely or not at all: between two accounts at this bank, or to another bank.

A transfer holds no lock. It withdraws the money, then deposits it or sends it to the other bank. Each step has its own
idempotency key, so a transfer resumes after a crash. If it stops between the two steps, a separate handler settles it,
which cancelling the transfer does not cancel. That handler undoes the transfer. If the money has already arrived and
been spent, or has left the bank, the transfer counts as completed instead.
"""

import logging

import restate

from services.tools.bank.accounts.contract import DEPOSIT, UNDO_MOVE, WITHDRAW, MoveRef
from services.tools.bank.payment_network.contract import CALL_OFF_PAYMENT, SUBMIT_PAYMENT, CallOff
from services.tools.bank.transfers import policy
from services.tools.bank.transfers.contract import END_TRANSFER, TransferOutcome, Transferred, UnfinishedTransfer
from services.tools.bank.transfers.policy import Order
from switchboard.telemetry.logs import private
from switchboard.toolkit.rpc import call_tool, known_error, last_word, send_tool
from switchboard.toolkit.saga import Saga

logger = logging.getLogger(__name__)


async def transfer(ctx: restate.Context, order: Order) -> Transferred:
    """Make a transfer. Raises TerminalError if no money was transferred."""
    transfer_id = ctx.uuid()
    out, into = f"{transfer_id}.out", f"{transfer_id}.in"
    with Saga(ctx, f"transfer {transfer_id}") as saga:
        saga.undo_by(UNDO_MOVE, MoveRef(move_id=out), order.payer.customer_id)
        moved = await saga.step(WITHDRAW, order.withdrawal(out), order.payer.customer_id)
    try:
        await pay_recipient(ctx, order, into)
    except restate.TerminalError as error:
        await finish_interrupted(ctx, order, out, into, error)
    return policy.transferred(order, moved)


async def pay_recipient(ctx: restate.Context, order: Order, into: str) -> None:
    """Do the second step: deposit the money at this bank, or send it to the other bank."""
    if order.payee.customer is None:
        await call_tool(ctx, SUBMIT_PAYMENT, order.payment(), into)
    else:
        await call_tool(ctx, DEPOSIT, order.deposit(into), order.payee.customer.customer_id)


async def finish_interrupted(
    ctx: restate.Context, order: Order, out: str, into: str, why: restate.TerminalError
) -> None:
    """Have an interrupted transfer settled, and wait for the outcome. Raises TerminalError if it was undone."""
    awakeable_id, settled = ctx.awakeable(type_hint=TransferOutcome)
    unfinished = UnfinishedTransfer(
        payer_id=order.payer.customer_id,
        withdrawal_id=out,
        recipient_id=order.payee.customer.customer_id if order.payee.customer else "",
        deposit_id=into,
        tell=awakeable_id,
    )
    send_tool(ctx, END_TRANSFER, unfinished)
    # The other handler settles the transfer also if this one is cancelled.
    await last_word(settled)
    outcome = await settled
    if not outcome.whole:
        logger.info("transfer %s was undone: %s", out.removesuffix(".out"), private(why.message))
        known = known_error(why)
        raise restate.TerminalError(f"No money was transferred. {known.message}", status_code=known.status_code)


async def settle(ctx: restate.Context, request: UnfinishedTransfer) -> TransferOutcome:
    """Undo the second step if possible, and the withdrawal with it. Return whether the transfer stays completed."""
    if request.recipient_id:
        whole = (await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=request.deposit_id), request.recipient_id)).stands
    else:
        whole = (await call_tool(ctx, CALL_OFF_PAYMENT, CallOff(), request.deposit_id)).sent
    if not whole:
        await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=request.withdrawal_id), request.payer_id)
    return TransferOutcome(whole=whole)
