"""The workflow of one dispute, from its opening to its outcome. It can wait for staff for days and holds no lock."""

from datetime import timedelta

import restate

from services.tools.bank.accounts.contract import DEPOSIT
from services.tools.bank.disputes import policy
from services.tools.bank.disputes.contract import (
    CLOSE_DISPUTE,
    DISPUTE_CASE,
    DISPUTE_DECIDED,
    REQUEST_CREDIT_PERMISSION,
    RUN_DISPUTE,
    TAKE_BACK_CREDIT,
    Acknowledgement,
    DisputeCase,
    DisputeClosing,
    DisputeRef,
)
from switchboard import implements
from switchboard.builtin.approvals.contract import (
    DECIDED_BY_DEADLINE,
    INBOX_KEY,
    WITHDRAW,
    ApprovalRef,
    ApprovalRequest,
    Callback,
    Decision,
    PendingApproval,
)
from switchboard.builtin.approvals.staff_decision import DECISION, await_staff_decision
from switchboard.money import format_amount
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_workflow
from switchboard.toolkit.rpc import send_tool
from switchboard.toolkit.saga import Saga

dispute_case = tool_workflow(DISPUTE_CASE, "One dispute of a card payment; the key is the dispute's id.")


@implements(dispute_case, RUN_DISPUTE, kind="workflow")
async def run(ctx: restate.WorkflowContext, case: DisputeCase) -> Acknowledgement:
    """Decide, credit and close a dispute. `Disputes` receives the outcome and notifies the customer."""
    with Saga(ctx, f"dispute {case.dispute_id}") as saga:
        # If a step fails permanently or an operator cancels this workflow, the customer has to be notified.
        saga.undo_by(TAKE_BACK_CREDIT, case)
        saga.undo_by(WITHDRAW, ApprovalRef(approval_id=case.dispute_id), INBOX_KEY)
        closing = await decide(ctx, saga, case)
        if closing.status == "accepted":
            await saga.step(DEPOSIT, policy.credit(case), case.customer_id)
    # A one-way send: from here on nothing can fail or be cancelled.
    send_tool(ctx, CLOSE_DISPUTE, closing, case.customer_id)
    return Acknowledgement(changed=True)


@implements(dispute_case, DISPUTE_DECIDED)
async def decided(ctx: restate.WorkflowSharedContext, decision: Decision) -> Acknowledgement:
    """Receive the decision of staff. The inbox sends it once."""
    await ctx.promise(DECISION, type_hint=Decision).resolve(decision)
    return Acknowledgement(changed=True)


async def decide(ctx: restate.WorkflowContext, saga: Saga, case: DisputeCase) -> DisputeClosing:
    """Accept a small dispute instantly, or have staff decide."""
    ref = DisputeRef(dispute_id=case.dispute_id)
    permission = await saga.step(REQUEST_CREDIT_PERMISSION, ref, case.customer_id)
    if permission.at_once:
        return DisputeClosing(dispute_id=case.dispute_id, status="accepted", why=policy.CREDITED_INSTANTLY)
    now = await business_now(ctx)
    within = timedelta(seconds=case.decide_within_seconds)
    question = ApprovalRequest(
        waiting=PendingApproval(
            approval_id=case.dispute_id,
            title=f"Dispute of {format_amount(case.amount, case.currency)} at {case.merchant}",
            customer_id=case.customer_id,
            since=now,
            until=now + within,
            facts=policy.facts(case),
        ),
        tell=Callback(service=DISPUTE_DECIDED.service, handler=DISPUTE_DECIDED.handler, key=case.dispute_id),
    )
    decision = await await_staff_decision(ctx, question, within, policy.undecided(within))
    return policy.closing(case, decision, staff=decision.by != DECIDED_BY_DEADLINE)
