"""Serve the reservations: one object per reservation, which stores it once it differs from the data set.

In the data set, a reservation's days can be relative to the day on which it is first read. Reads are shared handlers
and cannot write state, so the first read calls the exclusive handler `open_on`, which stores the day, and uses the day
that it returns. Of several concurrent first reads, even around midnight, one wins, and all return the same dates.
"""

from datetime import date

import restate

from services.tools.airline.clock import airline_clock
from services.tools.airline.data.dataset import AirlineData, is_relative, with_absolute_dates
from services.tools.airline.data.models import Reservation
from services.tools.airline.data.schedule import today
from services.tools.airline.reservations import stored_reservation
from services.tools.airline.reservations.contract import READ_RECORD, RESERVATIONS, Record
from services.tools.airline.reservations.stored_reservation import (
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

STATE = "slot"
OPENED_ON = "opened_on"


class Opening(ToolInput):
    """The day to count a reservation's relative days from; ignored if one is already stored."""

    opened_on: date


class Opened(WireModel):
    opened_on: date


class ReservationRecord(WireModel):
    """The data set's reservation with this id, with its days still relative, and today's date."""

    today: date
    reservation: Reservation | None


RESERVATION_RECORD = restate.RunOptions[ReservationRecord](type_hint=ReservationRecord)


def reservations_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object. `data` holds the reservations in their initial state."""
    reservations = tool_object(RESERVATIONS, "The airline's reservations; the key is the reservation's id.")

    @reservations.handler()
    async def open_on(ctx: restate.ObjectContext, request: Opening) -> Opened:
        """Store the day that relative days are counted from, unless one is stored. Return the stored day."""
        kept_day = await ctx.get(OPENED_ON, type_hint=str)
        if kept_day is not None:
            return Opened(opened_on=date.fromisoformat(kept_day))
        ctx.set(OPENED_ON, request.opened_on.isoformat())
        return Opened(opened_on=request.opened_on)

    async def current_reservation(ctx: restate.ObjectSharedContext) -> StoredReservation | None:
        state = await ctx.get(STATE, type_hint=ReservationState)
        if state is not None:
            return state.kept
        found = await data_set_record(ctx, data)
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
        """Return the stored reservation, or None."""
        return Found(kept=await current_reservation(ctx))

    @implements(reservations, READ_RECORD, kind="shared")
    async def read_record(ctx: restate.ObjectSharedContext, _request: NoInput) -> Record:
        """Return the reservation, or None."""
        stored = await current_reservation(ctx)
        return Record(reservation=stored.reservation if stored else None)

    add_writes(reservations, data)
    return reservations


def add_writes(reservations: restate.VirtualObject, data: AirlineData) -> None:
    """Add the handlers that a booking writes and undoes a reservation with."""

    @implements(reservations, CLAIM_ID)
    async def claim_id(ctx: restate.ObjectContext, request: OperationRef) -> Claimed:
        """Claim the id for a new reservation. Return whether that succeeded; False if another reservation has it."""
        state = await ctx.get(STATE, type_hint=ReservationState)
        is_taken = state is not None or (await data_set_record(ctx, data)).reservation is not None
        claimed = stored_reservation.claim(state, is_taken, request.operation_id)
        if claimed is not None:
            ctx.set(STATE, claimed)
        return Claimed(claimed=claimed is not None)

    @implements(reservations, WRITE)
    async def write(ctx: restate.ObjectContext, request: WriteReservation) -> Acknowledged:
        """Change the reservation once per operation id. 409 if it was changed since it was read or is being changed."""
        state = await state_of(ctx, data)
        ctx.set(STATE, allowed(stored_reservation.write(state, request)))
        return Acknowledged(changed=True)

    @implements(reservations, SETTLE_WRITE)
    async def settle_write(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledged:
        """Make the write final. Does nothing if it is not open."""
        state = await ctx.get(STATE, type_hint=ReservationState)
        if state is None:
            return Acknowledged(changed=False)
        ctx.set(STATE, stored_reservation.settle(state, request.operation_id))
        return Acknowledged(changed=state.operation_id == request.operation_id)

    @implements(reservations, UNDO_WRITE)
    async def undo_write(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledged:
        """Restore the state before the write. Does nothing if it is not open."""
        state = await ctx.get(STATE, type_hint=ReservationState)
        if state is None or state.operation_id != request.operation_id:
            return Acknowledged(changed=False)
        before = stored_reservation.undo(state, request.operation_id)
        if before is None:
            ctx.clear(STATE)
        else:
            ctx.set(STATE, before)
        return Acknowledged(changed=True)


async def state_of(ctx: restate.ObjectContext, data: AirlineData) -> ReservationState:
    """Return the current state; for a reservation of the data set, with its days counted from the stored day."""
    state = await ctx.get(STATE, type_hint=ReservationState)
    if state is not None:
        return state
    kept_day = await ctx.get(OPENED_ON, type_hint=str)
    found = await data_set_record(ctx, data)
    return ReservationState(kept=from_data(found, date.fromisoformat(kept_day) if kept_day else found.today))


async def data_set_record(
    ctx: restate.ObjectContext | restate.ObjectSharedContext, data: AirlineData
) -> ReservationRecord:
    """Return the data set's record and today's date.

    Both are journaled as one entry, so that a replay with other settings sees the same values.
    """
    return await ctx.run_typed("reservation", read_data_set_record, RESERVATION_RECORD, data, ctx.key())


def read_data_set_record(data: AirlineData, reservation_id: str) -> ReservationRecord:
    return ReservationRecord(today=today(airline_clock()), reservation=data.reservations.get(reservation_id))


def from_data(found: ReservationRecord, opened_on: date) -> StoredReservation | None:
    return (
        StoredReservation(reservation=with_absolute_dates(found.reservation, opened_on)) if found.reservation else None
    )
