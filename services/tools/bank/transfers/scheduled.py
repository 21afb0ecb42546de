"""Serves scheduled transfers: one Restate object a customer, and a delayed call to it for each transfer.

What is kept in the object decides, and not the timer: a transfer is made when its call finds it still there, and is
gone with that. So it is made once, and never after it was cancelled, in whatever order the two arrive. The object only
sets it going: money is moved by the transfers, which hold no lock.
"""

from datetime import timedelta

import restate

from services.tools.bank.data.bank import customers
from services.tools.bank.transfers import policy, schedule
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
from services.tools.bank.transfers.schedule import Pending, Plan
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.journaled import as_set
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, tell

PLAN = "plan"
AHEAD = "ahead at least"


def scheduled_transfers_object(ahead_min: timedelta) -> restate.VirtualObject:
    """The object; transfers are due at least `ahead_min` from now."""
    scheduled_transfers = tool_object(
        SCHEDULED_TRANSFERS, "A customer's transfers to come; the key is the customer's id."
    )

    @scheduled_transfers.handler()
    async def due(ctx: restate.ObjectContext, request: ScheduleRef) -> None:
        """Not a tool: the day has come. Have the transfer made, unless it was cancelled."""
        plan = await read_plan(ctx)
        found = plan.find(request.schedule_id)
        if found:
            ctx.set(PLAN, plan.without(found))
            tell(ctx, CARRY_OUT, found.request)

    @implements(scheduled_transfers, SCHEDULE_TRANSFER)
    async def schedule_transfer(ctx: restate.ObjectContext, request: ScheduleRequest) -> ScheduleKept:
        """Keep a transfer and start its timer. TerminalError 404 or 409 for one that could never be made."""
        now = await business_now(ctx)
        plan = await read_plan(ctx)
        order = allowed(policy.judge_transfer(customers(), request))
        await enforce_policy(ctx, "schedule_transfer", policy.refuse_transfer(order))
        ahead = await as_set(ctx, AHEAD, ahead_min)
        scheduled = allowed(schedule.judge_schedule(plan, request, now, ahead))
        # Cancelled at the await, this leaves a timer. Its number is used up by then, so that it finds nothing.
        ctx.set(PLAN, plan.numbered_on())
        wake = ScheduleRef(schedule_id=scheduled.schedule_id)
        timer = ctx.object_send(due, ctx.key(), wake, send_delay=scheduled.due_at - now)
        timer_id = await timer.invocation_id()
        ctx.set(PLAN, plan.numbered_on().with_entry(Pending(request=request, scheduled=scheduled, timer_id=timer_id)))
        return schedule.kept(scheduled)

    @implements(scheduled_transfers, CANCEL_SCHEDULED)
    async def cancel_scheduled(ctx: restate.ObjectContext, request: ScheduleRef) -> ScheduleCancelled:
        """Drop a transfer. TerminalError 404 for one that is being made, was made or never was."""
        plan = await read_plan(ctx)
        found = allowed(schedule.judge_cancellation(plan, request.schedule_id))
        ctx.set(PLAN, plan.without(found))
        # Only to be tidy: the timer would find nothing, but it would wait for that up to a year.
        ctx.cancel_invocation(found.timer_id)
        return schedule.cancelled(found.scheduled)

    @implements(scheduled_transfers, LIST_SCHEDULED, kind="shared")
    async def list_scheduled(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> ScheduleList:
        """What is still to come, the next first."""
        now = await business_now(ctx)
        return schedule.listed(await read_plan(ctx), now.date())

    return scheduled_transfers


async def read_plan(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Plan:
    return await ctx.get(PLAN, type_hint=Plan) or Plan()
