"""Find the flight and the passenger of a request, and check whether the seat may be changed. Pure."""

import datetime as dt

from services.tools.airline.data.models import Reservation, ReservedFlight
from services.tools.airline.data.schedule import at
from services.tools.airline.flights.contract import FlightOnDay
from switchboard.toolkit.refusal import NOT_FOUND, Refusal


def passenger_to_seat(reservation: Reservation, name: str | None) -> int | Refusal:
    """Return the number, counted from 1, of the named passenger or of the only one."""
    number = reservation.reservation_id
    names = [f"{person.first_name} {person.last_name}" for person in reservation.passengers]
    if name is None:
        if len(names) == 1:
            return 1
        return Refusal(
            f"Booking {number} has {len(names)} passengers. Please say whose seat to change: {', '.join(names)}.",
            quotes_others=True,
        )
    wanted = name.strip().casefold()
    for passenger, known in enumerate(names, start=1):
        if known.casefold() == wanted:
            return passenger
    return Refusal(
        f"There is no passenger {name} in booking {number}. Its passengers are {', '.join(names)}.",
        NOT_FOUND,
        quotes_others=True,
    )


def flight_to_change(
    reservation: Reservation, flights: tuple[FlightOnDay | None, ...], flight_number: str | None, now: dt.datetime
) -> ReservedFlight | Refusal:
    """Return the named flight, or the only one that has not departed, if its seat may still be changed.

    `flights` is the current state of the reservation's flights, with None for a flight that has no data any more.
    """
    number = reservation.reservation_id
    if reservation.status == "cancelled":
        return Refusal(f"Booking {number} is cancelled, so its seats cannot be changed.")
    upcoming = [
        flight
        for flight, state in zip(reservation.flights, flights, strict=True)
        if state is not None and departs_later(state, now)
    ]
    if flight_number:
        return named_flight(reservation, flight_number, upcoming)
    if not upcoming:
        return Refusal(f"All flights of booking {number} have departed, so its seats cannot be changed.")
    if len(upcoming) > 1:
        choice = " or ".join(f"{flight.flight_number} on {flight.date}" for flight in upcoming)
        return Refusal(f"Booking {number} has {len(upcoming)} upcoming flights. Please say which one: {choice}.")
    return upcoming[0]


def departs_later(flight: FlightOnDay, now: dt.datetime) -> bool:
    return flight.day.status not in ("flying", "landed") and at(flight.date, flight.scheduled_departure_time_est) > now


def named_flight(
    reservation: Reservation, flight_number: str, upcoming: list[ReservedFlight]
) -> ReservedFlight | Refusal:
    for flight in reservation.flights:
        if flight.flight_number == flight_number:
            departed = f"{flight_number} on {flight.date} has already departed, so the seat cannot be changed."
            return flight if flight in upcoming else Refusal(departed)
    numbers = ", ".join(flight.flight_number for flight in reservation.flights)
    return Refusal(
        f"Flight {flight_number} is not part of booking {reservation.reservation_id}. Its flights are {numbers}.",
        NOT_FOUND,
    )


def refuse_cancelled(flight: FlightOnDay) -> Refusal | None:
    if flight.day.status != "cancelled":
        return None
    return Refusal(f"{flight.flight_number} on {flight.date} is cancelled, so its seats cannot be changed.")
