"""Rules for bookings: passengers, route, and flights that are on sale (rules B2 to B4). Pure."""

import datetime as dt
from collections.abc import Sequence

from services.tools.airline.data.models import Cabin, User
from services.tools.airline.reservations.contract import BookReservation
from services.tools.airline.reservations.facts import readable
from services.tools.airline.reservations.itinerary import (
    FlightKey,
    Flights,
    FlightState,
    Leg,
    has_departed,
    is_route,
    keys_of,
    missed_connection,
)
from services.tools.airline.reservations.policy.baggage import refuse_paid_bags
from services.tools.airline.reservations.policy.payment import refuse_method_mix, refuse_methods, refuse_sum
from services.tools.airline.reservations.policy.wording import format_legs, plural
from services.tools.airline.reservations.prices import booking_price
from services.tools.airline.rules import PASSENGERS_MAX
from switchboard.toolkit.refusal import NOT_FOUND, Refusal


def may_book(request: BookReservation, user: User, flights: Flights, now: dt.datetime) -> Refusal | None:
    """Refuse a booking that the rules do not allow. `flights` holds the requested flights that fly on their day."""
    return (
        refuse_party(request)
        or refuse_route(request, flights)
        or refuse_method_mix(request, user)
        or refuse_paid_bags(request, user)
        or can_book(request, user, flights, now)
    )


def can_book(request: BookReservation, user: User, flights: Flights, now: dt.datetime) -> Refusal | None:
    """Refuse an impossible booking: no seats, unknown payment methods, too low a balance or a wrong sum."""
    return (
        refuse_sale(keys_of(request.flights), flights, request.cabin, len(request.passengers), now)
        or refuse_methods(request, user)
        or refuse_sum(request, booking_price(request, flights))
    )


def refuse_party(request: BookReservation) -> Refusal | None:
    count = len(request.passengers)
    if 1 <= count <= PASSENGERS_MAX:
        return None
    return Refusal(
        f"A reservation can have 1 to {PASSENGERS_MAX} passengers, and this one has {count}. Make several bookings.",
        rule="B4",
    )


def refuse_route(request: BookReservation, flights: Flights) -> Refusal | None:
    """Refuse flights that do not form the route. If one of them does not exist, `refuse_sale` refuses it instead."""
    keys = keys_of(request.flights)
    if any(key not in flights for key in keys):
        return None
    way = [flights[key] for key in keys]
    if not is_route(way, request.origin, request.destination, request.flight_type):
        back = f" and back to {request.origin}" if request.flight_type == "round_trip" else ""
        return Refusal(
            f"These flights do not form a route from {request.origin} to {request.destination}{back}:"
            f" {format_legs(way)}. Choose connecting flights or another trip type.",
            rule="B3",
        )
    return refuse_missed(missed_connection(way))


def refuse_missed(flight: Leg | None) -> Refusal | None:
    if flight is None:
        return None
    return Refusal(f"{flight.label} departs before the previous flight has landed. Choose a later flight.", rule="B3")


def refuse_sale(
    wanted: Sequence[FlightKey], flights: Flights, cabin: Cabin, passengers: int, now: dt.datetime
) -> Refusal | None:
    """Refuse flights that are not on sale or do not have a seat for every passenger."""
    for number, day in wanted:
        state = flights.get((number, day))
        if state is None:
            return Refusal(
                f"There is no flight {number} on {day}. Search for the flights on that day.", NOT_FOUND, "B2"
            )
        refusal = refuse_flight(state, cabin, passengers, now)
        if refusal:
            return refusal
    return None


def refuse_flight(flight: FlightState, cabin: Cabin, passengers: int, now: dt.datetime) -> Refusal | None:
    day = flight.day
    if day.status != "available":
        return Refusal(
            f"{flight.label} cannot be booked: its status is {day.status}. Choose another flight.", rule="B2"
        )
    if has_departed(flight, now):
        return Refusal(f"{flight.label} has already departed. Choose a later flight.", rule="B2")
    free = (day.available_seats or {}).get(cabin, 0)
    if free < passengers or cabin not in (day.prices or {}):
        return Refusal(
            f"{flight.label} has {free} free seat{plural(free)} in {readable(cabin)}, and {passengers}"
            f" {'is' if passengers == 1 else 'are'} needed. Choose another flight or cabin.",
            rule="B2",
        )
    return None
