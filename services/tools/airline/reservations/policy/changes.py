"""Rules for changes of flights, cabin and passengers (rules C1 to C10). Pure."""

import datetime as dt
from collections.abc import Sequence

from services.tools.airline.data.models import Reservation, User
from services.tools.airline.reservations.contract import (
    FlightChoice,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.facts import readable
from services.tools.airline.reservations.itinerary import (
    FlightKey,
    Flights,
    Leg,
    booked_leg,
    departed_flights,
    is_route,
    key_of,
    keys_of,
    missed_connection,
)
from services.tools.airline.reservations.policy.booking import refuse_missed, refuse_sale
from services.tools.airline.reservations.policy.closed import refuse_closed
from services.tools.airline.reservations.policy.payment import refuse_single_method
from services.tools.airline.reservations.policy.wording import format_flight_key, format_legs, plural
from services.tools.airline.reservations.prices import change_price, kept_fares
from switchboard.toolkit.refusal import Refusal


def may_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Refuse a change that the rules do not allow. `flights` holds the reservation's and the requested flights."""
    return (
        refuse_closed(reservation, flights, now)
        or refuse_basic_economy(request, reservation)
        or refuse_cabin(request, reservation, flights, now)
        or refuse_flown_change(request, reservation, flights, now)
        or refuse_new_route(request, reservation, flights)
        or can_change_flights(request, user, reservation, flights, now)
    )


def can_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Refuse an impossible change: new flights without seats, or a payment method that may not or cannot pay."""
    kept = kept_fares(reservation, request.cabin)
    new = tuple(key for key in keys_of(request.flights) if key not in kept)
    refusal = refuse_sale(new, flights, request.cabin, len(reservation.passengers), now)
    if refusal:
        return refusal
    price = change_price(reservation, request.flights, request.cabin, flights)
    return refuse_single_method(request.payment_id, user, price)


def may_change_passengers(
    request: UpdateReservationPassengers, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Refuse passengers that the rules do not allow. `flights` holds the reservation's flights."""
    return refuse_closed(reservation, flights, now) or can_change_passengers(request, reservation)


def can_change_passengers(request: UpdateReservationPassengers, reservation: Reservation) -> Refusal | None:
    """Refuse a number of passengers other than the booked one."""
    booked, wanted = len(reservation.passengers), len(request.passengers)
    if booked == wanted:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is for {booked} passenger{plural(booked)}, and this number cannot"
        f" be changed to {wanted}. Name exactly {booked}, or make a new booking.",
        rule="C8",
    )


def refuse_basic_economy(request: UpdateReservationFlights, reservation: Reservation) -> Refusal | None:
    if reservation.cabin != "basic_economy" or same_flights(request.flights, reservation):
        return None
    return Refusal(
        f"The flights of reservation {reservation.reservation_id} cannot be changed because it is in basic economy. Its"
        " cabin can be changed if the flights stay the same.",
        rule="C1",
    )


def refuse_cabin(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    flown = departed_flights(reservation, flights, now)
    if request.cabin == reservation.cabin or not flown:
        return None
    return Refusal(
        f"{format_flight_key(flown[0])} of reservation {reservation.reservation_id} has already departed, so its cabin"
        f" stays {readable(reservation.cabin)}.",
        rule="C4",
    )


def refuse_flown_change(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    wanted = keys_of(request.flights)
    for key in departed_flights(reservation, flights, now):
        if key not in wanted:
            return Refusal(
                f"{format_flight_key(key)} has already departed and must stay in reservation"
                f" {reservation.reservation_id}. Include it in the list of flights.",
                rule="C7",
            )
    return None


def refuse_new_route(request: UpdateReservationFlights, reservation: Reservation, flights: Flights) -> Refusal | None:
    """Refuse another route. The reservation itself supplies the legs of kept flights that have no data any more.

    If a new flight does not exist, `refuse_sale` refuses it instead.
    """
    keys = keys_of(request.flights)
    booked: dict[FlightKey, Leg] = {key_of(flight): booked_leg(flight) for flight in reservation.flights}
    known = booked | dict(flights)
    if same_flights(request.flights, reservation) or any(key not in known for key in keys):
        return None
    way = [known[key] for key in keys]
    if not is_route(way, reservation.origin, reservation.destination, reservation.flight_type):
        return Refusal(
            f"The route of reservation {reservation.reservation_id} cannot be changed: {reservation.origin} to"
            f" {reservation.destination}, {readable(reservation.flight_type)}. The requested flights are"
            f" {format_legs(way)}. List all flights, including those that do not change.",
            rule="C2",
        )
    return refuse_missed(missed_connection(way, kept=keys_of(reservation.flights)))


def same_flights(wanted: Sequence[FlightChoice], reservation: Reservation) -> bool:
    return keys_of(wanted) == keys_of(reservation.flights)
