"""How a workflow waits for staff: the question in the inbox, reminders on the way, and a deadline."""

from datetime import timedelta

import restate

from switchboard.builtin.approvals.contract import (
    ASK_FOR_APPROVAL,
    EXPIRE,
    INBOX_KEY,
    REMIND,
    ApprovalRef,
    AskForApproval,
    Decision,
    Expire,
)
from switchboard.toolkit.rpc import call_tool, send_tool

DECISION = "decision"
"""The durable promise that staff keep."""

REMIND_AT = (0.5, 0.9)
"""Shares of the time that staff have, after which they are reminded."""


async def decision_of_staff(
    ctx: restate.WorkflowContext, question: AskForApproval, within: timedelta, undecided: str
) -> Decision:
    """Put it before staff, remind them on the way, and decline it when they let the deadline pass.

    The workflow's own handler resolves the promise DECISION. `undecided` is the reason at the deadline.
    """
    ref = question.waiting.approval_id
    send_tool(ctx, ASK_FOR_APPROVAL, question, INBOX_KEY)
    promised = ctx.promise(DECISION, type_hint=Decision).value()
    # All timers start now, so that a mesh that was down does not move the deadline.
    *reminders, deadline = [ctx.sleep(within * share) for share in (*REMIND_AT, 1)]
    for reminder in reminders:
        completed, _ = await restate.wait_completed(promised, reminder)
        if promised in completed:
            return await promised
        send_tool(ctx, REMIND, ApprovalRef(approval_id=ref), INBOX_KEY)
    completed, _ = await restate.wait_completed(promised, deadline)
    if promised in completed:
        return await promised
    # The inbox knows who was first: staff may have decided just now, with their answer still on its way to us.
    return await call_tool(ctx, EXPIRE, Expire(approval_id=ref, why=undecided), INBOX_KEY)
