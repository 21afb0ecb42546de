"""The early repayment service: it debits the account and reduces the loan, or does neither.

The saga holds no lock. Each step has its own idempotency key and can be undone. The undo requests are one-way sends, so
cancelling the repayment does not cancel them. Undoing a step that was not done has no effect.
"""

import restate

from services.tools.bank.accounts.contract import CHECK_WITHDRAWAL, CHECKED_MOVE, UNDO_MOVE, WITHDRAW, MoveRef
from services.tools.bank.loans import repayment_terms
from services.tools.bank.loans.contract import (
    CHECK_EARLY_REPAYMENT,
    LOAN_REPAYMENTS,
    REDUCE_LOAN,
    REPAY_LOAN_EARLY,
    UNDO_REDUCTION,
    RepaidEarly,
    RepayEarly,
    RepayEarlyFacts,
    RepaymentRef,
)
from switchboard import checks, implements
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.rpc import call_tool
from switchboard.toolkit.saga import Saga

loan_repayments = tool_service(LOAN_REPAYMENTS, "Early repayments of loans.")


@checks(loan_repayments, REPAY_LOAN_EARLY)
async def check_repay_loan_early(ctx: restate.Context, request: RepayEarly) -> RepayEarlyFacts:
    """Return the loan's product and the paying account. Raises the errors of `repay_loan_early`."""
    customer = request.customer_id
    agreed = await call_tool(ctx, CHECK_EARLY_REPAYMENT, request, customer)
    withdrawal = repayment_terms.withdrawal(request, agreed, CHECKED_MOVE)
    await call_tool(ctx, CHECK_WITHDRAWAL, withdrawal, customer)
    call = request.model_copy(update={"account": withdrawal.account})
    return RepayEarlyFacts(call=call, product=agreed.product or "loan")


@implements(loan_repayments, REPAY_LOAN_EARLY)
async def repay_loan_early(ctx: restate.Context, request: RepayEarly) -> RepaidEarly:
    """Repay a loan for the confirmed fee. Raises TerminalError 404 or 409, with the reason, if nothing was repaid."""
    customer = request.customer_id
    agreed = await call_tool(ctx, CHECK_EARLY_REPAYMENT, request, customer)
    repayment_id = str(ctx.uuid())
    move_id = f"{repayment_id}.out"
    with Saga(ctx, f"early repayment {repayment_id}") as saga:
        saga.undo_by(UNDO_MOVE, MoveRef(move_id=move_id), customer)
        saga.undo_by(UNDO_REDUCTION, RepaymentRef(repayment_id=repayment_id), customer)
        moved = await saga.step(WITHDRAW, repayment_terms.withdrawal(request, agreed, move_id), customer)
        reduction = repayment_terms.reduction(request, agreed, repayment_id)
        after = await saga.step(REDUCE_LOAN, reduction, customer)
    # Nothing is awaited from here on, so a cancellation can no longer undo the repayment.
    return repayment_terms.repaid(request, after, moved.balance)
