"""Serve seat changes: the free seats for a reservation, and a change of seat.

One object holds all seats of a flight on one day, so a change is a single call to it and there is nothing to undo.
"""

import restate

from services.tools.airline.clock import airline_now
from services.tools.airline.data.models import Reservation, ReservedFlight
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
from services.tools.airline.seat_changes import policy, replies
from services.tools.airline.seat_changes.contract import (
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

seat_changes = tool_service(SEAT_CHANGES, "Seats of a customer's bookings: find free seats and change seats.")


@implements(seat_changes, GET_SEAT_MAP)
async def get_seat_map(ctx: restate.Context, request: SeatMapRequest) -> SeatChoice:
    """Return the free seats for the passenger. 404 or 409 if the seat cannot be changed."""
    reservation, flight, passenger = await find_flight_and_passenger(ctx, request)
    asked = SeatMapOf(reservation_id=reservation.reservation_id)
    seats = await call_tool(ctx, SEAT_MAP, asked, seats_key(flight.flight_number, flight.date))
    return allowed(replies.choice(reservation, flight, seats, passenger))


@implements(seat_changes, CHANGE_SEAT)
async def change_seat(ctx: restate.Context, request: SeatChangeRequest) -> SeatChanged:
    """Move a passenger to another seat. 404 or 409, with the reason, if it is refused."""
    reservation, flight, passenger = await find_flight_and_passenger(ctx, request)
    wanted = MoveSeat(reservation_id=reservation.reservation_id, passenger=passenger, seat=request.seat)
    moved = await call_tool(ctx, MOVE_SEAT, wanted, seats_key(flight.flight_number, flight.date))
    return replies.changed(reservation, flight, moved)


async def find_flight_and_passenger(
    ctx: restate.Context, request: SeatMapRequest
) -> tuple[Reservation, ReservedFlight, int]:
    """Return the verified customer's reservation, the flight and the passenger's number. TerminalError 404 or 409."""
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
    states = tuple([await read_flight(call) for call in calls])
    flight = allowed(policy.flight_to_change(reservation, states, request.flight_number, now))
    state = states[reservation.flights.index(flight)]
    refusal = policy.refuse_cancelled(state) if state else None
    if refusal:
        allowed(refusal)
    return reservation, flight, allowed(policy.passenger_to_seat(reservation, request.passenger))


async def read_flight(call: restate.RestateDurableCallFuture[bytes]) -> FlightOnDay | None:
    """Return the flight, or None if it has no data any more. A cancellation was raised before, by `gather`."""
    try:
        return await read(FLIGHT_ON_DAY, call)
    except restate.TerminalError as refused:
        if refused.status_code != NOT_FOUND:
            raise
        return None
