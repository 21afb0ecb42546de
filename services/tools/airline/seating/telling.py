"""What a customer is told about seats: the choice there is, and the change that was made. Pure."""

import datetime as dt

from services.tools.airline.data.records import Reservation, ReservedFlight
from services.tools.airline.flights.contract import Position, SeatMap, SeatMoved
from services.tools.airline.seating.contract import SeatChanged, SeatChoice
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

NAMED_MAX = 3
"""Free seats of a kind that the sentence names; the fields beside it hold them all."""


def choice(reservation: Reservation, flight: ReservedFlight, seats: SeatMap, passenger: int) -> SeatChoice | Refusal:
    """The free seats of the reservation's cabin by kind, and the seat that the passenger (counted from 1) has."""
    own = next((seat.seat for seat in seats.seats if seat.passenger == passenger), None)
    if own is None:
        return Refusal(
            f"Seats of booking {reservation.reservation_id} on {flight.flight_number} are given at check-in.", NOT_FOUND
        )
    window, middle, aisle = (free(seats, reservation, kind) for kind in ("window", "middle", "aisle"))
    return SeatChoice(
        summary=(
            f"Your seat on {flight.flight_number} on {format_flight_date(flight)} is {own}. Free in"
            f" {reservation.cabin.replace('_', ' ')}: {named('window', window)}; {named('middle', middle)};"
            f" {named('aisle', aisle)}."
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


def named(kind: Position, seats: tuple[str, ...]) -> str:
    if not seats:
        return f"no {kind} seat"
    named_seats = ", ".join(seats[:NAMED_MAX])
    return f"{len(seats)} {kind} ({named_seats}{', …' if len(seats) > NAMED_MAX else ''})"


def changed(reservation: Reservation, flight: ReservedFlight, moved: SeatMoved) -> SeatChanged:
    """That the passenger has this seat now, or had it already."""
    state = f"{moved.seat} already" if moved.seat == moved.former else f"now {moved.seat}"
    return SeatChanged(
        summary=f"Your seat on {flight.flight_number} on {format_flight_date(flight)} is {state}.",
        confirmation_number=reservation.reservation_id,
        flight_number=flight.flight_number,
        date=dt.date.fromisoformat(flight.date),
        seat=moved.seat,
        former_seat=moved.former,
    )


def format_flight_date(flight: ReservedFlight) -> str:
    return f"{dt.date.fromisoformat(flight.date):%-d %B}"
