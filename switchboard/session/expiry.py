"""Expiry of sessions that are not used any more: their conversation is deleted, and a record of that stays.

A session has one timer, however many messages it gets. When the timer fires, it looks at the last message, and either
deletes the conversation or sends itself again for the rest of the time.
"""

import logging
from datetime import UTC, datetime, timedelta

import restate

from switchboard.messages import WireModel
from switchboard.session.contract import SESSION
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Head, TurnStart
from switchboard.session_ids import public_part

logger = logging.getLogger(__name__)

EXPIRE = "expire"
"""Name of the Session object's handler that the timer calls."""


class ExpiryCheck(WireModel):
    """The timer of a session, by the turn that started it. A session ignores all but its own."""

    started_by: int


class IdleLimit(WireModel):
    """How long a session may be idle, and the time at which that was read. Both may change before a replay."""

    at: datetime
    idle_max: timedelta


IDLE_OPTIONS = restate.RunOptions(type_hint=IdleLimit)


def start_expiry(ctx: restate.ObjectContext, head: Head, start: TurnStart) -> Head:
    """Start the session's timer unless it has one. Returns the session with the timer."""
    if head.expiry or not start.idle_max:
        return head
    send_check(ctx, ExpiryCheck(started_by=head.turns_total), start.idle_max)
    return head.model_copy(update={"expiry": head.turns_total})


def send_check(ctx: restate.ObjectContext, check: ExpiryCheck, delay: timedelta) -> None:
    ctx.generic_send(SESSION, EXPIRE, check.model_dump_json().encode(), key=ctx.key(), send_delay=delay)


async def check_expiry(
    ctx: restate.ObjectContext, check: ExpiryCheck, head: Head | None, settings: SessionSettings
) -> Head | None:
    """Return what the session becomes when its timer has fired; None if it stays as it is."""

    async def read_limit() -> IdleLimit:
        return IdleLimit(at=datetime.now(UTC), idle_max=settings.session_idle_max)

    if head is None or head.expiry != check.started_by or head.last_at is None:
        return None
    now = await ctx.run_typed("idle limit", read_limit, IDLE_OPTIONS)
    if not now.idle_max:
        return head.model_copy(update={"expiry": 0})
    left = head.last_at + now.idle_max - now.at
    if left > timedelta(0):
        send_check(ctx, check, left)
        return None
    logger.info("session %s expired after %s without a message", public_part(ctx.key()), now.idle_max)
    return expired(head, now.at)


def expired(head: Head, at: datetime) -> Head:
    """Return the record of a session that has expired: whose it was, and when. Nothing of what was said stays."""
    return Head(
        customer_id=head.customer_id,
        signed_in=head.signed_in,
        active=head.active,
        turns_total=head.turns_total,
        last_at=head.last_at,
        expired_at=at,
    )
