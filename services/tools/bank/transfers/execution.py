"""Moves money, all of it or nothing: from one account to another at this bank, or out to another bank.

A transfer holds no lock. It withdraws, then deposits or sends the money out; each side is done once by an id of its
own, so a crash anywhere only makes it go on from there. Stopped between the two, it is brought to one of its two ends
by a handler that nobody waits for and that cancelling the transfer does not reach: undone, or whole when the money had
arrived and was spent, or had left the bank.
"""

import logging

import restate

from services.tools.bank.accounts.contract import DEPOSIT, UNDO_MOVE, WITHDRAW, MoveRef
from services.tools.bank.payment_network.contract import CALL_OFF_PAYMENT, SUBMIT_PAYMENT, CallOff
from services.tools.bank.transfers import policy
from services.tools.bank.transfers.contract import END_TRANSFER, Ended, Transferred, Unfinished
from services.tools.bank.transfers.policy import Order
from switchboard.telemetry.logs import private
from switchboard.toolkit.rpc import ask, tell
from switchboard.toolkit.saga import Saga

logger = logging.getLogger(__name__)


async def transfer(ctx: restate.Context, order: Order) -> Transferred:
    """Make a transfer. Raises TerminalError when nothing was moved."""
    transfer_id = ctx.uuid()
    out, into = f"{transfer_id}.out", f"{transfer_id}.in"
    with Saga(ctx, f"transfer {transfer_id}") as saga:
        saga.undo_by(UNDO_MOVE, MoveRef(move_id=out), order.payer.customer_id)
        moved = await saga.step(WITHDRAW, order.withdrawal(out), order.payer.customer_id)
    try:
        await hand_over(ctx, order, into)
    except restate.TerminalError as error:
        await end(ctx, order, out, into, error)
    return policy.transferred(order, moved)


async def hand_over(ctx: restate.Context, order: Order, into: str) -> None:
    """The second side: on the recipient's account, or out of the bank."""
    if order.payee.customer is None:
        await ask(ctx, SUBMIT_PAYMENT, order.payment(), into)
    else:
        await ask(ctx, DEPOSIT, order.deposit(into), order.payee.customer.customer_id)


async def end(ctx: restate.Context, order: Order, out: str, into: str, why: restate.TerminalError) -> None:
    """Between the two sides: have the transfer ended, either way. Raises TerminalError when it was undone."""
    told_id, told = ctx.awakeable(type_hint=Ended)
    unfinished = Unfinished(
        payer_id=order.payer.customer_id,
        withdrawal_id=out,
        recipient_id=order.payee.customer.customer_id if order.payee.customer else "",
        deposit_id=into,
        tell=told_id,
    )
    tell(ctx, END_TRANSFER, unfinished)
    ended = await told  # A second cancellation surfaces here; the ending goes on without us.
    if not ended.whole:
        logger.info("transfer %s was undone: %s", out.removesuffix(".out"), private(why.message))
        raise restate.TerminalError(f"Nothing was transferred: {why.message}", status_code=why.status_code)


async def bring_to_an_end(ctx: restate.Context, request: Unfinished) -> Ended:
    """Whether the second side was done or not, it now stands or never will; the withdrawal goes with it."""
    if request.recipient_id:
        whole = (await ask(ctx, UNDO_MOVE, MoveRef(move_id=request.deposit_id), request.recipient_id)).stands
    else:
        whole = (await ask(ctx, CALL_OFF_PAYMENT, CallOff(), request.deposit_id)).sent
    if not whole:
        await ask(ctx, UNDO_MOVE, MoveRef(move_id=request.withdrawal_id), request.payer_id)
    return Ended(whole=whole)
