"""Serves seats: which a reservation could have, and the change to another.

The seats of a day's flight are one object's, so a change is one call to it, done or not done; nothing is to be undone.
"""

import restate

from services.tools.airline.clock import airline_now
from services.tools.airline.data.records import Reservation, ReservedFlight
from services.tools.airline.flights.contract import (
    FLIGHT_ON_DAY,
    MOVE_SEAT,
    SEAT_MAP,
    FlightOnDay,
    MoveSeat,
    SeatMapOf,
    seats_key,
)
from services.tools.airline.reservations.contract import GET_RESERVATION_DETAILS, GetReservationDetails
from services.tools.airline.seating import policy, telling
from services.tools.airline.seating.contract import (
    CHANGE_SEAT,
    GET_SEAT_MAP,
    SEAT_CHANGES,
    SeatChanged,
    SeatChangeRequest,
    SeatChoice,
    SeatMapRequest,
)
from switchboard import NoInput, implements
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import allowed, call_tool, read, start

seat_changes = tool_service(SEAT_CHANGES, "Seats of a customer's bookings: which are free, and the change to another.")


@implements(seat_changes, GET_SEAT_MAP)
async def get_seat_map(ctx: restate.Context, request: SeatMapRequest) -> SeatChoice:
    """The free seats that the passenger could have. 404 and 409 when their seat cannot be changed."""
    reservation, flight, passenger = await to_change(ctx, request)
    asked = SeatMapOf(reservation_id=reservation.reservation_id)
    seats = await call_tool(ctx, SEAT_MAP, asked, seats_key(flight.flight_number, flight.date))
    return allowed(telling.choice(reservation, flight, seats, passenger))


@implements(seat_changes, CHANGE_SEAT)
async def change_seat(ctx: restate.Context, request: SeatChangeRequest) -> SeatChanged:
    """Move a passenger to another seat. 404 and 409, with the reason, when it cannot be."""
    reservation, flight, passenger = await to_change(ctx, request)
    wanted = MoveSeat(reservation_id=reservation.reservation_id, passenger=passenger, seat=request.seat)
    moved = await call_tool(ctx, MOVE_SEAT, wanted, seats_key(flight.flight_number, flight.date))
    return telling.changed(reservation, flight, moved)


async def to_change(ctx: restate.Context, request: SeatMapRequest) -> tuple[Reservation, ReservedFlight, int]:
    """The admitted customer's reservation, and which flight and passenger are meant. TerminalError 404 or 409."""
    asked = GetReservationDetails(
        user_id=request.customer_id, reservation_id=request.confirmation_number, signed_in=True
    )
    reservation = await call_tool(ctx, GET_RESERVATION_DETAILS, asked)
    now = await airline_now(ctx)
    calls = [
        start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(flight.flight_number, flight.date))
        for flight in reservation.flights
    ]
    await restate.gather(*calls)
    stand = tuple([await answered(call) for call in calls])
    flight = allowed(policy.flight_to_change(reservation, stand, request.flight_number, now))
    stands = stand[reservation.flights.index(flight)]
    refusal = policy.refuse_cancelled(stands) if stands else None
    if refusal:
        allowed(refusal)
    return reservation, flight, allowed(policy.passenger_to_seat(reservation, request.passenger))


async def answered(call: restate.RestateDurableCallFuture[bytes]) -> FlightOnDay | None:
    """The flight; None for one that is not known any more. Our own cancellation has surfaced before."""
    try:
        return await read(FLIGHT_ON_DAY, call)
    except restate.TerminalError as refused:
        if refused.status_code != NOT_FOUND:
            raise
        return None
