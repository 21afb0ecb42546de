"""Which flights, cabins and passengers of a reservation may be changed (rules C1 to C10). Pure."""

import datetime as dt
from collections.abc import Sequence

from services.tools.airline.data.records import Reservation, User
from services.tools.airline.reservations.contract import (
    FlightChoice,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import (
    FlightKey,
    Flights,
    Leg,
    booked_leg,
    key_of,
    keys_of,
    leads,
    left,
    missed,
)
from services.tools.airline.reservations.policy.booking import refuse_missed, refuse_sale
from services.tools.airline.reservations.policy.payment import refuse_single_method
from services.tools.airline.reservations.policy.settled import refuse_settled
from services.tools.airline.reservations.policy.wording import legs, named, plural, spoken
from services.tools.airline.reservations.prices import change_price, kept_fares
from switchboard.toolkit.refusal import Refusal


def may_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether flights or cabin may be changed so. `flights` holds those of the reservation and of the request."""
    return (
        refuse_settled(reservation, flights, now)
        or refuse_basic_economy(request, reservation)
        or refuse_cabin(request, reservation, flights, now)
        or refuse_flown_change(request, reservation, flights, now)
        or refuse_new_route(request, reservation, flights)
        or can_change_flights(request, user, reservation, flights, now)
    )


def can_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether the change is possible: new flights with seats, and one means that may pay it and can."""
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
    """Whether these may fly in the place of those booked. `flights` holds the reservation's."""
    return refuse_settled(reservation, flights, now) or can_change_passengers(request, reservation)


def can_change_passengers(request: UpdateReservationPassengers, reservation: Reservation) -> Refusal | None:
    """Whether there is a seat for each."""
    booked, wanted = len(reservation.passengers), len(request.passengers)
    if booked == wanted:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is for {booked} passenger{plural(booked)}, and that number cannot"
        f" change; {wanted} were named. Name {booked}, or make another booking.",
        rule="C8",
    )


def refuse_basic_economy(request: UpdateReservationFlights, reservation: Reservation) -> Refusal | None:
    if reservation.cabin != "basic_economy" or same_flights(request.flights, reservation):
        return None
    return Refusal(
        f"The flights of reservation {reservation.reservation_id} cannot be changed: it is basic economy. Its cabin can"
        " be changed, with the flights as they are.",
        rule="C1",
    )


def refuse_cabin(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    flown = left(reservation, flights, now)
    if request.cabin == reservation.cabin or not flown:
        return None
    return Refusal(
        f"{named(flown[0])} of reservation {reservation.reservation_id} has left, so its cabin stays"
        f" {spoken(reservation.cabin)}.",
        rule="C4",
    )


def refuse_flown_change(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    wanted = keys_of(request.flights)
    for key in left(reservation, flights, now):
        if key not in wanted:
            return Refusal(
                f"{named(key)} has left and stays in reservation {reservation.reservation_id}. Name it along with"
                " the flights that change.",
                rule="C7",
            )
    return None


def refuse_new_route(request: UpdateReservationFlights, reservation: Reservation, flights: Flights) -> Refusal | None:
    """Of a kept flight that nobody knows any more the reservation itself tells the way. New flights that do not fly at
    all are refused by `refuse_sale`; the route of the others is not judged then."""
    keys = keys_of(request.flights)
    booked: dict[FlightKey, Leg] = {key_of(flight): booked_leg(flight) for flight in reservation.flights}
    known = booked | dict(flights)
    if same_flights(request.flights, reservation) or any(key not in known for key in keys):
        return None
    way = [known[key] for key in keys]
    if not leads(way, reservation.origin, reservation.destination, reservation.flight_type):
        return Refusal(
            f"Reservation {reservation.reservation_id} is {spoken(reservation.flight_type)} from {reservation.origin}"
            f" to {reservation.destination} and stays so; these flights are {legs(way)}. Name all its flights, also"
            " those that do not change.",
            rule="C2",
        )
    return refuse_missed(missed(way, kept=keys_of(reservation.flights)))


def same_flights(wanted: Sequence[FlightChoice], reservation: Reservation) -> bool:
    return keys_of(wanted) == keys_of(reservation.flights)
