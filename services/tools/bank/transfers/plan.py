"""A customer's scheduled transfers: validation, stored state, and the texts about them. Pure."""

import datetime as dt

from services.tools.bank.transfers.contract import (
    ScheduledTransfer,
    ScheduledTransferCancelled,
    ScheduledTransferList,
    ScheduledTransferOrder,
    ScheduledTransferRequest,
    TransferScheduled,
    reference_phrase,
)
from switchboard.builtin.calendar.contract import format_instant
from switchboard.builtin.calendar.dates import due_on
from switchboard.money import format_amount
from switchboard.rule_numbers import without_rule
from switchboard.toolkit.refusal import NOT_FOUND, Refusal
from switchboard.toolkit.timers import TimerBook, TimerEntry

PENDING_MAX = 50
"""Maximum pending scheduled transfers of a customer."""


class Pending(TimerEntry):
    """A pending transfer: the confirmed request, what the customer sees, and the delayed call that will start it."""

    request: ScheduledTransferOrder
    scheduled: ScheduledTransfer
    timer_id: str

    @property
    def entry_id(self) -> str:
        return self.scheduled.schedule_id


class Plan(TimerBook[Pending]):
    """A customer's pending transfers."""


def schedule(
    plan: Plan, request: ScheduledTransferRequest, now: dt.datetime, ahead_min: dt.timedelta
) -> ScheduledTransfer | Refusal:
    """Return the scheduled transfer to store."""
    if len(plan.pending) >= PENDING_MAX:
        return Refusal(f"You already have {PENDING_MAX} scheduled transfers. Please cancel one first.")
    due_at = due_on(request.on, now, ahead_min)
    if isinstance(due_at, Refusal):
        return due_at
    return ScheduledTransfer(
        schedule_id=f"T{plan.next_number}",
        recipient_name=request.recipient_name,
        amount=request.amount,
        currency=request.currency,
        account=request.account,
        reference=request.reference,
        due_at=due_at,
    )


def find_pending(plan: Plan, schedule_id: str) -> Pending | Refusal:
    """Return the pending transfer with that id."""
    found = plan.find(schedule_id)
    if found is None:
        why = f"You have no scheduled transfer {schedule_id}. Your scheduled transfers: {plan.ids}."
        return Refusal(why, NOT_FOUND)
    return found


def scheduled_confirmation(scheduled: ScheduledTransfer) -> TransferScheduled:
    return TransferScheduled(
        summary=f"Your transfer {scheduled.schedule_id} is scheduled: {describe_transfer(scheduled)}.",
        scheduled=scheduled,
    )


def cancellation(scheduled: ScheduledTransfer) -> ScheduledTransferCancelled:
    summary = f"Your scheduled transfer {scheduled.schedule_id} was cancelled: {describe_transfer(scheduled)}."
    return ScheduledTransferCancelled(summary=summary, scheduled=scheduled)


def scheduled_transfer_list(plan: Plan, today: dt.date) -> ScheduledTransferList:
    scheduled = tuple(sorted((entry.scheduled for entry in plan.pending), key=lambda entry: entry.due_at))
    each = "; ".join(f"{entry.schedule_id}, {describe_transfer(entry)}" for entry in scheduled)
    summary = f"Your scheduled transfers: {each}." if scheduled else "You have no scheduled transfers."
    return ScheduledTransferList(summary=summary, scheduled=scheduled, today=today)


def describe_transfer(scheduled: ScheduledTransfer) -> str:
    amount = format_amount(scheduled.amount, scheduled.currency)
    reference = reference_phrase(scheduled.reference)
    return f"{amount} to {scheduled.recipient_name} on {format_instant(scheduled.due_at)}{reference}"


def failed(request: ScheduledTransferOrder, why: str) -> str:
    """Return the notification that the transfer failed on its due date."""
    amount = format_amount(request.amount, request.currency)
    return f"Your scheduled transfer of {amount} to {request.recipient_name} failed: {without_rule(why)}"


def made(summary: str) -> str:
    return f"Your scheduled transfer was completed. {summary}"
