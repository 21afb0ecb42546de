"""The plan of the aircraft, and who sits where before anybody moved."""

from datetime import date

import pytest

from services.tools.demo_data.airline import FlightData, airline
from services.tools.flights.contract import Seat, seats_key
from services.tools.flights.seating import Holds, near, parse_key, plan, seat_map

DAY = date(2026, 12, 3)


def test_the_plan_has_business_in_front_without_middle_seats() -> None:
    seats = plan(airline())
    assert len(seats) == 4 * 4 + 26 * 6
    assert (seats["1A"].cabin, seats["4F"].cabin, seats["5A"].cabin) == ("business", "business", "economy")
    assert "1B" not in seats
    assert [seats[f"10{letter}"].position for letter in "ABCDEF"] == [
        "window",
        "middle",
        "aisle",
        "aisle",
        "middle",
        "window",
    ]


def test_the_key_of_a_flight_is_read_as_it_is_written() -> None:
    found = parse_key(airline(), seats_key("SB245", DAY))
    assert found is not None
    assert (found[0].number, found[1]) == ("SB245", DAY)


@pytest.mark.parametrize("key", ["SB999:2026-12-03", "SB245:tomorrow", "SB245", ""])
def test_a_key_that_names_no_flight_is_none(key: str) -> None:
    assert parse_key(airline(), key) is None


@pytest.mark.parametrize("flight", airline().flights, ids=lambda flight: flight.number)
def test_some_seats_are_taken_and_some_are_free_and_the_map_is_always_the_same(flight: FlightData) -> None:
    seats = seat_map(airline(), flight, DAY, Holds())
    assert seats == seat_map(airline(), flight, DAY, Holds())
    assert 60 < sum(seat.free for seat in seats) < 120


def free(seat: str) -> Seat:
    return plan(airline())[seat]


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ("10A", ["9A", "10F", "11A", "12A"], ("10F", "9A", "11A")),
        ("10A", ["10B", "10C"], ()),
        ("5A", ["4A", "6A"], ("6A",)),
        ("10C", ["9D", "30C"], ("9D", "30C")),
    ],
)
def test_near_seats_are_of_the_same_cabin_and_kind(wanted: str, there: list[str], expected: tuple[str, ...]) -> None:
    assert near(free(wanted), tuple(free(seat) for seat in there)) == expected


def test_a_taken_seat_is_not_offered() -> None:
    assert near(free("10A"), (free("10F").model_copy(update={"free": False}),)) == ()
