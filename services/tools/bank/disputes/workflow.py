"""A dispute from the desk to its end: one workflow, which waits for staff for days where it has to, without a lock."""

import logging
from datetime import timedelta

import restate

from services.tools.bank.accounts.contract import DEPOSIT
from services.tools.bank.disputes import policy
from services.tools.bank.disputes.contract import (
    ASK_LEAVE,
    CLOSE_DISPUTE,
    DISPUTE_CASE,
    DISPUTE_DECIDED,
    RUN_DISPUTE,
    TAKE_BACK_CREDIT,
    DisputeCase,
    DisputeClosing,
    DisputeRef,
    Noted,
)
from switchboard import implements
from switchboard.builtin.approvals.contract import (
    INBOX_KEY,
    NO_STAFF,
    WITHDRAW,
    ApprovalRef,
    AskForApproval,
    Decision,
    Door,
    Waiting,
)
from switchboard.builtin.approvals.staff_decision import DECISION, decision_of_staff
from switchboard.money import format_amount
from switchboard.telemetry.logs import private
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_workflow
from switchboard.toolkit.rpc import call_tool, send_tool

logger = logging.getLogger(__name__)

dispute_case = tool_workflow(DISPUTE_CASE, "One dispute of a card payment; the key is the dispute's id.")


@implements(dispute_case, RUN_DISPUTE, kind="workflow")
async def run(ctx: restate.WorkflowContext, case: DisputeCase) -> Noted:
    """Decide, credit, close. The end is sent to the customer's record, which tells the customer."""
    try:
        closing = await decide(ctx, case)
        if closing.status == "accepted":
            await call_tool(ctx, DEPOSIT, policy.credit(case), case.customer_id)
    except restate.TerminalError as error:
        # Refused for good, or an operator has cancelled this: the customer has to hear of it.
        logger.error("dispute %s could not be finished: %s", case.dispute_id, private(error.message))
        # Sent, not called: a second cancellation would reach into calls.
        send_tool(ctx, WITHDRAW, ApprovalRef(approval_id=case.dispute_id), INBOX_KEY)
        send_tool(ctx, TAKE_BACK_CREDIT, case)
        raise
    # Sent, not called: from here on nothing can fail or be cancelled.
    send_tool(ctx, CLOSE_DISPUTE, closing, case.customer_id)
    return Noted(changed=True)


@implements(dispute_case, DISPUTE_DECIDED)
async def decided(ctx: restate.WorkflowSharedContext, decision: Decision) -> Noted:
    """What staff decided; the inbox sends it once."""
    await ctx.promise(DECISION, type_hint=Decision).resolve(decision)
    return Noted(changed=True)


async def decide(ctx: restate.WorkflowContext, case: DisputeCase) -> DisputeClosing:
    """By its amount where that is small, by staff where it is not."""
    leave = await call_tool(ctx, ASK_LEAVE, DisputeRef(dispute_id=case.dispute_id), case.customer_id)
    if leave.at_once:
        return DisputeClosing(dispute_id=case.dispute_id, status="accepted", why=policy.AT_ONCE)
    now = await business_now(ctx)
    within = timedelta(seconds=case.decide_within_seconds)
    question = AskForApproval(
        waiting=Waiting(
            approval_id=case.dispute_id,
            title=f"Dispute of {format_amount(case.amount, case.currency)} at {case.merchant}",
            customer_id=case.customer_id,
            since=now,
            until=now + within,
            facts=policy.facts(case),
        ),
        tell=Door(service=DISPUTE_DECIDED.service, handler=DISPUTE_DECIDED.handler, key=case.dispute_id),
    )
    decision = await decision_of_staff(ctx, question, within, policy.undecided(within))
    return policy.closing(case, decision, staff=decision.by != NO_STAFF)
