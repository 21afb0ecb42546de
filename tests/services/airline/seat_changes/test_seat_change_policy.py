"""Finding the passenger and the flight whose seat is to be changed."""

import datetime as dt

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.models import Passenger, Reservation
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.flights.contract import FlightOnDay
from services.tools.airline.seat_changes.policy import flight_to_change, passenger_to_seat, refuse_cancelled
from switchboard.toolkit.refusal import Refusal

DATA = read_data(DEFAULT_DATA)
FIRST_READ = dt.date(2026, 3, 10)


def reservation(reservation_id: str) -> Reservation:
    found = DATA.reservation(reservation_id, FIRST_READ)
    assert found is not None
    return found


def current_flights(of: Reservation, now: dt.datetime) -> tuple[FlightOnDay | None, ...]:
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
        ("AB4568", "SB245", at("2026-03-20", 10), "SB245 on 2026-03-20 has already departed"),
        ("AB4568", "SB101", at("2026-03-10"), "Flight SB101 is not part of booking AB4568. Its flights are SB245."),
        ("CD7810", None, at("2026-03-10"), "Please say which one: SB101 on 2026-03-16 or SB102 on 2026-03-19."),
        ("CD7810", "SB102", at("2026-03-10"), "SB102"),
        ("CD7810", None, at("2026-03-17"), "SB102"),
        ("EF2204", None, at("2026-03-10"), "Booking EF2204 is cancelled"),
        ("AB4568", None, at("2026-06-01"), "have departed"),
    ],
)
def test_flight_is_the_named_or_the_only_upcoming_one(
    which: str, number: str | None, now: dt.datetime, outcome: str
) -> None:
    booked = reservation(which)
    found = flight_to_change(booked, current_flights(booked, now), number, now)
    assert outcome in (found.why if isinstance(found, Refusal) else found.flight_number)
    assert isinstance(found, Refusal) == (outcome != getattr(found, "flight_number", None))


def test_seats_of_a_cancelled_flight_cannot_be_changed() -> None:
    booked = reservation("GH5120")
    (state,) = current_flights(booked, at("2026-03-10"))
    assert state is not None
    assert isinstance(refuse_cancelled(state), Refusal)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("eve evans ", 2), ("Erin Evans", 1), (None, "Please say whose seat"), ("Bob Brandt", "no passenger")],
)
def test_passenger_must_be_named_if_there_are_two(name: str | None, outcome: int | str) -> None:
    both = [Passenger(first_name=first, last_name="Evans", dob="2001-09-23") for first in ("Erin", "Eve")]
    found = passenger_to_seat(reservation("JK9001").model_copy(update={"passengers": tuple(both)}), name)
    assert found == outcome if isinstance(found, int) else str(outcome) in found.why
    assert passenger_to_seat(reservation("AB4568"), None) == 1
