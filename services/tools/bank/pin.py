"""Pins demo data in time: the Restate object stores when its customer was first seen.

Demo data is relative to "now" ("last month, on the 4th"). Without a pin, a payment of last month would stay in last
month forever. Handlers that read are shared, so that several questions about a customer run in parallel, and shared
handlers cannot write. A reader that finds no pin uses its current time, and sends that time to the object's exclusive
`pin` handler. The first time wins. Until it is stored, readers differ only by milliseconds.
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
    """Return when the customer was first seen. The first time, return `now` and send it to `handler`."""
    pinned_at = await ctx.get(PINNED_AT, type_hint=str)
    if pinned_at is not None:
        return datetime.fromisoformat(pinned_at)
    ctx.object_send(handler, ctx.key(), Pin(at=now))
    return now


async def write_pin(ctx: restate.ObjectContext, pin: Pin) -> None:
    """Store the first pin. Later pins come from concurrent readers and are ignored."""
    await keep_pin(ctx, pin.at)


async def keep_pin(ctx: restate.ObjectContext, now: datetime) -> datetime:
    """Return when the customer was first seen, in a handler that can write. The first time, store `now`."""
    pinned_at = await ctx.get(PINNED_AT, type_hint=str)
    if pinned_at is not None:
        return datetime.fromisoformat(pinned_at)
    ctx.set(PINNED_AT, now.isoformat())
    return now
