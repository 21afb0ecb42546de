"""Replies to the customer about seats: the free seats, and the change that was made. Pure."""

import datetime as dt

from services.tools.airline.data.models import Reservation, ReservedFlight
from services.tools.airline.flights.contract import Position, SeatMap, SeatMoved
from services.tools.airline.seat_changes.contract import SeatChanged, SeatChoice
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

NAMED_MAX = 3
"""Free seats per position that the summary names; the other fields hold all of them."""


def choice(reservation: Reservation, flight: ReservedFlight, seats: SeatMap, passenger: int) -> SeatChoice | Refusal:
    """Return the free seats of the reservation's cabin by position, and the passenger's seat (counted from 1)."""
    own = next((seat.seat for seat in seats.seats if seat.passenger == passenger), None)
    if own is None:
        return Refusal(
            f"Seats of booking {reservation.reservation_id} on {flight.flight_number} are assigned at check-in.",
            NOT_FOUND,
        )
    window, middle, aisle = (free(seats, reservation, kind) for kind in ("window", "middle", "aisle"))
    return SeatChoice(
        summary=(
            f"Your seat on {flight.flight_number} on {format_day(flight)} is {own}. Free seats in"
            f" {reservation.cabin.replace('_', ' ')}: {format_seats('window', window)};"
            f" {format_seats('middle', middle)}; {format_seats('aisle', aisle)}."
        ),
        confirmation_number=reservation.reservation_id,
        flight_number=flight.flight_number,
        date=dt.date.fromisoformat(flight.date),
        cabin=reservation.cabin,
        seat=own,
        free_window=window,
        free_middle=middle,
        free_aisle=aisle,
    )


def free(seats: SeatMap, reservation: Reservation, kind: str) -> tuple[str, ...]:
    return tuple(
        seat.seat for seat in seats.seats if seat.free and seat.cabin == reservation.cabin and seat.position == kind
    )


def format_seats(kind: Position, seats: tuple[str, ...]) -> str:
    if not seats:
        return f"no {kind} seat"
    named_seats = ", ".join(seats[:NAMED_MAX])
    return f"{len(seats)} {kind} ({named_seats}{', …' if len(seats) > NAMED_MAX else ''})"


def changed(reservation: Reservation, flight: ReservedFlight, moved: SeatMoved) -> SeatChanged:
    """Return the confirmation that the passenger has this seat."""
    state = f"already {moved.seat}" if moved.seat == moved.former else f"now {moved.seat}"
    return SeatChanged(
        summary=f"Your seat on {flight.flight_number} on {format_day(flight)} is {state}.",
        confirmation_number=reservation.reservation_id,
        flight_number=flight.flight_number,
        date=dt.date.fromisoformat(flight.date),
        seat=moved.seat,
        former_seat=moved.former,
    )


def format_day(flight: ReservedFlight) -> str:
    return f"{dt.date.fromisoformat(flight.date):%-d %B}"
