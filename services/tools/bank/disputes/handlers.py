"""Handlers of disputes: a service that accepts them, and an object with each customer's disputes.

The service holds no lock. `Disputes` is one object per customer. It rejects a payment that was disputed before, stores
a new dispute and starts its workflow in one step, and stores the outcome and notifies the customer in one step. So
every stored dispute is processed, and the customer gets its outcome exactly once.
"""

from datetime import datetime, timedelta

import restate

from services.tools.bank.accounts.contract import (
    FIND_TRANSACTION,
    UNDO_MOVE,
    FindTransaction,
    MoveRef,
    Transaction,
)
from services.tools.bank.disputes import policy
from services.tools.bank.disputes.contract import (
    CHECK_DISPUTE,
    CLOSE_DISPUTE,
    DISPUTE_SERVICE,
    DISPUTES,
    LIST_DISPUTES,
    NOTE_DISPUTE,
    OPEN_DISPUTE,
    REQUEST_CREDIT_PERMISSION,
    RUN_DISPUTE,
    TAKE_BACK_CREDIT,
    Acknowledgement,
    CreditPermission,
    Dispute,
    DisputeCase,
    DisputeClosing,
    DisputedPayment,
    DisputeFacts,
    DisputeList,
    DisputeOpened,
    DisputeRef,
    DisputeRequest,
)
from services.tools.bank.disputes.policy import Record, Records
from switchboard import checks, implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool

RECORDS = "records"

ID_DIGITS = 12
"""Hex digits of a dispute's id. The first twelve digits of a random UUID are all random."""

disputes = tool_object(DISPUTES, "A customer's disputes of card payments; the key is the customer's id.")


def dispute_service(decide_within: timedelta) -> restate.Service:
    """Build the service that accepts disputes. `decide_within` is the deadline for decisions by staff."""
    service = tool_service(DISPUTE_SERVICE, "Accepts disputes of card payments.")

    @checks(service, OPEN_DISPUTE)
    async def check_open_dispute(ctx: restate.Context, request: DisputeRequest) -> DisputeFacts:
        """Return the payment. Raises the errors of `open_dispute`."""
        paid, _ = await disputable(ctx, request, checking=True)
        payment = DisputedPayment(transaction_id=request.transaction_id)
        await call_tool(ctx, CHECK_DISPUTE, payment, request.customer_id)
        return DisputeFacts(
            merchant=paid.merchant, paid=-paid.amount, currency=paid.currency, booked_on=paid.booked_at.date()
        )

    @implements(service, OPEN_DISPUTE)
    async def open_dispute(ctx: restate.Context, request: DisputeRequest) -> Dispute:
        """Accept a dispute and return immediately. Raises TerminalError 404 or 409, with the reason."""
        customer = request.customer_id
        paid, now = await disputable(ctx, request)
        # Journaled, so that a deployment with another setting does not change this call on replay.
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

    @implements(service, TAKE_BACK_CREDIT)
    async def take_back(ctx: restate.Context, case: DisputeCase) -> Acknowledgement:
        """Undo the credit of a failed dispute, in a separate invocation. It is safe if nothing was credited."""
        credit = await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=case.dispute_id), case.customer_id)
        why = "You have already used the money, so you can keep it." if credit.stands else policy.NOT_FINISHED
        status = "accepted" if credit.stands else "undecided"
        closing = DisputeClosing(dispute_id=case.dispute_id, status=status, why=why)
        send_tool(ctx, CLOSE_DISPUTE, closing, case.customer_id)
        return Acknowledgement(changed=not credit.stands)

    return service


async def disputable(
    ctx: restate.Context, request: DisputeRequest, checking: bool = False
) -> tuple[Transaction, datetime]:
    """Return the payment and the time. Raises TerminalError if the payment cannot be disputed."""
    find = FindTransaction(transaction_id=request.transaction_id)
    paid = await call_tool(ctx, FIND_TRANSACTION, find, request.customer_id)
    now = await business_now(ctx)
    allowed(policy.refuse_impossible(paid, request))
    await enforce_policy(ctx, "open_dispute", policy.refuse_dispute(paid, now), checking=checking)
    return paid, now


@implements(disputes, CHECK_DISPUTE, kind="shared")
async def check_dispute(ctx: restate.ObjectSharedContext, request: DisputedPayment) -> Acknowledgement:
    """Raise TerminalError 409 for a second dispute or too many disputes."""
    now = await business_now(ctx)
    before = await read(ctx)
    await enforce_policy(ctx, "note_dispute", policy.refuse_again(before, request.transaction_id), checking=True)
    allowed(policy.refuse_too_many(before, now))
    return Acknowledgement(changed=False)


@implements(disputes, NOTE_DISPUTE)
async def note_dispute(ctx: restate.ObjectContext, case: DisputeCase) -> DisputeOpened:
    """Store a dispute and start its workflow. Raises TerminalError 409 for a second dispute or too many disputes."""
    before = await read(ctx)
    await enforce_policy(ctx, "note_dispute", policy.refuse_again(before, case.transaction_id))
    allowed(policy.refuse_too_many(before, case.opened_at))
    record = Record(case=case)
    ctx.set(RECORDS, before.with_record(record))
    send_tool(ctx, RUN_DISPUTE, case, case.dispute_id)
    return DisputeOpened(dispute=policy.view(record))


@implements(disputes, REQUEST_CREDIT_PERMISSION)
async def request_credit_permission(ctx: restate.ObjectContext, request: DisputeRef) -> CreditPermission:
    """Decide whether a dispute is credited without staff. This object decides, because it knows all disputes."""
    before = await read(ctx)
    record = before.find(request.dispute_id)
    if record is None:
        return CreditPermission(at_once=False)
    permitted = policy.may_credit_instantly(before, record.case)
    ctx.set(RECORDS, before.with_record(policy.with_next_step(record, permitted)))
    return CreditPermission(at_once=permitted)


@implements(disputes, CLOSE_DISPUTE)
async def close_dispute(ctx: restate.ObjectContext, closing: DisputeClosing) -> Acknowledgement:
    """Store the outcome and notify the customer. Only the first outcome counts."""
    now = await business_now(ctx)
    before = await read(ctx)
    record = before.find(closing.dispute_id)
    if record is None or record.status not in policy.OPEN:
        return Acknowledgement(changed=False)
    after = policy.closed(record, closing, now)
    ctx.set(RECORDS, before.with_record(after))
    notify_customer(ctx, record.case.session_id, ctx.key(), policy.describe(after))
    return Acknowledgement(changed=True)


@implements(disputes, LIST_DISPUTES, kind="shared")
async def list_disputes(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> DisputeList:
    """Return all of the customer's disputes, newest first."""
    return policy.dispute_list(await read(ctx))


async def read(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Records:
    return await ctx.get(RECORDS, type_hint=Records) or Records()
