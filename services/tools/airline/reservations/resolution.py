"""Resolve the facts that the question about a write shows: routes, prices, refunds, cards. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from services.tools.airline.data.models import Name, Reservation, ReservedFlight, User
from services.tools.airline.reservations.changes import booked_flights, rebooked_flights
from services.tools.airline.reservations.contract import (
    BookReservation,
    UpdateReservationBaggages,
    UpdateReservationFlights,
)
from services.tools.airline.reservations.facts import (
    BagsFacts,
    BookingFacts,
    CancellationFacts,
    Card,
    FlightFacts,
    FlightsFacts,
    Movement,
    PassengersFacts,
    Trip,
)
from services.tools.airline.reservations.itinerary import Flights
from services.tools.airline.reservations.prices import (
    bags_price,
    booking_price,
    change_price,
    paid_by_method,
    refunds,
)


def booking_facts(request: BookReservation, user: User, flights: Flights) -> BookingFacts:
    """Return the facts of a booking. `flights` holds the requested flights, which are on sale."""
    named = {part.payment_id: card_of(part.payment_id, user) for part in request.payment_methods}
    return BookingFacts(
        route=airports(booked_flights(request, flights)),
        price=booking_price(request, flights),
        cards=tuple(Card(payment_id=payment_id, name=card) for payment_id, card in named.items() if card),
        lost=tuple(lost_of_certificates(request, user)),
    )


def airports(flights: Sequence[ReservedFlight]) -> tuple[str, ...]:
    """Return the airports of a route in order. Flights of older reservations may not connect."""
    route: list[str] = []
    for flight in flights:
        if route[-1:] != [flight.origin]:
            route.append(flight.origin)
        route.append(flight.destination)
    return tuple(route)


def lost_of_certificates(request: BookReservation, user: User) -> list[Movement]:
    """Return what is left of each certificate, because it can be used only once."""
    lost = []
    for payment_id in dict.fromkeys(part.payment_id for part in request.payment_methods):
        method = user.payment_methods.get(payment_id)
        used = sum((part.amount for part in request.payment_methods if part.payment_id == payment_id), Decimal())
        if method and method.source == "certificate" and (method.amount or Decimal()) > used:
            lost.append(Movement(payment_id=payment_id, amount=(method.amount or Decimal()) - used))
    return lost


def cancellation_facts(user: User, reservation: Reservation) -> CancellationFacts:
    back = refunds(paid_by_method(reservation), user)
    return CancellationFacts(
        trip=trip_of(reservation),
        refunds=tuple(
            Movement(payment_id=payment_id, amount=amount, card=card_of(payment_id, user))
            for payment_id, amount in back.items()
        ),
        passengers=names_in(reservation),
    )


def flights_facts(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights
) -> FlightsFacts:
    """Return the facts of a change of flights or cabin. `flights` holds the new flights, which are on sale."""
    return FlightsFacts(
        trip=trip_of(reservation),
        route=airports(rebooked_flights(reservation, request, flights)),
        price=change_price(reservation, request.flights, request.cabin, flights),
        card=card_of(request.payment_id, user),
        passengers=names_in(reservation),
    )


def passengers_facts(reservation: Reservation) -> PassengersFacts:
    return PassengersFacts(trip=trip_of(reservation), passengers=reservation.passengers)


def bags_facts(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> BagsFacts:
    return BagsFacts(
        trip=trip_of(reservation),
        total_baggages=reservation.total_baggages,
        nonfree_baggages=reservation.nonfree_baggages,
        price=bags_price(reservation, request.nonfree_baggages),
        card=card_of(request.payment_id, user),
        passengers=names_in(reservation),
    )


def trip_of(reservation: Reservation) -> Trip:
    return Trip(
        origin=reservation.origin,
        destination=reservation.destination,
        flight_type=reservation.flight_type,
        cabin=reservation.cabin,
        flights=tuple(
            FlightFacts(
                flight_number=flight.flight_number,
                origin=flight.origin,
                destination=flight.destination,
                date=flight.date,
            )
            for flight in reservation.flights
        ),
    )


def names_in(reservation: Reservation) -> tuple[Name, ...]:
    return tuple(Name(first_name=person.first_name, last_name=person.last_name) for person in reservation.passengers)


def card_of(payment_id: str, user: User) -> str:
    """Return a card such as "Visa ending in 4242"; empty for other payment methods and for cards without these data."""
    method = user.payment_methods.get(payment_id)
    if method is None or not (method.brand and method.last_four):
        return ""
    return f"{method.brand.title()} ending in {method.last_four}"
