"""A customer's transfers to come: which may be kept, and how they are told. Pure."""

import datetime as dt

from services.tools.bank.transfers.contract import (
    ScheduleCancelled,
    Scheduled,
    ScheduleKept,
    ScheduleList,
    ScheduleRequest,
    quoted,
)
from switchboard.builtin.calendar.contract import format_instant
from switchboard.builtin.calendar.dates import due_on
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal
from switchboard.toolkit.timers import TimerBook, TimerEntry

PENDING_MAX = 50
"""Scheduled transfers of one customer that wait at the same time."""


class Pending(TimerEntry):
    """A pending transfer: as it was confirmed, as it is shown, and the delayed call that will start it."""

    request: ScheduleRequest
    scheduled: Scheduled
    timer_id: str

    @property
    def entry_id(self) -> str:
        return self.scheduled.schedule_id


class Plan(TimerBook[Pending]):
    """A customer's pending transfers."""


def judge_schedule(
    plan: Plan, request: ScheduleRequest, now: dt.datetime, ahead_min: dt.timedelta
) -> Scheduled | Refusal:
    """The transfer as it would be kept."""
    if len(plan.pending) >= PENDING_MAX:
        return Refusal(f"There are {PENDING_MAX} scheduled transfers already; cancel one first.")
    due_at = due_on(request.on, now, ahead_min)
    if isinstance(due_at, Refusal):
        return due_at
    return Scheduled(
        schedule_id=f"T{plan.next_number}",
        recipient_name=request.recipient_name,
        amount=request.amount,
        currency=request.currency,
        account=request.account,
        reference=request.reference,
        due_at=due_at,
    )


def judge_cancellation(plan: Plan, schedule_id: str) -> Pending | Refusal:
    """The transfer that can still be called off."""
    found = plan.find(schedule_id)
    if found is None:
        return Refusal(f"No scheduled transfer {schedule_id} is still to come. There are: {plan.ids}.", NOT_FOUND)
    return found


def kept(scheduled: Scheduled) -> ScheduleKept:
    return ScheduleKept(
        summary=f"Scheduled as {scheduled.schedule_id}: {describe_transfer(scheduled)}.", scheduled=scheduled
    )


def cancelled(scheduled: Scheduled) -> ScheduleCancelled:
    return ScheduleCancelled(summary=f"Cancelled, not sent: {describe_transfer(scheduled)}.", scheduled=scheduled)


def listed(plan: Plan, today: dt.date) -> ScheduleList:
    scheduled = tuple(sorted((entry.scheduled for entry in plan.pending), key=lambda entry: entry.due_at))
    each = "; ".join(f"{entry.schedule_id}, {describe_transfer(entry)}" for entry in scheduled)
    summary = f"Scheduled: {each}." if scheduled else "No transfers are scheduled."
    return ScheduleList(summary=summary, scheduled=scheduled, today=today)


def describe_transfer(scheduled: Scheduled) -> str:
    amount = format_amount(scheduled.amount, scheduled.currency)
    reference = quoted(scheduled.reference)
    return f"{amount} to {scheduled.recipient_name} on {format_instant(scheduled.due_at)}{reference}"


def failed(request: ScheduleRequest, why: str) -> str:
    """What the customer is told when the transfer could not be made on its day."""
    amount = format_amount(request.amount, request.currency)
    return f"Your scheduled transfer of {amount} to {request.recipient_name} was not made: {why}"


def made(summary: str) -> str:
    return f"Your scheduled transfer was made. {summary}"
