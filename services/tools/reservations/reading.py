"""What the desk reads before it decides: the customer, their own reservations, flights as they stand."""

import logging
from collections.abc import Iterable
from decimal import Decimal

import restate

from services.tools.airline_data.records import Reservation, User
from services.tools.airline_data.schedule import at
from services.tools.call import ask, read, start
from services.tools.customers.contract import GET_USER_DETAILS, GetUserDetails
from services.tools.flights.contract import FLIGHT_ON_DAY, FlightOnDay, seats_key
from services.tools.refusal import NOT_FOUND
from services.tools.reservations.keeping import FIND, Kept
from services.tools.reservations.travel import FlightKey, Flights, FlightState
from switchboard import NoInput
from switchboard.telemetry.logs import private

logger = logging.getLogger(__name__)


async def customer(ctx: restate.Context, user_id: str) -> User:
    """The profile of a customer who was admitted. Raises TerminalError 404."""
    return await ask(ctx, GET_USER_DETAILS, GetUserDetails(user_id=user_id, signed_in=True), user_id)


async def own(ctx: restate.Context, user_id: str, reservation_id: str) -> Kept:
    """The customer's reservation. Raises TerminalError 404, and leaves a line for those who watch for probing.

    One refusal for another's and for nobody's: it tells nothing.
    """
    kept = (await ask(ctx, FIND, NoInput(), reservation_id)).kept
    if kept is not None and kept.reservation.user_id == user_id:
        return kept
    logger.warning("refused: customer %s asked for reservation %s, not theirs", user_id, private(reservation_id))
    raise restate.TerminalError(
        f"There is no booking {reservation_id} among your reservations. Check the number, or look"
        " at your profile, which lists them. (rule G1)",
        status_code=NOT_FOUND,
    )


async def all_own(ctx: restate.Context, user: User) -> list[Kept]:
    """All reservations of a customer."""
    calls = [start(ctx, FIND, NoInput(), reservation_id) for reservation_id in user.reservations]
    await restate.gather(*calls)
    found = [(await read(FIND, call)).kept for call in calls]
    return [kept for kept in found if kept is not None and kept.reservation.user_id == user.user_id]


async def as_they_stand(ctx: restate.Context, keys: Iterable[FlightKey]) -> Flights:
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
    )


def paid_by_method(reservation: Reservation) -> dict[str, Decimal]:
    """What each payment method has paid for the reservation in all."""
    sums: dict[str, Decimal] = {}
    for payment in reservation.payment_history:
        sums[payment.payment_id] = sums.get(payment.payment_id, Decimal()) + payment.amount
    return sums
