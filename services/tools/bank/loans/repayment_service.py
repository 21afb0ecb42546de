"""Serves early repayments: the account is debited and the loan reduced, or neither.

The saga holds no lock. Each side is done once by an id of its own, and each can always be undone. Its undoings are sent
and not called: cancelling the repayment does not reach them, and they do nothing where nothing was done.
"""

import restate

from services.tools.bank.accounts.contract import UNDO_MOVE, WITHDRAW, MoveRef
from services.tools.bank.loans import repayment_terms
from services.tools.bank.loans.contract import (
    JUDGE_EARLY_REPAYMENT,
    LOAN_REPAYMENTS,
    REDUCE_LOAN,
    REPAY_LOAN_EARLY,
    UNDO_REDUCTION,
    RepaidEarly,
    RepayEarly,
    RepaymentRef,
)
from switchboard import implements
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.rpc import ask
from switchboard.toolkit.saga import Saga

loan_repayments = tool_service(LOAN_REPAYMENTS, "Early repayments of loans.")


@implements(loan_repayments, REPAY_LOAN_EARLY)
async def repay_loan_early(ctx: restate.Context, request: RepayEarly) -> RepaidEarly:
    """Repay, for the fee that was confirmed. TerminalError 404 and 409, with the reason, when nothing was repaid."""
    customer = request.customer_id
    judged = await ask(ctx, JUDGE_EARLY_REPAYMENT, request, customer)
    repayment_id = str(ctx.uuid())
    move_id = f"{repayment_id}.out"
    with Saga(ctx, f"early repayment {repayment_id}") as saga:
        saga.undo_by(UNDO_MOVE, MoveRef(move_id=move_id), customer)
        saga.undo_by(UNDO_REDUCTION, RepaymentRef(repayment_id=repayment_id), customer)
        moved = await saga.step(WITHDRAW, repayment_terms.withdrawal(request, move_id), customer)
        reduction = repayment_terms.reduction(request, judged, repayment_id)
        now = await saga.step(REDUCE_LOAN, reduction, customer)
    # It is repaid, and nothing is awaited from here to the answer: a cancellation now comes too late.
    return repayment_terms.repaid(request, now, moved.balance)
