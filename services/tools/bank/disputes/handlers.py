"""Serves disputes: the desk that takes them in, and a customer's record of them.

The desk holds no lock. `Disputes` is one object for one customer: it takes a case only when that payment was not
disputed before, notes it and sets its workflow going in one breath, and in one breath notes the outcome and tells the
customer. So a case that is on record runs, and its outcome is told once.
"""

from datetime import timedelta

import restate

from services.tools.bank.accounts.contract import FIND_TRANSACTION, UNDO_MOVE, FindTransaction, MoveRef
from services.tools.bank.disputes import policy
from services.tools.bank.disputes.contract import (
    ASK_LEAVE,
    CLOSE_DISPUTE,
    DISPUTE_DESK,
    DISPUTES,
    LIST_DISPUTES,
    NOTE_DISPUTE,
    OPEN_DISPUTE,
    RUN_DISPUTE,
    TAKE_BACK_CREDIT,
    Dispute,
    DisputeCase,
    DisputeClosing,
    DisputeList,
    DisputeOpened,
    DisputeRef,
    DisputeRequest,
    Leave,
    Noted,
)
from services.tools.bank.disputes.policy import Record, Records
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool

RECORDS = "records"

ID_DIGITS = 12
"""Of a case's id; the first twelve of a random UUID are all random."""

disputes = tool_object(DISPUTES, "A customer's disputes of card payments; the key is the customer's id.")


def dispute_desk(decide_within: timedelta) -> restate.Service:
    """The service that takes disputes in. `decide_within` is the time that staff have for one."""
    desk = tool_service(DISPUTE_DESK, "Takes in disputes of card payments.")

    @implements(desk, OPEN_DISPUTE)
    async def open_dispute(ctx: restate.Context, request: DisputeRequest) -> Dispute:
        """Take a dispute in and answer at once. TerminalError 404 or 409 when it cannot be taken."""
        customer = request.customer_id
        paid = await call_tool(ctx, FIND_TRANSACTION, FindTransaction(transaction_id=request.transaction_id), customer)
        now = await business_now(ctx)
        allowed(policy.refuse_impossible(paid, request))
        await enforce_policy(ctx, "open_dispute", policy.refuse_dispute(paid, now))
        # Journaled: a deploy with another setting in the middle of this must not change what was sent.
        within = await journaled_setting(ctx, "staff time", decide_within)
        case = DisputeCase(
            dispute_id=f"DP-{ctx.uuid().hex[:ID_DIGITS].upper()}",
            merchant=paid.merchant,
            account=paid.account,
            paid_at=paid.booked_at,
            paid=-paid.amount,
            opened_at=now,
            decide_within_seconds=within.total_seconds(),
            **request.model_dump(exclude={"signed_in"}),
        )
        return (await call_tool(ctx, NOTE_DISPUTE, case, customer)).dispute

    @implements(desk, TAKE_BACK_CREDIT)
    async def take_back(ctx: restate.Context, case: DisputeCase) -> Noted:
        """The compensation, an invocation of its own. By its id, undoing a credit that was not made does nothing."""
        credit = await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=case.dispute_id), case.customer_id)
        why = "You have used the money already, so it is yours." if credit.stands else policy.NOT_FINISHED
        status = "accepted" if credit.stands else "undecided"
        closing = DisputeClosing(dispute_id=case.dispute_id, status=status, why=why)
        send_tool(ctx, CLOSE_DISPUTE, closing, case.customer_id)
        return Noted(changed=not credit.stands)

    return desk


@implements(disputes, NOTE_DISPUTE)
async def note_dispute(ctx: restate.ObjectContext, case: DisputeCase) -> DisputeOpened:
    """Note a case and set it going. TerminalError 409 when it was disputed before, or too many are."""
    before = await read(ctx)
    await enforce_policy(ctx, "note_dispute", policy.refuse_again(before, case.transaction_id))
    allowed(policy.refuse_too_many(before, case.opened_at))
    record = Record(case=case)
    ctx.set(RECORDS, before.with_record(record))
    send_tool(ctx, RUN_DISPUTE, case, case.dispute_id)
    return DisputeOpened(dispute=policy.view(record))


@implements(disputes, ASK_LEAVE)
async def ask_leave(ctx: restate.ObjectContext, request: DisputeRef) -> Leave:
    """Whether it is credited without staff; judged here, where every other case of the customer is known."""
    before = await read(ctx)
    record = before.find(request.dispute_id)
    if record is None:
        return Leave(at_once=False)
    leave = policy.at_once(before, record.case)
    ctx.set(RECORDS, before.with_record(policy.marked(record, leave)))
    return Leave(at_once=leave)


@implements(disputes, CLOSE_DISPUTE)
async def close_dispute(ctx: restate.ObjectContext, closing: DisputeClosing) -> Noted:
    """Note how a case ended, once, and notify the customer."""
    now = await business_now(ctx)
    before = await read(ctx)
    record = before.find(closing.dispute_id)
    if record is None or record.status not in policy.OPEN:
        return Noted(changed=False)
    after = policy.closed(record, closing, now)
    ctx.set(RECORDS, before.with_record(after))
    notify_customer(ctx, record.case.session_id, ctx.key(), policy.sentence(after))
    return Noted(changed=True)


@implements(disputes, LIST_DISPUTES, kind="shared")
async def list_disputes(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> DisputeList:
    """All cases of the customer, newest first."""
    return policy.listed(await read(ctx))


async def read(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Records:
    return await ctx.get(RECORDS, type_hint=Records) or Records()
