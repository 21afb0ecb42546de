"""A new booking's seats: all of them or none, held until they are settled."""

from datetime import date

import pytest

from services.tools.demo_data.airline import FlightData, airline
from services.tools.flights.contract import SettleClaim, TakeSeats
from services.tools.flights.policy import Refusal, release, seats_of, take, undo, vacate
from services.tools.flights.seating import Holds, seat_map

DAY = date(2026, 12, 3)
NOBODY = Holds()


def flight() -> FlightData:
    found = airline().flight("SB245")
    assert found is not None
    return found


def asked(holds: Holds, seats_total: int, seat: str | None = None, number: str = "QX1234") -> Holds | Refusal:
    request = TakeSeats(
        confirmation_number=number, cabin="economy", seats_total=seats_total, seat=seat, claim_id=f"claim {number}"
    )
    return take(airline(), flight(), DAY, holds, request)


def taken(holds: Holds, seats_total: int, seat: str | None = None, number: str = "QX1234") -> Holds:
    outcome = asked(holds, seats_total, seat, number)
    assert isinstance(outcome, Holds), outcome
    return outcome


def free(holds: Holds) -> list[str]:
    return [seat.seat for seat in seat_map(airline(), flight(), DAY, holds) if seat.free and seat.cabin == "economy"]


def seats(holds: Holds, number: str = "QX1234") -> list[str]:
    return [hold.seat for hold in seats_of(holds, number).values()]


@pytest.mark.parametrize("seats_total", [1, 4])
def test_every_passenger_gets_a_seat_of_their_own(seats_total: int) -> None:
    assert seats(taken(NOBODY, seats_total)) == free(NOBODY)[:seats_total]


def test_the_first_gets_the_wanted_seat_and_the_others_sit_near() -> None:
    first, *others = seats(taken(NOBODY, 3, "10B"))
    assert first == "10B"
    assert all(abs(int(seat[:-1]) - 10) <= 1 for seat in others)


def test_the_same_claim_twice_is_one_claim() -> None:
    once = taken(NOBODY, 2)
    assert taken(once, 2) == once


@pytest.mark.parametrize(
    ("seat", "number", "words"),
    [
        ("10A", "QX1234", "is taken"),
        ("1A", "QX1234", "is in business"),
        ("31A", "QX1234", "There is no seat 31A"),
        (None, "AB4568", "has its seats"),
    ],
)
def test_what_cannot_be_had_is_refused(seat: str | None, number: str, words: str) -> None:
    refusal = asked(NOBODY, 1, seat, number)
    assert isinstance(refusal, Refusal)
    assert words in refusal.why


def test_the_last_seats_are_given_whole_or_not_at_all() -> None:
    left = len(free(NOBODY))
    nearly_full = taken(NOBODY, left - 1, number="FU1000")
    refusal = asked(nearly_full, 2)
    assert refusal == Refusal("SB245 on 3 December has 1 seat left in economy.")
    full = taken(nearly_full, 1)
    assert asked(full, 1, number="QX9999") == Refusal("SB245 on 3 December has no seat left in economy.")


def test_an_undone_claim_frees_every_seat_and_a_released_one_keeps_them() -> None:
    undone = released = taken(NOBODY, 2)
    for passenger in (1, 2):
        claim = SettleClaim(confirmation_number="QX1234", passenger=passenger, claim_id="claim QX1234")
        undone, released = undo(undone, claim), release(released, claim)
    assert undone == NOBODY
    assert seats(released) == free(NOBODY)[:2]


def test_a_cancelled_booking_leaves_its_seats_and_nobody_elses() -> None:
    both = taken(taken(NOBODY, 2), 1, number="QX9999")
    left = vacate(vacate(both, "QX1234"), "QX1234")
    assert (seats(left), seats(left, "QX9999")) == ([], seats(both, "QX9999"))
