"""Serves the reservations: one object keeps one reservation, from the moment at which it differs from the data set.

The days of a reservation may be counted from the day on which it was first looked at. Reads are shared and a shared
handler cannot write, so the first read asks the exclusive `open_on` to keep the day, and goes by the day that is
answered: of several first reads, also around midnight, one wins, and all tell the same dates for ever after.
"""

from datetime import date

import restate

from services.tools.airline.clock import airline_clock
from services.tools.airline.data.dataset import AirlineData, dated, is_relative
from services.tools.airline.data.records import Reservation
from services.tools.airline.data.schedule import today
from services.tools.airline.reservations import record
from services.tools.airline.reservations.contract import READ_RECORD, RESERVATIONS, Record
from services.tools.airline.reservations.record import (
    CLAIM_ID,
    FIND,
    SETTLE_WRITE,
    UNDO_WRITE,
    WRITE,
    Acknowledged,
    Claimed,
    Found,
    OperationRef,
    ReservationState,
    StoredReservation,
    WriteReservation,
)
from switchboard import NoInput, ToolInput, implements
from switchboard.messages import WireModel
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.rpc import allowed

SLOT = "slot"
OPENED_ON = "opened_on"


class Opening(ToolInput):
    """The day from which a reservation's days are to be counted, unless there is one already."""

    opened_on: date


class Opened(WireModel):
    opened_on: date


class OnRecord(WireModel):
    """What the data set has under an id, its days as they are written there, and the day that it is."""

    today: date
    reservation: Reservation | None


ON_RECORD = restate.RunOptions[OnRecord](type_hint=OnRecord)


def reservations_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object; `data` has the reservations that were not made here."""
    reservations = tool_object(RESERVATIONS, "The airline's reservations; the key is the reservation's id.")

    @reservations.handler()
    async def open_on(ctx: restate.ObjectContext, request: Opening) -> Opened:
        """Keep the day from which days are counted; whoever asks later is answered with the day that is kept."""
        kept_day = await ctx.get(OPENED_ON, type_hint=str)
        if kept_day is not None:
            return Opened(opened_on=date.fromisoformat(kept_day))
        ctx.set(OPENED_ON, request.opened_on.isoformat())
        return Opened(opened_on=request.opened_on)

    async def current_reservation(ctx: restate.ObjectSharedContext) -> StoredReservation | None:
        slot = await ctx.get(SLOT, type_hint=ReservationState)
        if slot is not None:
            return slot.kept
        found = await on_record(ctx, data)
        if found.reservation is None or not is_relative(found.reservation):
            return from_data(found, found.today)
        kept_day = await ctx.get(OPENED_ON, type_hint=str)
        if kept_day is None:
            day = (await ctx.object_call(open_on, key=ctx.key(), arg=Opening(opened_on=found.today))).opened_on
        else:
            day = date.fromisoformat(kept_day)
        return from_data(found, day)

    @implements(reservations, FIND, kind="shared")
    async def find(ctx: restate.ObjectSharedContext, _request: NoInput) -> Found:
        """The reservation, if there is one, with what it went through here."""
        return Found(kept=await current_reservation(ctx))

    @implements(reservations, READ_RECORD, kind="shared")
    async def read_record(ctx: restate.ObjectSharedContext, _request: NoInput) -> Record:
        """The reservation, if there is one."""
        kept = await current_reservation(ctx)
        return Record(reservation=kept.reservation if kept else None)

    add_writes(reservations, data)
    return reservations


def add_writes(reservations: restate.VirtualObject, data: AirlineData) -> None:
    """Add the handlers by which a booking keeps a reservation, or takes it back."""

    @implements(reservations, CLAIM_ID)
    async def claim_id(ctx: restate.ObjectContext, request: OperationRef) -> Claimed:
        """Whether the id is the new reservation's now; not when it is another's."""
        slot = await ctx.get(SLOT, type_hint=ReservationState)
        is_taken = slot is not None or (await on_record(ctx, data)).reservation is not None
        claimed = record.claim(slot, is_taken, request.operation_id)
        if claimed is not None:
            ctx.set(SLOT, claimed)
        return Claimed(claimed=claimed is not None)

    @implements(reservations, WRITE)
    async def write(ctx: restate.ObjectContext, request: WriteReservation) -> Acknowledged:
        """Change the reservation, once for each id. 409 when it has changed since it was read, or is being changed."""
        slot = await state_of(ctx, data)
        ctx.set(SLOT, allowed(record.write(slot, request)))
        return Acknowledged(changed=True)

    @implements(reservations, SETTLE_WRITE)
    async def settle_write(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledged:
        """The write stands. Does nothing when it is not open."""
        slot = await ctx.get(SLOT, type_hint=ReservationState)
        if slot is None:
            return Acknowledged(changed=False)
        ctx.set(SLOT, record.settle(slot, request.operation_id))
        return Acknowledged(changed=slot.operation_id == request.operation_id)

    @implements(reservations, UNDO_WRITE)
    async def undo_write(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledged:
        """Back to what was before the write. Does nothing when it is not open."""
        slot = await ctx.get(SLOT, type_hint=ReservationState)
        if slot is None or slot.operation_id != request.operation_id:
            return Acknowledged(changed=False)
        before = record.undo(slot, request.operation_id)
        if before is None:
            ctx.clear(SLOT)
        else:
            ctx.set(SLOT, before)
        return Acknowledged(changed=True)


async def state_of(ctx: restate.ObjectContext, data: AirlineData) -> ReservationState:
    """The slot as it stands; a reservation of the data set with the day that its reader has had kept."""
    slot = await ctx.get(SLOT, type_hint=ReservationState)
    if slot is not None:
        return slot
    kept_day = await ctx.get(OPENED_ON, type_hint=str)
    found = await on_record(ctx, data)
    return ReservationState(kept=from_data(found, date.fromisoformat(kept_day) if kept_day else found.today))


async def on_record(ctx: restate.ObjectContext | restate.ObjectSharedContext, data: AirlineData) -> OnRecord:
    """What the data set has under this id, and the day: journaled as one, so that a replay under other settings sees
    the same."""
    return await ctx.run_typed("reservation", read_record_of, ON_RECORD, data, ctx.key())


def read_record_of(data: AirlineData, reservation_id: str) -> OnRecord:
    return OnRecord(today=today(airline_clock()), reservation=data.reservations.get(reservation_id))


def from_data(found: OnRecord, opened_on: date) -> StoredReservation | None:
    return StoredReservation(reservation=dated(found.reservation, opened_on)) if found.reservation else None
