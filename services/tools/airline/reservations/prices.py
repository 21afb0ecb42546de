"""What a booking costs and what a change of one does, from the rules' figures and the flights' fares. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from services.tools.airline.data.records import Cabin, Membership, Reservation
from services.tools.airline.reservations.contract import BookReservation, FlightChoice
from services.tools.airline.reservations.itinerary import FlightKey, Flights, key_of
from services.tools.airline.rules import BAG_PRICE, INSURANCE_PRICE

FREE_BAGS: dict[Membership, dict[Cabin, int]] = {
    "regular": {"basic_economy": 0, "economy": 1, "business": 2},
    "silver": {"basic_economy": 1, "economy": 2, "business": 3},
    "gold": {"basic_economy": 2, "economy": 3, "business": 4},
}
"""For each passenger."""


def fare(flights: Flights, key: FlightKey, cabin: Cabin) -> Decimal:
    """Of one passenger. For a flight that is on sale."""
    prices = flights[key].day.prices or {}
    return prices[cabin]


def booking_price(request: BookReservation, flights: Flights) -> Decimal:
    """Fares and insurance of all passengers, and the paid bags. For flights that are on sale."""
    each = sum((fare(flights, key_of(flight), request.cabin) for flight in request.flights), Decimal())
    if request.insurance == "yes":
        each += INSURANCE_PRICE
    return each * len(request.passengers) + BAG_PRICE * request.nonfree_baggages


def kept_fares(reservation: Reservation, cabin: Cabin) -> dict[FlightKey, Decimal]:
    """The flights that keep the price they were booked at, if they stay: those whose cabin does not change."""
    if cabin != reservation.cabin:
        return {}
    return {key_of(flight): flight.price for flight in reservation.flights}


def new_fares(
    reservation: Reservation, wanted: Sequence[FlightChoice], cabin: Cabin, flights: Flights
) -> tuple[Decimal, ...]:
    """The price of each wanted flight for one passenger: as it was for a kept one, today's fare for a new one."""
    kept = kept_fares(reservation, cabin)
    return tuple(
        kept[key_of(choice)] if key_of(choice) in kept else fare(flights, key_of(choice), cabin) for choice in wanted
    )


def change_price(reservation: Reservation, wanted: Sequence[FlightChoice], cabin: Cabin, flights: Flights) -> Decimal:
    """What the change costs all passengers; negative when it is refunded."""
    before = sum((flight.price for flight in reservation.flights), Decimal())
    after = sum(new_fares(reservation, wanted, cabin, flights), Decimal())
    return (after - before) * len(reservation.passengers)


def free_bags(membership: Membership, cabin: Cabin, passengers: int) -> int:
    return FREE_BAGS[membership][cabin] * passengers


def paid_bags(total: int, free: int) -> int:
    """Those of all bags that are beyond the free ones."""
    return max(0, total - free)


def owed_bags(membership: Membership, reservation: Reservation) -> int:
    """Bags that are neither free nor paid: those that were free in the cabin that the reservation had before."""
    free = free_bags(membership, reservation.cabin, len(reservation.passengers))
    return max(0, paid_bags(reservation.total_baggages, free) - reservation.nonfree_baggages)


def bags_price(reservation: Reservation, nonfree_baggages: int) -> Decimal:
    """What bags added to the reservation cost."""
    return BAG_PRICE * max(0, nonfree_baggages - reservation.nonfree_baggages)
