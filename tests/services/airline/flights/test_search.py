"""Flight search: direct flights, connections, and named days."""

import datetime as dt
from decimal import Decimal

import pytest

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.models import Flight
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.flights.contract import FlightOffer, NamedDay, NotShown
from services.tools.airline.flights.search import (
    RESULT_MAX_BYTES,
    connects,
    direct_flights,
    fit_into_result,
    one_stop_flights,
    resolve_day,
    unique_keys,
)
from switchboard.loop.fanout import TOOL_RESULT_MAX_BYTES

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=AIRLINE_ZONE)
SALE = {"status": "available", "available_seats": {"economy": 1}, "prices": {"economy": 100}}


def flight(number: str, way: str, departs: str, arrives: str, *days: str) -> Flight:
    origin, destination = way.split("-")
    return Flight.model_validate(
        {
            "flight_number": number,
            "origin": origin,
            "destination": destination,
            "scheduled_departure_time_est": f"{departs}:00",
            "scheduled_arrival_time_est": arrives.replace("+1", "") + ":00" + ("+1" if "+1" in arrives else ""),
            "dates": dict.fromkeys(days, SALE) | {"2026-03-19": {"status": "cancelled"}},
        }
    )


NIGHT = flight("XX1", "AAA-BBB", "23:00", "01:30+1", "2026-03-20")
MORNING = flight("XX2", "AAA-BBB", "06:00", "08:00", "2026-03-20")
ON_THAT_DAY = flight("XX3", "BBB-CCC", "08:00", "09:00", "2026-03-20", "2026-03-21")
EARLY = flight("XX4", "BBB-CCC", "01:00", "02:00", "2026-03-21")
STRAIGHT = flight("XX5", "AAA-CCC", "10:00", "12:00", "2026-03-20")
DATA = AirlineData(
    {one.flight_number: one for one in (NIGHT, MORNING, ON_THAT_DAY, EARLY, STRAIGHT)}, reservations={}, users={}
)


def test_direct_search_finds_flights_on_sale_that_day() -> None:
    assert direct_flights(DATA, "AAA", "CCC", "2026-03-20", NOW) == [("XX5", "2026-03-20")]
    assert direct_flights(DATA, "AAA", "CCC", "2026-03-19", NOW) == []
    assert direct_flights(DATA, "CCC", "AAA", "2026-03-20", NOW) == []


def test_connection_departs_after_the_first_flight_lands() -> None:
    pairs = one_stop_flights(DATA, "AAA", "CCC", "2026-03-20", NOW)
    assert [(one[0], two) for one, two in pairs] == [
        ("XX1", ("XX3", "2026-03-21")),
        ("XX2", ("XX3", "2026-03-20")),
    ]
    assert len(list(unique_keys([*pairs, *pairs]))) == 4


def test_flight_that_departs_before_the_first_lands_is_no_connection() -> None:
    assert connects(MORNING, ON_THAT_DAY)
    assert not connects(NIGHT, EARLY)


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("today", "2026-03-10"),
        ("tomorrow", "2026-03-11"),
        ("monday", "2026-03-16"),
        ("tuesday", "2026-03-17"),
        (dt.date(2026, 4, 1), "2026-04-01"),
    ],
)
def test_named_day_resolves_to_the_next_such_day(date: dt.date | NamedDay, day: str) -> None:
    assert resolve_day(date, NOW.date()) == day


OFFER = FlightOffer(
    flight_number="XX001",
    origin="AAA",
    destination="BBB",
    status="available",
    scheduled_departure_time_est="23:00:00",
    scheduled_arrival_time_est="01:30:00+1",
    date="2026-03-20",
    available_seats={"basic_economy": 10, "economy": 10, "business": 10},
    prices={"basic_economy": Decimal("100.25"), "economy": Decimal("1000.25"), "business": Decimal("9999.95")},
)


def test_connections_that_fit_into_a_result_are_all_returned() -> None:
    pairs = [(OFFER, OFFER)] * 20
    assert fit_into_result(pairs).root == tuple(pairs)
    assert fit_into_result([]).root == ()


@pytest.mark.parametrize("count", [27, 37, 500])
def test_further_connections_are_counted_but_not_returned(count: int) -> None:
    pairs = [(OFFER, OFFER.model_copy(update={"flight_number": f"XX{number:03}"})) for number in range(count)]
    answer = fit_into_result(pairs)
    assert len(answer.model_dump_json()) <= RESULT_MAX_BYTES == TOOL_RESULT_MAX_BYTES
    *shown, last = answer.root
    assert isinstance(last, NotShown)
    assert shown == pairs[: len(shown)]
    assert (len(shown) > 20, last.connections_not_shown) == (True, count - len(shown))
