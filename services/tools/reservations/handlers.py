"""Serves reservations: a customer's bookings, and the change of a seat, which spans the bookings and the flight.

`Reservations` is one object for one customer. It keeps what changed, the bookings made here, and the day on which the
bookings were first looked at: the shipped bookings depart so many days after it. Reads are shared, so any number runs
at once. A shared handler cannot write, so the first read asks the exclusive `open_on` to keep the day, and goes by the
day that is answered: of several first reads, also around midnight, one wins, and all of them tell the same dates for
ever after.

`SeatChanges` holds no lock while it calls: it claims the seat on the flight, records it in the booking, and releases
the former seat. Every move is in its journal, so a crash anywhere only makes it go on from there.
"""

import logging
from datetime import date, datetime
from typing import TypeVar

import restate

from services.tools.call import ask, tell
from services.tools.clock import business_now
from services.tools.demo_data.airline import BookingData, CustomerData, airline
from services.tools.flights.contract import (
    CLAIM_SEAT,
    RELEASE_SEAT,
    SEAT_MAP,
    UNDO_CLAIM,
    ClaimSeat,
    SettleClaim,
    seats_key,
)
from services.tools.reservations import bookings, made, seat_choice, seat_policy
from services.tools.reservations.bookings import Ledger
from services.tools.reservations.contract import (
    GET_RESERVATION,
    RECORD_SEAT,
    RESERVATIONS,
    SEAT_CHANGES,
    UNRECORD_SEAT,
    Bill,
    BookedFlight,
    BookingCount,
    BookingRequest,
    CancelRecord,
    NewBooking,
    PaidBooking,
    RecordSeat,
    Reservation,
    ReservationList,
    SeatChanged,
    SeatChangeRequest,
    SeatChoice,
    SeatMapRequest,
    SeatRecorded,
    SeatUnrecorded,
    UndoBooking,
    UndoCancellation,
    UnrecordSeat,
)
from switchboard import NoInput, ToolInput
from switchboard.declare import tool_object, tool_service

LEDGER = "ledger"

Judged = TypeVar("Judged")

logger = logging.getLogger(__name__)

reservations = tool_object(RESERVATIONS, "A customer's bookings; the key is the customer's id.")
seat_changes = tool_service(SEAT_CHANGES, "Seats of a customer's bookings: which are free, and the change to another.")


class Opening(ToolInput):
    """The day from which the dates of a customer's bookings are to be counted, unless there is one already."""

    opened_on: date


@reservations.handler(kind="shared")
async def list_reservations(ctx: restate.ObjectSharedContext, _request: NoInput) -> ReservationList:
    """All bookings of the customer; an unknown customer has none."""
    now = await business_now(ctx)
    customer = airline().customer(ctx.key())
    # Whoever has no bookings leaves no trace: made-up ids do not fill the store.
    ledger = await opened(ctx, now) if customer else Ledger(opened_on=now.date())
    return bookings.list_bookings(airline(), customer, ledger, now)


@reservations.handler(kind="shared")
async def get_reservation(ctx: restate.ObjectSharedContext, request: BookingRequest) -> Reservation:
    """One booking. 404, in the same words, for one that is somebody else's and for one that does not exist."""
    now = await business_now(ctx)
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    customer, booking = own_booking(ctx.key(), request.confirmation_number, ledger)
    return bookings.reservation(airline(), customer, booking, ledger or await opened(ctx, now), now)


@reservations.handler(kind="shared")
async def get_bill(ctx: restate.ObjectSharedContext, request: BookingRequest) -> Bill:
    """What an invoice for a booking needs. 404 as for `get_reservation`."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    customer, booking = own_booking(ctx.key(), request.confirmation_number, ledger)
    return Bill(
        confirmation_number=booking.confirmation_number,
        name=customer.name,
        email=customer.email,
        currency=booking.currency,
        charges=bookings.charges(booking),
    )


@reservations.handler()
async def open_on(ctx: restate.ObjectContext, request: Opening) -> Ledger:
    """Keep the day from which dates are counted; whoever asks later is answered with the day that is kept."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    if ledger is None:
        ledger = Ledger(opened_on=request.opened_on)
        ctx.set(LEDGER, ledger)
    return ledger


