"""Lookups before a write is decided: the customer, their own reservations, and the current state of flights."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import restate

from services.tools.airline.clock import Moment, airline_moment
from services.tools.airline.customers.contract import GET_USER_DETAILS, GetUserDetails
from services.tools.airline.data.records import Reservation, User
from services.tools.airline.data.schedule import at
from services.tools.airline.flights.contract import FLIGHT_ON_DAY, FlightOnDay, seats_key
from services.tools.airline.reservations.contract import FlightChoice
from services.tools.airline.reservations.itinerary import FlightKey, Flights, FlightState, keys_of
from services.tools.airline.reservations.record import FIND, StoredReservation
from switchboard import NoInput
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import call_tool, read, start

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who asks for a write, and when."""

    user: User
    moment: Moment


@dataclass(frozen=True)
class ReservationContext:
    """What a write on a reservation is decided on: who asks and when, the reservation, and flights as they stand."""

    user: User
    moment: Moment
    kept: StoredReservation
    flights: Flights


async def caller(ctx: restate.Context, user_id: str) -> Caller:
    """Return who asks for a write, and the moment at which every rule is checked. Raises TerminalError 404."""
    moment = await airline_moment(ctx)
    user = await call_tool(ctx, GET_USER_DETAILS, GetUserDetails(user_id=user_id, signed_in=True), user_id)
    return Caller(user, moment)


async def reservation_context(
    ctx: restate.Context,
    user_id: str,
    reservation_id: str,
    wanted: Sequence[FlightChoice] = (),
) -> ReservationContext:
    """How a write on a reservation begins; `wanted` are flights that it asks for. TerminalError 404."""
    who = await caller(ctx, user_id)
    kept = await own_reservation(ctx, user_id, reservation_id)
    flights = await current_flights(ctx, keys_of((*kept.reservation.flights, *wanted)))
    return ReservationContext(who.user, who.moment, kept, flights)


async def own_reservation(ctx: restate.Context, user_id: str, reservation_id: str) -> StoredReservation:
    """The customer's reservation. Raises TerminalError 404, and leaves a line for those who watch for probing.

    One refusal for another's and for nobody's: it tells nothing.
    """
    kept = (await call_tool(ctx, FIND, NoInput(), reservation_id)).kept
    if kept is not None and kept.reservation.user_id == user_id:
        return kept
    logger.warning("refused: customer %s asked for reservation %s, not theirs", user_id, private(reservation_id))
    raise restate.TerminalError(
        f"There is no booking {reservation_id} among your reservations. Check the number, or look"
        " at your profile, which lists them. (rule G1)",
        status_code=NOT_FOUND,
    )


async def own_reservations(ctx: restate.Context, user: User) -> list[StoredReservation]:
    """All reservations of a customer."""
    calls = [start(ctx, FIND, NoInput(), reservation_id) for reservation_id in user.reservations]
    await restate.gather(*calls)
    found = [(await read(FIND, call)).kept for call in calls]
    return [kept for kept in found if kept is not None and kept.reservation.user_id == user.user_id]


async def current_flights(ctx: restate.Context, keys: Iterable[FlightKey]) -> Flights:
    """The flights with the seats that are free now; one that does not fly on its day is left out."""
    wanted = list(dict.fromkeys(keys))
    # All are started before any is awaited: the journal then holds them in one order on every replay.
    calls = [start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(*key)) for key in wanted]
    await restate.gather(*calls)
    found = [await answered(call) for call in calls]
    return {key: state(flight) for key, flight in zip(wanted, found, strict=True) if flight is not None}


async def answered(call: restate.RestateDurableCallFuture[bytes]) -> FlightOnDay | None:
    """The flight; None for one that is not known. Our own cancellation has surfaced before."""
    try:
        return await read(FLIGHT_ON_DAY, call)
    except restate.TerminalError as refused:
        if refused.status_code != NOT_FOUND:
            raise
        return None


def state(flight: FlightOnDay) -> FlightState:
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


def paid_by_method(reservation: Reservation) -> dict[str, Decimal]:
    """What each payment method has paid for the reservation in all."""
    sums: dict[str, Decimal] = {}
    for payment in reservation.payment_history:
        sums[payment.payment_id] = sums.get(payment.payment_id, Decimal()) + payment.amount
    return sums
