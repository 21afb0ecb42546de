"""Serve approvals: the private inbox, and the service through which staff use it.

`ApprovalInbox` is a single object that handles one decision at a time. If a staff decision and the deadline race, the
first one wins and both callers get the final decision. The inbox makes no calls: it stores the decision and sends it to
the requester in the same handler.
"""

import logging

import restate

from switchboard.builtin.approvals import policy
from switchboard.builtin.approvals.contract import (
    APPROVALS,
    ASK_FOR_APPROVAL,
    DECIDE,
    DECIDED_BY_DEADLINE,
    EXPIRE,
    INBOX,
    INBOX_KEY,
    LIST_WAITING,
    REMIND,
    WITHDRAW,
    Acknowledgement,
    ApprovalRef,
    ApprovalRequest,
    Decide,
    Decided,
    Decision,
    Expire,
    InboxPage,
    InboxQuery,
    StaffDecision,
)
from switchboard.builtin.approvals.metrics import count_decision, count_request
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import propagation_headers
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import staff_service, tool_object
from switchboard.toolkit.implement import implements
from switchboard.toolkit.rpc import allowed, call_tool

logger = logging.getLogger(__name__)

QUEUE = "queue"
"""State key of the pending ids, oldest first. Each pending request and each decision has its own key."""

approvals = staff_service(
    APPROVALS,
    "Requests waiting for approval.",
)
inbox = tool_object(INBOX, "Requests waiting for approval, and the decisions of staff.")


@approvals.handler(name="list", **NOTHING_RETAINED)
async def list_approvals(ctx: restate.Context, query: InboxQuery) -> InboxPage:
    """Return a page of pending requests, oldest first."""
    return await call_tool(ctx, LIST_WAITING, query, INBOX_KEY)


@approvals.handler()
async def approve(ctx: restate.Context, request: StaffDecision) -> Decided:
    """Approve a request. TerminalError 404 if it does not exist, 409 with the first decision if already decided."""
    return await call_tool(ctx, DECIDE, Decide(approved=True, **request.model_dump()), INBOX_KEY)


@approvals.handler()
async def reject(ctx: restate.Context, request: StaffDecision) -> Decided:
    """Reject a request. TerminalError 404 if it does not exist, 409 with the first decision if already decided."""
    return await call_tool(ctx, DECIDE, Decide(approved=False, **request.model_dump()), INBOX_KEY)


@implements(inbox, ASK_FOR_APPROVAL)
async def ask_for_approval(ctx: restate.ObjectContext, request: ApprovalRequest) -> Acknowledgement:
    """Add a request to the inbox, once per id."""
    approval_id = request.waiting.approval_id
    queue = await pending_ids(ctx)
    if approval_id in queue or await decision_on(ctx, approval_id):
        return Acknowledgement(changed=False)
    ctx.set(item_key(approval_id), request)
    ctx.set(QUEUE, [*queue, approval_id])
    count_request(request)
    logger.info("%s is waiting for approval until %s", approval_id, policy.format_time(request.waiting.until))
    return Acknowledgement(changed=True)


@implements(inbox, REMIND)
async def remind(ctx: restate.ObjectContext, request: ApprovalRef) -> Acknowledgement:
    """Count a reminder. Does nothing if the request is not pending."""
    item = await pending_item(ctx, request.approval_id)
    if item is None:
        return Acknowledgement(changed=False)
    waiting = item.waiting.model_copy(update={"reminders": item.waiting.reminders + 1})
    ctx.set(item_key(request.approval_id), item.model_copy(update={"waiting": waiting}))
    logger.warning("%s is still waiting for approval until %s", request.approval_id, policy.format_time(waiting.until))
    return Acknowledgement(changed=True)


@implements(inbox, WITHDRAW)
async def withdraw(ctx: restate.ObjectContext, request: ApprovalRef) -> Acknowledgement:
    """Remove a request without a decision. Does nothing if it is not pending."""
    if await pending_item(ctx, request.approval_id) is None:
        return Acknowledgement(changed=False)
    await remove_pending(ctx, request.approval_id)
    return Acknowledgement(changed=True)


@implements(inbox, DECIDE)
async def decide(ctx: restate.ObjectContext, request: Decide) -> Decided:
    """Store the first decision and send it to the requester. TerminalError 404 and 409 as for `approve`."""
    item = await pending_item(ctx, request.approval_id)
    if item is None:
        return allowed(policy.refuse_decision(request.approval_id, await decision_on(ctx, request.approval_id)))
    decision = Decision(at=await business_now(ctx), **request.model_dump())
    await store_decision(ctx, decision)
    count_decision(item, decision)
    body = decision.model_dump_json().encode()
    ctx.generic_send(item.tell.service, item.tell.handler, body, key=item.tell.key, headers=propagation_headers())
    return Decided(summary=policy.describe_decision(decision), decision=decision)


@implements(inbox, EXPIRE)
async def expire(ctx: restate.ObjectContext, request: Expire) -> Decision:
    """Decline a request after its deadline, or return the decision that staff have made."""
    decided = await decision_on(ctx, request.approval_id)
    if decided is not None:
        return decided
    decision = Decision(
        approval_id=request.approval_id,
        approved=False,
        by=DECIDED_BY_DEADLINE,
        why=request.why,
        at=await business_now(ctx),
    )
    item = await pending_item(ctx, request.approval_id)
    await store_decision(ctx, decision)
    if item is not None:
        count_decision(item, decision)
    return decision


@implements(inbox, LIST_WAITING, kind="shared", retained=False)
async def list_waiting(ctx: restate.ObjectSharedContext, query: InboxQuery) -> InboxPage:
    """Return a page of pending requests, oldest first."""
    queue = await pending_ids(ctx)
    items = [await pending_item(ctx, approval_id) for approval_id in queue[query.offset : query.offset + query.limit]]
    return policy.page(tuple(item.waiting for item in items if item), len(queue))


@inbox.handler()
async def forget(ctx: restate.ObjectContext, request: ApprovalRef) -> None:
    """Delete an old decision. The inbox sends this to itself with a delay when it stores one."""
    ctx.clear(decision_key(request.approval_id))


async def store_decision(ctx: restate.ObjectContext, decision: Decision) -> None:
    """Store the final decision and remove the request from the pending ones."""
    await remove_pending(ctx, decision.approval_id)
    ctx.set(decision_key(decision.approval_id), decision)
    forgotten = ApprovalRef(approval_id=decision.approval_id)
    ctx.object_send(forget, ctx.key(), forgotten, send_delay=policy.DECISIONS_KEPT_FOR)
    ending = "approved" if decision.approved else "declined"
    logger.info("%s was %s by %s", decision.approval_id, ending, private(decision.by))


async def remove_pending(ctx: restate.ObjectContext, approval_id: str) -> None:
    queue = await pending_ids(ctx)
    ctx.set(QUEUE, [waiting for waiting in queue if waiting != approval_id])
    ctx.clear(item_key(approval_id))


async def pending_ids(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> list[str]:
    return await ctx.get(QUEUE, type_hint=list[str]) or []


async def pending_item(
    ctx: restate.ObjectContext | restate.ObjectSharedContext, approval_id: str
) -> ApprovalRequest | None:
    return await ctx.get(item_key(approval_id), type_hint=ApprovalRequest)


async def decision_on(ctx: restate.ObjectContext, approval_id: str) -> Decision | None:
    return await ctx.get(decision_key(approval_id), type_hint=Decision)


def item_key(approval_id: str) -> str:
    return f"waiting/{approval_id}"


def decision_key(approval_id: str) -> str:
    return f"decided/{approval_id}"
