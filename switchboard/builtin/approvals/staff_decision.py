"""Wait for a staff decision in a workflow: a request in the inbox, reminders, and a deadline."""

from datetime import timedelta

import restate

from switchboard.builtin.approvals.contract import (
    ASK_FOR_APPROVAL,
    EXPIRE,
    INBOX_KEY,
    REMIND,
    ApprovalRef,
    ApprovalRequest,
    Decision,
    Expire,
)
from switchboard.toolkit.rpc import call_tool, send_tool

DECISION = "decision"
"""Name of the durable promise that the decision resolves."""

REMIND_AT = (0.5, 0.9)
"""Staff are reminded after these fractions of the time until the deadline."""


async def await_staff_decision(
    ctx: restate.WorkflowContext, question: ApprovalRequest, within: timedelta, undecided: str
) -> Decision:
    """Ask staff for approval, remind them, and decline the request if they miss the deadline.

    The workflow's own handler must resolve the promise DECISION. `undecided` is the reason given at the deadline.
    """
    ref = question.waiting.approval_id
    send_tool(ctx, ASK_FOR_APPROVAL, question, INBOX_KEY)
    promised = ctx.promise(DECISION, type_hint=Decision).value()
    # Start all timers now, so that downtime of the mesh does not move the deadline.
    *reminders, deadline = [ctx.sleep(within * share) for share in (*REMIND_AT, 1)]
    for reminder in reminders:
        completed, _ = await restate.wait_completed(promised, reminder)
        if promised in completed:
            return await promised
        send_tool(ctx, REMIND, ApprovalRef(approval_id=ref), INBOX_KEY)
    completed, _ = await restate.wait_completed(promised, deadline)
    if promised in completed:
        return await promised
    # Staff may have decided just now, with the decision still in flight. The inbox knows which came first.
    return await call_tool(ctx, EXPIRE, Expire(approval_id=ref, why=undecided), INBOX_KEY)
