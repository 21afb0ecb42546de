"""Which booking and which of its flights a customer may act on: the rules that reservations keep. Pure."""

import datetime as dt
from dataclasses import dataclass

from services.tools.demo_data.airline import BookingData, CustomerData
from services.tools.reservations.contract import BookedFlight, Reservation

NOT_FOUND = 404
CONFLICT = 409


@dataclass(frozen=True)
class Refusal:
    """Why not, in a sentence for the customer, and as an HTTP status."""

    why: str
    status_code: int = CONFLICT


def own_booking(customer: CustomerData | None, confirmation_number: str) -> tuple[CustomerData, BookingData] | Refusal:
    """The customer with the booking of that number. One refusal for another's and for nobody's: no leak."""
    if customer:
        for booking in customer.bookings:
            if booking.confirmation_number == confirmation_number:
                return customer, booking
    return Refusal(
        f"There is no booking {confirmation_number} among your bookings. Check the confirmation number,"
        " or ask for the list of your bookings.",
        NOT_FOUND,
    )


def passenger_to_seat(booking: Reservation, name: str | None) -> int | Refusal:
    """Which passenger of the booking, counted from 1, is meant: the named one, or the only one."""
    number = booking.confirmation_number
    names = ", ".join(booking.passengers)
    if name is None:
        if len(booking.passengers) == 1:
            return 1
        return Refusal(f"Booking {number} has {len(booking.passengers)} passengers. Say whose seat: {names}.")
    wanted = name.strip().casefold()
    for passenger, known in enumerate(booking.passengers, start=1):
        if known.casefold() == wanted:
            return passenger
    return Refusal(f"There is no passenger {name} in booking {number}. Passengers: {names}.", NOT_FOUND)


def cancellable(booking: Reservation, made_here: bool, now: dt.datetime) -> Refusal | None:
    """Whether a booking can be cancelled at all; what it costs is another question."""
    number = booking.confirmation_number
    if booking.status == "cancelled":
        return Refusal(f"Booking {number} is cancelled already.")
    if not made_here:
        return Refusal(f"Booking {number} was not made here. It can be cancelled only where it was bought.")
    if booking.flights[0].departure <= now:
        return Refusal(f"The flight of booking {number} has departed, so it cannot be cancelled.")
    return None


def flight_to_change(booking: Reservation, flight_number: str | None, now: dt.datetime) -> BookedFlight | Refusal:
    """The flight of the booking whose seat may be changed at `now`: the named one, or the only one still to depart."""
    number = booking.confirmation_number
    if booking.status == "cancelled":
        return Refusal(f"Booking {number} is cancelled, so its seats cannot be changed.")
    upcoming = [flight for flight in booking.flights if flight.departure > now]
    if flight_number:
        return named_flight(booking, flight_number, upcoming)
    if not upcoming:
        return Refusal(f"All flights of booking {number} have departed, so its seats cannot be changed.")
    if len(upcoming) > 1:
        choice = " or ".join(f"{flight.flight_number} on {flight.date:%-d %B}" for flight in upcoming)
        return Refusal(f"Booking {number} has {len(upcoming)} flights to come. Say which one: {choice}.")
    return upcoming[0]


def named_flight(booking: Reservation, flight_number: str, upcoming: list[BookedFlight]) -> BookedFlight | Refusal:
    for flight in booking.flights:
        if flight.flight_number == flight_number:
            departed = f"{flight_number} departed on {flight.date:%-d %B}, so the seat cannot be changed."
            return flight if flight in upcoming else Refusal(departed)
    numbers = ", ".join(flight.flight_number for flight in booking.flights)
    return Refusal(
        f"Flight {flight_number} is not part of booking {booking.confirmation_number}. Its flights: {numbers}.",
        NOT_FOUND,
    )
