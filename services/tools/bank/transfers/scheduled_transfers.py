"""Handlers of scheduled transfers: one Restate object per customer, and a timer for each transfer.

The object only starts a transfer. The transfers service, which holds no lock, executes it.
"""

from datetime import timedelta

import restate

from services.tools.bank.lookups import BankRecords
from services.tools.bank.transfers import policy
from services.tools.bank.transfers.contract import (
    CANCEL_SCHEDULED,
    CARRY_OUT,
    LIST_SCHEDULED,
    SCHEDULE_TRANSFER,
    SCHEDULED_TRANSFERS,
    ScheduledTransferCancelled,
    ScheduledTransferFacts,
    ScheduledTransferList,
    ScheduledTransferRef,
    ScheduledTransferRequest,
    TransferScheduled,
)
from services.tools.bank.transfers.customer_lookups import payer_and_recipient
from services.tools.bank.transfers.plan import (
    Pending,
    Plan,
    cancellation,
    find_pending,
    schedule,
    scheduled_confirmation,
    scheduled_transfer_list,
)
from switchboard import checks, implements
from switchboard.builtin.calendar.contract import exact_when
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, send_tool
from switchboard.toolkit.timers import Timers, WakeUp

PLAN = Timers("plan", Plan)
AHEAD = "ahead at least"


def scheduled_transfers_object(records: BankRecords, ahead_min: timedelta) -> restate.VirtualObject:
    """Build the object. Transfers must be due at least `ahead_min` from now."""
    scheduled_transfers = tool_object(
        SCHEDULED_TRANSFERS, "A customer's scheduled transfers; the key is the customer's id."
    )

    @scheduled_transfers.handler()
    async def due(ctx: restate.ObjectContext, request: ScheduledTransferRef) -> None:
        """Start the transfer on its due date, unless it was cancelled. Not a tool."""
        plan = await PLAN.read(ctx)
        found = plan.find(request.schedule_id)
        if found:
            PLAN.write(ctx, plan.without(found.entry_id))
            send_tool(ctx, CARRY_OUT, found.request)

    @checks(scheduled_transfers, SCHEDULE_TRANSFER)
    async def check_schedule(
        ctx: restate.ObjectSharedContext, request: ScheduledTransferRequest
    ) -> ScheduledTransferFacts:
        """Return what the transfer would do, and exactly when. Raises the errors of `schedule_transfer`."""
        now = await business_now(ctx)
        order = allowed(policy.validate_transfer(await payer_and_recipient(ctx, records, request), request))
        await enforce_policy(ctx, "schedule_transfer", policy.refuse_transfer(order), checking=True)
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        scheduled = allowed(schedule(await PLAN.read(ctx), request, now, ahead))
        found = policy.resolved_transfer(order, request)
        call = request.model_copy(update={**found.fields, "on": exact_when(scheduled.due_at)})
        return ScheduledTransferFacts(call=call, payee_bank=found.payee_bank)

    @implements(scheduled_transfers, SCHEDULE_TRANSFER)
    async def schedule_transfer(ctx: restate.ObjectContext, request: ScheduledTransferRequest) -> TransferScheduled:
        """Store a transfer and start its timer. Raises TerminalError 404 or 409 if it could never be made."""
        now = await business_now(ctx)
        plan = await PLAN.read(ctx)
        order = allowed(policy.validate_transfer(await payer_and_recipient(ctx, records, request), request))
        await enforce_policy(ctx, "schedule_transfer", policy.refuse_transfer(order))
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        scheduled = allowed(schedule(plan, request, now, ahead))
        wake_up = WakeUp(due, ScheduledTransferRef(schedule_id=scheduled.schedule_id), scheduled.due_at - now)

        def pending(timer_id: str) -> Pending:
            return Pending(request=request, scheduled=scheduled, timer_id=timer_id)

        await PLAN.add(ctx, plan, wake_up, pending)
        return scheduled_confirmation(scheduled)

    @implements(scheduled_transfers, CANCEL_SCHEDULED)
    async def cancel_scheduled(ctx: restate.ObjectContext, request: ScheduledTransferRef) -> ScheduledTransferCancelled:
        """Cancel a transfer. Raises TerminalError 404 if it is not pending."""
        plan = await PLAN.read(ctx)
        found = allowed(find_pending(plan, request.schedule_id))
        PLAN.cancel(ctx, plan, found.entry_id, found.timer_id)
        return cancellation(found.scheduled)

    @implements(scheduled_transfers, LIST_SCHEDULED, kind="shared")
    async def list_scheduled(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> ScheduledTransferList:
        """Return the pending transfers, ordered by due date."""
        now = await business_now(ctx)
        return scheduled_transfer_list(await PLAN.read(ctx), now.date())

    return scheduled_transfers
