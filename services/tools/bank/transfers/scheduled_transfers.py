"""Serves scheduled transfers: one Restate object a customer, and a timer for each transfer.

The object only starts a transfer: money is moved by the transfers, which hold no lock.
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
    ScheduleCancelled,
    ScheduleKept,
    ScheduleList,
    ScheduleRef,
    ScheduleRequest,
)
from services.tools.bank.transfers.parties import parties
from services.tools.bank.transfers.plan import (
    Pending,
    Plan,
    cancelled,
    judge_cancellation,
    judge_schedule,
    kept,
    listed,
)
from switchboard import implements
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
    """The object; transfers are due at least `ahead_min` from now."""
    scheduled_transfers = tool_object(
        SCHEDULED_TRANSFERS, "A customer's transfers to come; the key is the customer's id."
    )

    @scheduled_transfers.handler()
    async def due(ctx: restate.ObjectContext, request: ScheduleRef) -> None:
        """Not a tool: the day has come. Have the transfer made, unless it was cancelled."""
        plan = await PLAN.read(ctx)
        found = plan.find(request.schedule_id)
        if found:
            PLAN.write(ctx, plan.without(found.entry_id))
            send_tool(ctx, CARRY_OUT, found.request)

    @implements(scheduled_transfers, SCHEDULE_TRANSFER)
    async def schedule_transfer(ctx: restate.ObjectContext, request: ScheduleRequest) -> ScheduleKept:
        """Keep a transfer and start its timer. TerminalError 404 or 409 for one that could never be made."""
        now = await business_now(ctx)
        plan = await PLAN.read(ctx)
        order = allowed(policy.judge_transfer(await parties(ctx, records, request), request))
        await enforce_policy(ctx, "schedule_transfer", policy.refuse_transfer(order))
        ahead = await journaled_setting(ctx, AHEAD, ahead_min)
        scheduled = allowed(judge_schedule(plan, request, now, ahead))
        wake_up = WakeUp(due, ScheduleRef(schedule_id=scheduled.schedule_id), scheduled.due_at - now)

        def pending(timer_id: str) -> Pending:
            return Pending(request=request, scheduled=scheduled, timer_id=timer_id)

        await PLAN.add(ctx, plan, wake_up, pending)
        return kept(scheduled)

    @implements(scheduled_transfers, CANCEL_SCHEDULED)
    async def cancel_scheduled(ctx: restate.ObjectContext, request: ScheduleRef) -> ScheduleCancelled:
        """Drop a transfer. TerminalError 404 for one that is being made, was made or never was."""
        plan = await PLAN.read(ctx)
        found = allowed(judge_cancellation(plan, request.schedule_id))
        PLAN.cancel(ctx, plan, found.entry_id, found.timer_id)
        return cancelled(found.scheduled)

    @implements(scheduled_transfers, LIST_SCHEDULED, kind="shared")
    async def list_scheduled(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> ScheduleList:
        """What is still to come, the next first."""
        now = await business_now(ctx)
        return listed(await PLAN.read(ctx), now.date())

    return scheduled_transfers
