"""Lookups before a write is decided: the customer, their own reservations, and the current state of flights."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import restate

from services.tools.airline.clock import ClockReading, airline_clock_reading
from services.tools.airline.customers.contract import GET_USER_DETAILS, GetUserDetails
from services.tools.airline.data.models import User
from services.tools.airline.data.schedule import at
from services.tools.airline.flights.contract import FLIGHT_ON_DAY, FlightOnDay, seats_key
from services.tools.airline.reservations.contract import FlightChoice
from services.tools.airline.reservations.itinerary import FlightKey, Flights, FlightState, keys_of
from services.tools.airline.reservations.stored_reservation import FIND, StoredReservation
from switchboard import NoInput
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import call_tool, read, start

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """The customer who requests a write, and the clock reading."""

    user: User
    clock: ClockReading


@dataclass(frozen=True)
class ReservationContext:
    """Everything that a write to a reservation is checked against."""

    user: User
    clock: ClockReading
    kept: StoredReservation
    flights: Flights


async def caller(ctx: restate.Context, user_id: str) -> Caller:
    """Return the customer and the clock reading that every rule is checked with. Raises TerminalError 404."""
    clock = await airline_clock_reading(ctx)
    user = await call_tool(ctx, GET_USER_DETAILS, GetUserDetails(user_id=user_id, signed_in=True), user_id)
    return Caller(user, clock)


async def reservation_context(
    ctx: restate.Context,
    user_id: str,
    reservation_id: str,
    wanted: Sequence[FlightChoice] = (),
) -> ReservationContext:
    """Look up everything for a write. `wanted` are the requested flights. Raises TerminalError 404."""
    who = await caller(ctx, user_id)
    stored = await own_reservation(ctx, user_id, reservation_id)
    flights = await current_flights(ctx, keys_of((*stored.reservation.flights, *wanted)))
    return ReservationContext(who.user, who.clock, stored, flights)


async def own_reservation(ctx: restate.Context, user_id: str, reservation_id: str) -> StoredReservation:
    """Return the customer's reservation. Raises TerminalError 404 and logs a warning, so that probing can be detected.

    Another customer's reservation and one that does not exist get the same refusal, so that nothing leaks.
    """
    stored = (await call_tool(ctx, FIND, NoInput(), reservation_id)).kept
    if stored is not None and stored.reservation.user_id == user_id:
        return stored
    logger.warning("refused: customer %s does not own reservation %s", user_id, private(reservation_id))
    raise restate.TerminalError(
        f"There is no booking {reservation_id} among your reservations. Check the number; your profile lists all of"
        " your reservations. (rule G1)",
        status_code=NOT_FOUND,
    )


async def own_reservations(ctx: restate.Context, user: User) -> list[StoredReservation]:
    """Return all reservations of a customer."""
    calls = [start(ctx, FIND, NoInput(), reservation_id) for reservation_id in user.reservations]
    await restate.gather(*calls)
    found = [(await read(FIND, call)).kept for call in calls]
    return [stored for stored in found if stored is not None and stored.reservation.user_id == user.user_id]


async def current_flights(ctx: restate.Context, keys: Iterable[FlightKey]) -> Flights:
    """Return the flights with their free seats. A flight that does not fly on its day is left out."""
    wanted = list(dict.fromkeys(keys))
    # Start all calls before awaiting any, so that the journal has the same order on every replay.
    calls = [start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(*key)) for key in wanted]
    await restate.gather(*calls)
    found = [await read_flight(call) for call in calls]
    return {key: flight_state_of(flight) for key, flight in zip(wanted, found, strict=True) if flight is not None}


async def read_flight(call: restate.RestateDurableCallFuture[bytes]) -> FlightOnDay | None:
    """Return the flight, or None if it is unknown. A cancellation of this handler was raised before, by `gather`."""
    try:
        return await read(FLIGHT_ON_DAY, call)
    except restate.TerminalError as refused:
        if refused.status_code != NOT_FOUND:
            raise
        return None


def flight_state_of(flight: FlightOnDay) -> FlightState:
    return FlightState(
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        date=flight.date,
        departs=at(flight.date, flight.scheduled_departure_time_est),
        arrives=at(flight.date, flight.scheduled_arrival_time_est),
        day=flight.day,
        late_every_day=flight.late_every_day,
    )