@reservations.handler()
async def record_seat(ctx: restate.ObjectContext, request: RecordSeat) -> SeatRecorded:
    """Record a seat that was claimed on the flight. 404 and 409 when the booking cannot have another seat."""
    now = await business_now(ctx)
    ledger = await ctx.get(LEDGER, type_hint=Ledger) or Ledger(opened_on=now.date())
    customer, booking = own_booking(ctx.key(), request.confirmation_number, ledger)
    present = bookings.reservation(airline(), customer, booking, ledger, now)
    former = flight_to_change(present, request.flight_number, now).seats[request.passenger - 1]
    ctx.set(LEDGER, bookings.record(ledger, request, former))
    return SeatRecorded(seat=request.seat, former=former)


@reservations.handler()
async def unrecord_seat(ctx: restate.ObjectContext, request: UnrecordSeat) -> SeatUnrecorded:
    """Put back the seat before that claim. Does nothing when the claim was not recorded, or another one since."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    if ledger is None:
        return SeatUnrecorded(seat=None)
    restored = bookings.unrecord(ledger, request)
    ctx.set(LEDGER, restored)
    key = bookings.seat_key(request.confirmation_number, request.flight_number, request.passenger)
    record = restored.seats.get(key)
    return SeatUnrecorded(seat=record.seat if record else None)


@reservations.handler()
async def record_booking(ctx: restate.ObjectContext, request: NewBooking) -> BookingCount:
    """Keep a new booking, once for each id. 404 for somebody who is no customer, 409 when there are too many."""
    if airline().customer(ctx.key()) is None:
        raise restate.TerminalError("You are not known to this airline.", status_code=404)
    now = await business_now(ctx)
    ledger = await ctx.get(LEDGER, type_hint=Ledger) or Ledger(opened_on=now.date())
    changed = made.with_booking(ledger.made, request, ledger.opened_on)
    if changed is None:
        raise restate.TerminalError(f"You have {made.MADE_MAX} bookings; cancel one of them first.", status_code=409)
    return keep_made(ctx, ledger, changed)


@reservations.handler()
async def unrecord_booking(ctx: restate.ObjectContext, request: UndoBooking) -> BookingCount:
    """Take a new booking out again. Does nothing when it was never recorded."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    if ledger is None:
        return BookingCount(bookings_total=0)
    return keep_made(ctx, ledger, made.without_booking(ledger.made, request.booking_id))


@reservations.handler(kind="shared")
async def get_paid_booking(ctx: restate.ObjectSharedContext, request: BookingRequest) -> PaidBooking:
    """A booking that can be cancelled, and what it was paid with. 404 as for `get_reservation`; 409 when it cannot."""
    now = await business_now(ctx)
    return paid_booking(ctx.key(), request.confirmation_number, await opened(ctx, now), now)


@reservations.handler()
async def mark_cancelled(ctx: restate.ObjectContext, request: CancelRecord) -> Reservation:
    """The booking is cancelled from now on, once for each id. 404 and 409 as for `get_paid_booking`."""
    now = await business_now(ctx)
    ledger = await ctx.get(LEDGER, type_hint=Ledger) or Ledger(opened_on=now.date())
    number = request.confirmation_number
    paid_booking(ctx.key(), number, ledger, now)
    cancellation = made.Cancellation(cancellation_id=request.cancellation_id, fee=request.fee)
    keep_made(ctx, ledger, changed := made.with_cancellation(ledger.made, number, cancellation))
    after = ledger.model_copy(update={"made": changed})
    return bookings.reservation(airline(), *own_booking(ctx.key(), number, after), after, now)


@reservations.handler()
async def unmark_cancelled(ctx: restate.ObjectContext, request: UndoCancellation) -> BookingCount:
    """Take back that very cancellation. Does nothing when it was never made."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    found = made.find(ledger.made, request.confirmation_number) if ledger else None
    if ledger is None or found is None:
        return BookingCount(bookings_total=0)
    mine = found.cancellation and found.cancellation.cancellation_id == request.cancellation_id
    changed = made.with_cancellation(ledger.made, request.confirmation_number, None) if mine else ledger.made
    return keep_made(ctx, ledger, changed)


def keep_made(ctx: restate.ObjectContext, ledger: Ledger, changed: made.Made) -> BookingCount:
    ctx.set(LEDGER, ledger.model_copy(update={"made": changed}))
    return BookingCount(bookings_total=len(changed))


def paid_booking(customer_id: str, confirmation_number: str, ledger: Ledger, now: datetime) -> PaidBooking:
    """The customer's booking, if it can be cancelled at `now`. Raises TerminalError 404 or 409."""
    customer, booking = own_booking(customer_id, confirmation_number, ledger)
    found = made.find(ledger.made, confirmation_number)
    reservation = bookings.reservation(airline(), customer, booking, ledger, now)
    refusal = seat_policy.cancellable(reservation, found is not None, now)
    if refusal:
        raise restate.TerminalError(refusal.why, status_code=refusal.status_code)
    payments = found.payments if found else ()
    return PaidBooking(reservation=reservation, name=customer.name, email=customer.email, payments=payments)


