"""What a customer is told about seats: the choice there is, and the change that was made. Pure."""

from services.tools.flights.contract import Position, SeatMap
from services.tools.reservations.contract import BookedFlight, Reservation, SeatChanged, SeatChoice

NAMED_MAX = 3
"""Free seats of a kind that the sentence names; the fields beside it hold them all."""


def choice(booking: Reservation, flight: BookedFlight, seats: SeatMap, passenger: int = 1) -> SeatChoice:
    """The free seats of the booking's cabin by kind, and the seat that the passenger (counted from 1) has."""
    own = flight.seats[passenger - 1]
    window = free(seats, booking, "window")
    middle = free(seats, booking, "middle")
    aisle = free(seats, booking, "aisle")
    return SeatChoice(
        summary=(
            f"Your seat on {flight.flight_number} on {flight.date:%-d %B} is {own}. Free in {booking.cabin}: "
            f"{named('window', window)}; {named('middle', middle)}; {named('aisle', aisle)}."
        ),
        confirmation_number=booking.confirmation_number,
        flight_number=flight.flight_number,
        date=flight.date,
        cabin=booking.cabin,
        seat=own,
        free_window=window,
        free_middle=middle,
        free_aisle=aisle,
    )


def free(seats: SeatMap, booking: Reservation, kind: Position) -> tuple[str, ...]:
    return tuple(
        seat.seat for seat in seats.seats if seat.free and seat.cabin == booking.cabin and seat.position == kind
    )


def named(kind: Position, seats: tuple[str, ...]) -> str:
    if not seats:
        return f"no {kind} seat"
    named_seats = ", ".join(seats[:NAMED_MAX])
    return f"{len(seats)} {kind} ({named_seats}{', …' if len(seats) > NAMED_MAX else ''})"


def changed(booking: Reservation, flight: BookedFlight, seat: str, former: str) -> SeatChanged:
    """That the booking has this seat now, or had it already."""
    state = f"{seat} already" if seat == former else f"now {seat}"
    return SeatChanged(
        summary=f"Your seat on {flight.flight_number} on {flight.date:%-d %B} is {state}.",
        confirmation_number=booking.confirmation_number,
        flight_number=flight.flight_number,
        date=flight.date,
        seat=seat,
        former_seat=former,
    )
