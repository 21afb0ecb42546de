"""Serves what waits for staff: the inbox, which is private, and the door to it that staff may use.

`ApprovalInbox` is the only judge of who decided first: one object, one decision after the other. A decision of staff
and the deadline meet there, so one of them wins and both are told which. It calls nobody: it sends the decision on to
whoever waits for it, in the same breath in which it writes it down.
"""

import logging

import restate

from switchboard.builtin.approvals import policy
from switchboard.builtin.approvals.contract import (
    APPROVALS,
    ASK_FOR_APPROVAL,
    DECIDE,
    EXPIRE,
    INBOX,
    INBOX_KEY,
    LIST_WAITING,
    NO_STAFF,
    REMIND,
    WITHDRAW,
    ApprovalRef,
    AskForApproval,
    Decide,
    Decided,
    Decision,
    Expire,
    InboxPage,
    InboxQuery,
    Noted,
    StaffDecision,
)
from switchboard.builtin.approvals.counting import count_asked, count_decision
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import propagation_headers
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import staff_service, tool_object
from switchboard.toolkit.implement import implements
from switchboard.toolkit.rpc import allowed, call_tool

logger = logging.getLogger(__name__)

QUEUE = "queue"
"""State key: the ids of what waits, oldest first. Each of them, and each decision, has a key of its own."""

approvals = staff_service(
    APPROVALS,
    "What waits for a decision of staff. Staff only: whatever stands in front of the ingress has to authenticate staff"
    " for this service, as it authenticates customers for sessions, and has to let no customer through to it.",
)
inbox = tool_object(INBOX, "What waits for staff, and what they decided.")


@approvals.handler(name="list")
async def list_approvals(ctx: restate.Context, query: InboxQuery) -> InboxPage:
    """What waits: for whom, since when, until when, and the facts."""
    return await call_tool(ctx, LIST_WAITING, query, INBOX_KEY)


@approvals.handler()
async def approve(ctx: restate.Context, request: StaffDecision) -> Decided:
    """Say yes. TerminalError 404 when nothing waits under the id, 409, naming the first, after another decision."""
    return await call_tool(ctx, DECIDE, Decide(approved=True, **request.model_dump()), INBOX_KEY)


@approvals.handler()
async def reject(ctx: restate.Context, request: StaffDecision) -> Decided:
    """Say no. TerminalError 404 when nothing waits under the id, 409, naming the first, after another decision."""
    return await call_tool(ctx, DECIDE, Decide(approved=False, **request.model_dump()), INBOX_KEY)


@implements(inbox, ASK_FOR_APPROVAL)
async def ask_for_approval(ctx: restate.ObjectContext, request: AskForApproval) -> Noted:
    """Put something before staff."""
    approval_id = request.waiting.approval_id
    queue = await waiting_ids(ctx)
    if approval_id in queue or await decision_on(ctx, approval_id):
        return Noted(changed=False)
    ctx.set(item_key(approval_id), request)
    ctx.set(QUEUE, [*queue, approval_id])
    count_asked(request)
    logger.info("%s waits for staff until %s", approval_id, policy.format_time(request.waiting.until))
    return Noted(changed=True)


@implements(inbox, REMIND)
async def remind(ctx: restate.ObjectContext, request: ApprovalRef) -> Noted:
    """Count a reminder. Does nothing when it does not wait any more."""
    item = await item_of(ctx, request.approval_id)
    if item is None:
        return Noted(changed=False)
    waiting = item.waiting.model_copy(update={"reminders": item.waiting.reminders + 1})
    ctx.set(item_key(request.approval_id), item.model_copy(update={"waiting": waiting}))
    logger.warning("%s still waits for staff, until %s", request.approval_id, policy.format_time(waiting.until))
    return Noted(changed=True)


@implements(inbox, WITHDRAW)
async def withdraw(ctx: restate.ObjectContext, request: ApprovalRef) -> Noted:
    """Take it off the list, undecided. Does nothing when it does not wait."""
    if await item_of(ctx, request.approval_id) is None:
        return Noted(changed=False)
    await take_off(ctx, request.approval_id)
    return Noted(changed=True)


@implements(inbox, DECIDE)
async def decide(ctx: restate.ObjectContext, request: Decide) -> Decided:
    """Write down the first decision and send it to whoever waits for it. TerminalError 404 and 409 as for `approve`."""
    item = await item_of(ctx, request.approval_id)
    if item is None:
        return allowed(policy.refusal(request.approval_id, await decision_on(ctx, request.approval_id)))
    decision = Decision(at=await business_now(ctx), **request.model_dump())
    await write_down(ctx, decision)
    count_decision(item, decision)
    body = decision.model_dump_json().encode()
    ctx.generic_send(item.tell.service, item.tell.handler, body, key=item.tell.key, headers=propagation_headers())
    return Decided(summary=policy.sentence(decision), decision=decision)


@implements(inbox, EXPIRE)
async def expire(ctx: restate.ObjectContext, request: Expire) -> Decision:
    """Decline it for want of a decision; where staff were faster, theirs is the answer."""
    decided = await decision_on(ctx, request.approval_id)
    if decided is not None:
        return decided
    decision = Decision(
        approval_id=request.approval_id,
        approved=False,
        by=NO_STAFF,
        why=request.why,
        at=await business_now(ctx),
    )
    item = await item_of(ctx, request.approval_id)
    await write_down(ctx, decision)
    if item is not None:
        count_decision(item, decision)
    return decision


@implements(inbox, LIST_WAITING, kind="shared")
async def list_waiting(ctx: restate.ObjectSharedContext, query: InboxQuery) -> InboxPage:
    """A page of what waits, the oldest first."""
    queue = await waiting_ids(ctx)
    items = [await item_of(ctx, approval_id) for approval_id in queue[query.offset : query.offset + query.limit]]
    return policy.page(tuple(item.waiting for item in items if item), len(queue))


@inbox.handler()
async def forget(ctx: restate.ObjectContext, request: ApprovalRef) -> None:
    """Drop an old decision; the inbox sends this to itself when it writes one down."""
    ctx.clear(decision_key(request.approval_id))


async def write_down(ctx: restate.ObjectContext, decision: Decision) -> None:
    """From now on nobody else decides it."""
    await take_off(ctx, decision.approval_id)
    ctx.set(decision_key(decision.approval_id), decision)
    forgotten = ApprovalRef(approval_id=decision.approval_id)
    ctx.object_send(forget, ctx.key(), forgotten, send_delay=policy.DECISIONS_KEPT_FOR)
    ending = "approved" if decision.approved else "declined"
    logger.info("%s was %s by %s", decision.approval_id, ending, private(decision.by))


async def take_off(ctx: restate.ObjectContext, approval_id: str) -> None:
    queue = await waiting_ids(ctx)
    ctx.set(QUEUE, [waiting for waiting in queue if waiting != approval_id])
    ctx.clear(item_key(approval_id))


async def waiting_ids(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> list[str]:
    return await ctx.get(QUEUE, type_hint=list[str]) or []


async def item_of(ctx: restate.ObjectContext | restate.ObjectSharedContext, approval_id: str) -> AskForApproval | None:
    return await ctx.get(item_key(approval_id), type_hint=AskForApproval)


async def decision_on(ctx: restate.ObjectContext, approval_id: str) -> Decision | None:
    return await ctx.get(decision_key(approval_id), type_hint=Decision)


def item_key(approval_id: str) -> str:
    return f"waiting/{approval_id}"


def decision_key(approval_id: str) -> str:
    return f"decided/{approval_id}"
