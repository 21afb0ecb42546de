"""Whose seat is meant, and on which flight it may still be changed."""

import datetime as dt

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.records import Passenger, Reservation
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.flights.contract import FlightOnDay
from services.tools.airline.seating.policy import flight_to_change, passenger_to_seat, refuse_cancelled
from switchboard.toolkit.refusal import Refusal

DATA = read_data(DEFAULT_DATA)
FIRST_LOOK = dt.date(2026, 3, 10)


def reservation(reservation_id: str) -> Reservation:
    found = DATA.reservation(reservation_id, FIRST_LOOK)
    assert found is not None
    return found


def standing(of: Reservation, now: dt.datetime) -> tuple[FlightOnDay | None, ...]:
    found = []
    for flight in of.flights:
        day = DATA.on_day(flight.flight_number, flight.date, now)
        schedule = DATA.flights[flight.flight_number].model_dump(exclude={"dates"})
        found.append(FlightOnDay(**schedule, date=flight.date, day=day) if day else None)
    return tuple(found)


def at(day: str, hour: int = 0) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(hour), AIRLINE_ZONE)


@pytest.mark.parametrize(
    ("which", "number", "now", "outcome"),
    [
        ("AB4568", None, at("2026-03-10"), "SB245"),
        ("AB4568", "SB245", at("2026-03-20", 9), "SB245"),
        ("AB4568", None, at("2026-03-20", 10), "All flights of booking AB4568 have departed"),
        ("AB4568", "SB245", at("2026-03-20", 10), "SB245 departed on 2026-03-20"),
        ("AB4568", "SB101", at("2026-03-10"), "Flight SB101 is not part of booking AB4568. Its flights: SB245."),
        ("CD7810", None, at("2026-03-10"), "Say which one: SB101 on 2026-03-16 or SB102 on 2026-03-19."),
        ("CD7810", "SB102", at("2026-03-10"), "SB102"),
        ("CD7810", None, at("2026-03-17"), "SB102"),
        ("EF2204", None, at("2026-03-10"), "Booking EF2204 is cancelled"),
        ("AB4568", None, at("2026-06-01"), "have departed"),
    ],
)
def test_the_flight_is_the_named_one_or_the_only_one_to_come(
    which: str, number: str | None, now: dt.datetime, outcome: str
) -> None:
    booked = reservation(which)
    found = flight_to_change(booked, standing(booked, now), number, now)
    assert outcome in (found.why if isinstance(found, Refusal) else found.flight_number)
    assert isinstance(found, Refusal) == (outcome != getattr(found, "flight_number", None))


def test_seats_of_a_cancelled_flight_are_not_changed() -> None:
    booked = reservation("GH5120")
    (stands,) = standing(booked, at("2026-03-10"))
    assert stands is not None
    assert isinstance(refuse_cancelled(stands), Refusal)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("eve evans ", 2), ("Erin Evans", 1), (None, "Say whose seat"), ("Bob Brandt", "no passenger")],
)
def test_a_passenger_is_named_where_there_are_two(name: str | None, outcome: int | str) -> None:
    both = [Passenger(first_name=first, last_name="Evans", dob="2001-09-23") for first in ("Erin", "Eve")]
    found = passenger_to_seat(reservation("JK9001").model_copy(update={"passengers": tuple(both)}), name)
    assert found == outcome if isinstance(found, int) else str(outcome) in found.why
    assert passenger_to_seat(reservation("AB4568"), None) == 1
