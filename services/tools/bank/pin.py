"""Pins demo data in time: the instant at which a customer is first seen is kept in the Restate object's own state.

Demo data is written relative to "now" ("last month, on the 4th"). Without a pin, a payment of last month would be one
of last month forever. A reader may not write: handlers that read are shared, so that three questions about one customer
run at once. So a reader that finds no pin answers as of its own now, and sends that instant to the object's exclusive
`pin` handler, where the first one wins. What readers see before that differs by milliseconds only.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import restate
from pydantic import AwareDatetime

from switchboard.messages import WireModel

PINNED_AT = "demo_pinned_at"


class Pin(WireModel):
    """When a customer was first seen, UTC."""

    at: AwareDatetime


PinHandler = Callable[[restate.ObjectContext, Pin], Awaitable[None]]


async def read_pin(ctx: restate.ObjectSharedContext, handler: PinHandler, now: datetime) -> datetime:
    """When this object was first seen: `now` at the first time, and `handler` of the same object is told so."""
    pinned_at = await ctx.get(PINNED_AT, type_hint=str)
    if pinned_at is not None:
        return datetime.fromisoformat(pinned_at)
    ctx.object_send(handler, ctx.key(), Pin(at=now))
    return now


async def write_pin(ctx: restate.ObjectContext, pin: Pin) -> None:
    """Keep the first pin; later ones come from readers that ran beside the first."""
    await keep_pin(ctx, pin.at)


async def keep_pin(ctx: restate.ObjectContext, now: datetime) -> datetime:
    """For a writer, which may keep the pin itself: when this object was first seen, `now` at the first time."""
    pinned_at = await ctx.get(PINNED_AT, type_hint=str)
    if pinned_at is not None:
        return datetime.fromisoformat(pinned_at)
    ctx.set(PINNED_AT, now.isoformat())
    return now
