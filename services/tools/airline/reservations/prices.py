"""Prices of bookings and changes, from the rules' figures and the flights' fares. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.tools.airline.data.models import Cabin, Membership, Reservation, User
from services.tools.airline.reservations.contract import BookReservation, FlightChoice
from services.tools.airline.reservations.itinerary import FlightKey, Flights, key_of
from services.tools.airline.rules import BAG_PRICE, INSURANCE_PRICE

FREE_BAGS: dict[Membership, dict[Cabin, int]] = {
    "regular": {"basic_economy": 0, "economy": 1, "business": 2},
    "silver": {"basic_economy": 1, "economy": 2, "business": 3},
    "gold": {"basic_economy": 2, "economy": 3, "business": 4},
}
"""Free checked bags per passenger (rule L1)."""


def fare(flights: Flights, key: FlightKey, cabin: Cabin) -> Decimal:
    """Return the fare for one passenger. The flight must be on sale."""
    prices = flights[key].day.prices or {}
    return prices[cabin]


def booking_price(request: BookReservation, flights: Flights) -> Decimal:
    """Return the fares and insurance of all passengers plus the paid bags. The flights must be on sale."""
    each = sum((fare(flights, key_of(flight), request.cabin) for flight in request.flights), Decimal())
    if request.insurance == "yes":
        each += INSURANCE_PRICE
    return each * len(request.passengers) + BAG_PRICE * request.nonfree_baggages


def kept_fares(reservation: Reservation, cabin: Cabin) -> dict[FlightKey, Decimal]:
    """Return the booked prices of the flights that would keep them: all of them, unless the cabin changes."""
    if cabin != reservation.cabin:
        return {}
    return {key_of(flight): flight.price for flight in reservation.flights}


def new_fares(
    reservation: Reservation, wanted: Sequence[FlightChoice], cabin: Cabin, flights: Flights
) -> tuple[Decimal, ...]:
    """Return the price per passenger of each wanted flight: the booked price if it is kept, else today's fare."""
    kept = kept_fares(reservation, cabin)
    return tuple(
        kept[key_of(choice)] if key_of(choice) in kept else fare(flights, key_of(choice), cabin) for choice in wanted
    )


def change_price(reservation: Reservation, wanted: Sequence[FlightChoice], cabin: Cabin, flights: Flights) -> Decimal:
    """Return the price of the change for all passengers; negative for a refund."""
    before = sum((flight.price for flight in reservation.flights), Decimal())
    after = sum(new_fares(reservation, wanted, cabin, flights), Decimal())
    return (after - before) * len(reservation.passengers)


def free_bags(membership: Membership, cabin: Cabin, passengers: int) -> int:
    return FREE_BAGS[membership][cabin] * passengers


def paid_bags(total: int, free: int) -> int:
    """Return the number of bags beyond the free ones."""
    return max(0, total - free)


def owed_bags(membership: Membership, reservation: Reservation) -> int:
    """Return the number of bags that are neither free nor paid: they were free in the reservation's former cabin."""
    free = free_bags(membership, reservation.cabin, len(reservation.passengers))
    return max(0, paid_bags(reservation.total_baggages, free) - reservation.nonfree_baggages)


def bags_price(reservation: Reservation, nonfree_baggages: int) -> Decimal:
    """Return the price of the added bags."""
    return BAG_PRICE * max(0, nonfree_baggages - reservation.nonfree_baggages)


def paid_by_method(reservation: Reservation) -> dict[str, Decimal]:
    """Return the sum that each payment method has paid for the reservation."""
    sums: dict[str, Decimal] = {}
    for payment in reservation.payment_history:
        sums[payment.payment_id] = sums.get(payment.payment_id, Decimal()) + payment.amount
    return sums


def refunds(paid: Mapping[str, Decimal], user: User) -> dict[str, Decimal]:
    """Return what each payment method gets back, from what each has paid; a negative sum was refunded before.

    Earlier refunds to other payment methods beyond what those had paid are deducted, from cards first, so that nothing
    is refunded twice.
    """
    given = -sum((amount for amount in paid.values() if amount < 0), Decimal())
    back: dict[str, Decimal] = {}
    for payment_id, amount in sorted(paid.items(), key=lambda payment: not is_card(user, payment[0])):
        kept_back = min(given, max(amount, Decimal()))
        given -= kept_back
        if amount > kept_back:
            back[payment_id] = amount - kept_back
    return back


def is_card(user: User, payment_id: str) -> bool:
    """Return whether the payment method is a credit card in the customer's profile."""
    method = user.payment_methods.get(payment_id)
    return method is not None and method.source == "credit_card"
