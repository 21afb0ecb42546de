"""What a customer is told of the seats that they could have, and of the one that they got."""

from datetime import UTC, date, datetime

from services.tools.demo_data.airline import airline
from services.tools.flights.contract import Cabin, Position, Seat, SeatMap
from services.tools.reservations.bookings import Ledger, reservation
from services.tools.reservations.seat_choice import changed, choice

ALICE = airline().customers[0]
BOOKING = reservation(
    airline(), ALICE, ALICE.bookings[0], Ledger(opened_on=date(2026, 11, 23)), datetime(2026, 11, 23, tzinfo=UTC)
)
FLIGHT = BOOKING.flights[0]


def seat(name: str, position: Position, free: bool = True, cabin: Cabin = "economy") -> Seat:
    return Seat(seat=name, cabin=cabin, position=position, free=free)


SEATS = SeatMap(
    seats=(
        seat("1A", "window", cabin="business"),
        seat("5A", "window"),
        seat("5B", "middle", free=False),
        *(seat(f"{row}C", "aisle") for row in range(6, 11)),
    )
)


def test_only_free_seats_of_the_bookings_own_cabin_are_offered() -> None:
    offered = choice(BOOKING, FLIGHT, SEATS)
    assert (offered.free_window, offered.free_middle) == (("5A",), ())
    assert offered.free_aisle == ("6C", "7C", "8C", "9C", "10C")


def test_the_choice_is_told_in_short() -> None:
    assert choice(BOOKING, FLIGHT, SEATS).summary == (
        "Your seat on SB245 on 3 December is 12C. "
        "Free in economy: 1 window (5A); no middle seat; 5 aisle (6C, 7C, 8C, …)."
    )


def test_a_change_is_told_in_a_sentence() -> None:
    assert changed(BOOKING, FLIGHT, "10B", "12C").summary == "Your seat on SB245 on 3 December is now 10B."


def test_a_seat_that_the_booking_had_is_told_as_such() -> None:
    assert changed(BOOKING, FLIGHT, "12C", "12C").summary == "Your seat on SB245 on 3 December is 12C already."
