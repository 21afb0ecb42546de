"""Serves the reservations: one object keeps one reservation, from the moment at which it differs from the data set.

The days of a reservation may be counted from the day on which it was first looked at. Reads are shared and a shared
handler cannot write, so the first read asks the exclusive `open_on` to keep the day, and goes by the day that is
answered: of several first reads, also around midnight, one wins, and all tell the same dates for ever after.
"""

from datetime import date

import restate

from services.tools.airline_data.dataset import airline
from services.tools.airline_data.schedule import today
from services.tools.call import allowed
from services.tools.clock import airline_now
from services.tools.reservations import keeping
from services.tools.reservations.contract import RESERVATIONS, Record
from services.tools.reservations.keeping import Claimed, Found, Kept, Noted, OperationRef, Slot, WriteReservation
from switchboard import NoInput, ToolInput
from switchboard.declare import tool_object
from switchboard.messages import Wire

SLOT = "slot"
OPENED_ON = "opened_on"

reservations = tool_object(RESERVATIONS, "The airline's reservations; the key is the reservation's id.")


class Opening(ToolInput):
    """The day from which a reservation's days are to be counted, unless there is one already."""

    opened_on: date


class Opened(Wire):
    opened_on: date


@reservations.handler(kind="shared")
async def find(ctx: restate.ObjectSharedContext, _request: NoInput) -> Found:
    """The reservation, if there is one, with what it went through here."""
    return Found(kept=await as_it_stands(ctx))


@reservations.handler(kind="shared")
async def read_record(ctx: restate.ObjectSharedContext, _request: NoInput) -> Record:
    """The reservation, if there is one."""
    kept = await as_it_stands(ctx)
    return Record(reservation=kept.reservation if kept else None)


async def as_it_stands(ctx: restate.ObjectSharedContext) -> Kept | None:
    slot = await ctx.get(SLOT, type_hint=Slot)
    if slot is not None:
        return slot.kept
    day = today(await airline_now(ctx))
    if airline().is_relative(ctx.key()):
        kept_day = await ctx.get(OPENED_ON, type_hint=str)
        if kept_day is None:
            day = (await ctx.object_call(open_on, key=ctx.key(), arg=Opening(opened_on=day))).opened_on
        else:
            day = date.fromisoformat(kept_day)
    return from_data(ctx.key(), day)


@reservations.handler()
async def open_on(ctx: restate.ObjectContext, request: Opening) -> Opened:
    """Keep the day from which days are counted; whoever asks later is answered with the day that is kept."""
    kept_day = await ctx.get(OPENED_ON, type_hint=str)
    if kept_day is not None:
        return Opened(opened_on=date.fromisoformat(kept_day))
    ctx.set(OPENED_ON, request.opened_on.isoformat())
    return Opened(opened_on=request.opened_on)


@reservations.handler()
async def claim_id(ctx: restate.ObjectContext, request: OperationRef) -> Claimed:
    """Whether the id is the new reservation's now; not when it is another's."""
    slot = await ctx.get(SLOT, type_hint=Slot)
    claimed = keeping.claim(slot, ctx.key() in airline().reservations, request.operation_id)
    if claimed is not None:
        ctx.set(SLOT, claimed)
    return Claimed(claimed=claimed is not None)


@reservations.handler()
async def write(ctx: restate.ObjectContext, request: WriteReservation) -> Noted:
    """Change the reservation, once for each id. 409 when it has changed since it was read, or is being changed."""
    slot = await slot_of(ctx)
    ctx.set(SLOT, allowed(keeping.write(slot, request)))
    return Noted(changed=True)


@reservations.handler()
async def settle_write(ctx: restate.ObjectContext, request: OperationRef) -> Noted:
    """The write stands. Does nothing when it is not open."""
    slot = await ctx.get(SLOT, type_hint=Slot)
    if slot is None:
        return Noted(changed=False)
    ctx.set(SLOT, keeping.settle(slot, request.operation_id))
    return Noted(changed=slot.operation_id == request.operation_id)


@reservations.handler()
async def undo_write(ctx: restate.ObjectContext, request: OperationRef) -> Noted:
    """Back to what was before the write. Does nothing when it is not open."""
    slot = await ctx.get(SLOT, type_hint=Slot)
    if slot is None or slot.operation_id != request.operation_id:
        return Noted(changed=False)
    before = keeping.undo(slot, request.operation_id)
    if before is None:
        ctx.clear(SLOT)
    else:
        ctx.set(SLOT, before)
    return Noted(changed=True)


async def slot_of(ctx: restate.ObjectContext) -> Slot:
    """The slot as it stands; a reservation of the data set with the day that its reader has had kept."""
    slot = await ctx.get(SLOT, type_hint=Slot)
    if slot is not None:
        return slot
    kept_day = await ctx.get(OPENED_ON, type_hint=str)
    day = date.fromisoformat(kept_day) if kept_day else today(await airline_now(ctx))
    return Slot(kept=from_data(ctx.key(), day))


def from_data(reservation_id: str, opened_on: date) -> Kept | None:
    found = airline().reservation(reservation_id, opened_on)
    return Kept(reservation=found) if found else None