@seat_changes.handler()
async def get_seat_map(ctx: restate.Context, request: SeatMapRequest) -> SeatChoice:
    """The free seats that the booking could have. 404 and 409 when its seat cannot be changed."""
    booking, flight = await booking_to_change(ctx, request)
    passenger = accepted(seat_policy.passenger_to_seat(booking, request.passenger))
    seats = await ask(ctx, SEAT_MAP, NoInput(), seats_key(flight.flight_number, flight.date))
    return seat_choice.choice(booking, flight, seats, passenger)


@seat_changes.handler()
async def change_seat(ctx: restate.Context, request: SeatChangeRequest) -> SeatChanged:
    """Move the booking to another seat: all of it or nothing. 404 and 409, with the reason, when it cannot be."""
    booking, flight = await booking_to_change(ctx, request)
    number = booking.confirmation_number
    passenger = accepted(seat_policy.passenger_to_seat(booking, request.passenger))
    seats = seats_key(flight.flight_number, flight.date)
    claim = SettleClaim(confirmation_number=number, passenger=passenger, claim_id=str(ctx.uuid()))
    wanted = ClaimSeat(cabin=booking.cabin, seat=request.seat, **claim.model_dump())
    record = RecordSeat(flight_number=flight.flight_number, seat=request.seat, **claim.model_dump())
    unrecord = UnrecordSeat(flight_number=flight.flight_number, **claim.model_dump())
    try:
        claimed = await ask(ctx, CLAIM_SEAT, wanted, seats)
        await ask(ctx, RECORD_SEAT, record, request.customer_id)
    except restate.TerminalError:
        # A step was refused, or this handler was cancelled while a step was on its way, done or not. Either way both
        # are undone: by claim, so undoing what was not done does nothing. Each object takes its messages in the order
        # in which they were sent, so the undoing comes after the step. And it is sent, not called: a second
        # cancellation would reach into calls.
        tell(ctx, UNRECORD_SEAT, unrecord, request.customer_id)
        tell(ctx, UNDO_CLAIM, claim, seats)
        logger.info("booking %s keeps its seat: no change to %s on %s", number, request.seat, seats)
        raise
    tell(ctx, RELEASE_SEAT, claim, seats)
    return seat_choice.changed(booking, flight, claimed.seat, claimed.former or flight.seats[passenger - 1])


async def booking_to_change(ctx: restate.Context, request: SeatMapRequest) -> tuple[Reservation, BookedFlight]:
    """The customer's booking, and the flight of it that is meant. Raises TerminalError 404 or 409."""
    asked = BookingRequest(confirmation_number=request.confirmation_number)
    booking = await ask(ctx, GET_RESERVATION, asked, request.customer_id)
    return booking, flight_to_change(booking, request.flight_number, await business_now(ctx))


def flight_to_change(booking: Reservation, flight_number: str | None, now: datetime) -> BookedFlight:
    """The flight whose seat may be changed. Raises TerminalError 404 or 409."""
    return accepted(seat_policy.flight_to_change(booking, flight_number, now))


def accepted(judged: Judged | seat_policy.Refusal) -> Judged:
    """What the policy found. Raises TerminalError when it refuses."""
    if isinstance(judged, seat_policy.Refusal):
        raise restate.TerminalError(judged.why, status_code=judged.status_code)
    return judged


def own_booking(customer_id: str, confirmation_number: str, ledger: Ledger | None) -> tuple[CustomerData, BookingData]:
    """The customer and their booking. Raises TerminalError 404, and leaves a line for those who watch for probing."""
    customer = airline().customer(customer_id)
    known = ledger.known(customer) if ledger and customer else customer
    found = seat_policy.own_booking(known, confirmation_number)
    if isinstance(found, seat_policy.Refusal):
        logger.warning("refused: customer %s asked for booking %s, not theirs", customer_id, confirmation_number)
        raise restate.TerminalError(found.why, status_code=found.status_code)
    return found


async def opened(ctx: restate.ObjectSharedContext, now: datetime) -> Ledger:
    """The customer's ledger, opened on the day of `now` if nobody was faster."""
    ledger = await ctx.get(LEDGER, type_hint=Ledger)
    if ledger is None:
        ledger = await ctx.object_call(open_on, key=ctx.key(), arg=Opening(opened_on=now.date()))
    return ledger
