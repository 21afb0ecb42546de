"""Resolve the facts that the question about a write shows: routes, prices, refunds, cards. Pure."""

from decimal import Decimal

from services.tools.airline.data.models import Reservation, User
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
    FlightsFacts,
    MethodFacts,
    Movement,
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
    methods = dict.fromkeys(part.payment_id for part in request.payment_methods)
    return BookingFacts(
        flights=booked_flights(request, flights),
        price=booking_price(request, flights),
        methods=tuple(MethodFacts(payment_id=one, card=card_of(one, user)) for one in methods),
        lost=tuple(lost_of_certificates(request, user)),
    )


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
        reservation=reservation,
        refunds=tuple(
            Movement(payment_id=payment_id, card=card_of(payment_id, user), amount=amount)
            for payment_id, amount in back.items()
        ),
    )


def flights_facts(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights
) -> FlightsFacts:
    """Return the facts of a change of flights or cabin. `flights` holds the new flights, which are on sale."""
    return FlightsFacts(
        reservation=reservation,
        flights=rebooked_flights(reservation, request, flights),
        price=change_price(reservation, request.flights, request.cabin, flights),
        method=MethodFacts(payment_id=request.payment_id, card=card_of(request.payment_id, user)),
    )


def bags_facts(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> BagsFacts:
    return BagsFacts(
        reservation=reservation,
        price=bags_price(reservation, request.nonfree_baggages),
        method=MethodFacts(payment_id=request.payment_id, card=card_of(request.payment_id, user)),
    )


def card_of(payment_id: str, user: User) -> str:
    """Return a card such as "Visa ending in 4242"; empty for other payment methods and for cards without these data."""
    method = user.payment_methods.get(payment_id)
    if method is None or not (method.brand and method.last_four):
        return ""
    return f"{method.brand.title()} ending in {method.last_four}"
