"""Compute a reservation after a booking, cancellation or change. Pure; the policy was checked before."""

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal

from services.tools.airline.data.models import Payment, Reservation, ReservedFlight
from services.tools.airline.data.schedule import format_local_time
from services.tools.airline.reservations.contract import (
    BookReservation,
    FlightChoice,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import FlightKey, Flights, FlightState, key_of, keys_of
from services.tools.airline.reservations.policy.compensation import with_disruptions
from services.tools.airline.reservations.prices import fare, new_fares
from services.tools.airline.reservations.stored_reservation import StoredReservation
from services.tools.airline.settings import AirlineIds

BENCHMARK_IDS = ("HATHAT", "HATHAU", "HATHAV")
ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
ID_LENGTH = 6
IDS_DRAWN_MAX = 5
"""With about a billion possible ids, the first draw is almost always free."""


def new_ids(drawn: random.Random, ids: AirlineIds) -> Iterator[str]:
    """Yield the ids to try for a new reservation, in order."""
    yield from BENCHMARK_IDS if ids == "benchmark" else ()
    for _ in range(IDS_DRAWN_MAX):
        yield "".join(drawn.choice(ID_LETTERS) for _ in range(ID_LENGTH))


def booked(request: BookReservation, reservation_id: str, flights: Flights, now: dt.datetime) -> StoredReservation:
    reservation = Reservation(
        reservation_id=reservation_id,
        user_id=request.user_id,
        origin=request.origin,
        destination=request.destination,
        flight_type=request.flight_type,
        cabin=request.cabin,
        flights=booked_flights(request, flights),
        passengers=tuple(person.record() for person in request.passengers),
        payment_history=tuple(Payment(payment_id=p.payment_id, amount=p.amount) for p in request.payment_methods),
        created_at=format_local_time(now),
        total_baggages=request.total_baggages,
        nonfree_baggages=request.nonfree_baggages,
        insurance=request.insurance,
    )
    return StoredReservation(reservation=reservation)


def booked_flights(request: BookReservation, flights: Flights) -> tuple[ReservedFlight, ...]:
    """Return the flights of a booking with their fares."""
    keys = keys_of(request.flights)
    return tuple(
        reserved(choice, fare(flights, key, request.cabin), flights[key])
        for choice, key in zip(request.flights, keys, strict=True)
    )


def rebooked_flights(
    reservation: Reservation, request: UpdateReservationFlights, flights: Flights
) -> tuple[ReservedFlight, ...]:
    """Return the flights after a change, each with its booked price if it is kept, else with today's fare."""
    fares = new_fares(reservation, request.flights, request.cabin, flights)
    ways: dict[FlightKey, ReservedFlight | FlightState] = {**flights}
    ways |= {key_of(flight): flight for flight in reservation.flights}
    return tuple(
        reserved(choice, price, ways[key_of(choice)]) for choice, price in zip(request.flights, fares, strict=True)
    )


def reserved(choice: FlightChoice, price: Decimal, way: ReservedFlight | FlightState) -> ReservedFlight:
    """Return the chosen flight with its fare for one passenger."""
    return ReservedFlight(
        flight_number=choice.flight_number,
        origin=way.origin,
        destination=way.destination,
        date=choice.date,
        price=price,
    )


def cancelled(stored: StoredReservation, flights: Flights) -> StoredReservation:
    """Return the cancelled reservation with all payments refunded. `flights` is the current state of its flights."""
    paid = stored.reservation.payment_history
    back = tuple(Payment(payment_id=payment.payment_id, amount=-payment.amount) for payment in paid)
    return with_fields(with_disruptions(stored, flights), status="cancelled", payment_history=(*paid, *back))


def with_flights(
    stored: StoredReservation, request: UpdateReservationFlights, flights: Flights, price: Decimal
) -> StoredReservation:
    """Return the reservation with the new flights or cabin, and the difference in price as a payment.

    A request that changes neither does not count as a change after a disruption (rule K4).
    """
    changed = with_fields(
        stored,
        cabin=request.cabin,
        flights=rebooked_flights(stored.reservation, request, flights),
        payment_history=paid_on_top(stored.reservation, request.payment_id, price),
    )
    if request.cabin == stored.reservation.cabin and keys_of(request.flights) == keys_of(stored.reservation.flights):
        return changed
    return changed.model_copy(update={"changed": True, "disruptions": with_disruptions(stored, flights).disruptions})


def with_passengers(stored: StoredReservation, request: UpdateReservationPassengers) -> StoredReservation:
    return with_fields(stored, passengers=tuple(person.record() for person in request.passengers))


def with_bags(stored: StoredReservation, request: UpdateReservationBaggages, price: Decimal) -> StoredReservation:
    """Return the reservation with more bags.

    Bags that were paid for stay paid, even if a better cabin now makes them free. So the customer does not pay a second
    time after moving back to a cabin in which they are not free.
    """
    return with_fields(
        stored,
        total_baggages=request.total_baggages,
        nonfree_baggages=max(request.nonfree_baggages, stored.reservation.nonfree_baggages),
        payment_history=paid_on_top(stored.reservation, request.payment_id, price),
    )


def paid_on_top(reservation: Reservation, payment_id: str, price: Decimal) -> tuple[Payment, ...]:
    """Return the payments with one more, which is negative for a refund; unchanged if the price is 0."""
    added = (Payment(payment_id=payment_id, amount=price),) if price else ()
    return (*reservation.payment_history, *added)


def with_fields(stored: StoredReservation, **fields: object) -> StoredReservation:
    return stored.model_copy(update={"reservation": stored.reservation.model_copy(update=fields)})


def seats_to_take(reservation: Reservation, request: UpdateReservationFlights) -> tuple[FlightKey, ...]:
    """Return the flights on which the change needs new seats: new flights, or all flights after a change of cabin."""
    if request.cabin != reservation.cabin:
        return keys_of(request.flights)
    return tuple(key for key in keys_of(request.flights) if key not in keys_of(reservation.flights))


def seats_to_give_back(reservation: Reservation, request: UpdateReservationFlights) -> tuple[FlightKey, ...]:
    """Return the flights on which the change frees seats."""
    if request.cabin != reservation.cabin:
        return keys_of(reservation.flights)
    return tuple(key for key in keys_of(reservation.flights) if key not in keys_of(request.flights))
