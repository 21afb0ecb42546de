"""How a flight is doing, minute by minute."""

from datetime import UTC, date, datetime, time

import pytest

from services.tools.demo_data.airline import Disruption, FlightData
from services.tools.flights.status import date_in_question, is_known, status

DAY = date(2026, 11, 27)


def flight(disruption: Disruption | None = None) -> FlightData:
    return FlightData.model_validate(
        {
            "number": "SB245",
            "origin": "Berlin",
            "destination": "Lisbon",
            "departs": "09:40",
            "minutes": 220,
            "gate": "B12",
            "fares": {},
            "fare_tax_percent": 0,
            "airport_charges": "0.00",
            "disruption": disruption,
        }
    )


ON_TIME = flight()
LATE = flight(Disruption(kind="delayed", minutes=45, reason="fog"))
CANCELLED = flight(Disruption(kind="cancelled", reason="storm"))
OVERNIGHT = ON_TIME.model_copy(update={"departs": time(22, 45)})


def at(hour: int, minute: int, day: int = 27) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("of", "now", "expected"),
    [
        (ON_TIME, at(8, 59), "on_time"),
        (ON_TIME, at(9, 0), "boarding"),
        (ON_TIME, at(9, 39), "boarding"),
        (ON_TIME, at(9, 40), "departed"),
        (ON_TIME, at(13, 19), "departed"),
        (ON_TIME, at(13, 20), "landed"),
        (LATE, at(9, 0), "delayed"),
        (LATE, at(9, 45), "boarding"),
        (LATE, at(10, 24), "boarding"),
        (LATE, at(10, 25), "departed"),
        (LATE, at(14, 5), "landed"),
        (CANCELLED, at(8, 0), "cancelled"),
        (CANCELLED, at(20, 0), "cancelled"),
    ],
)
def test_the_status_follows_the_clock(of: FlightData, now: datetime, expected: str) -> None:
    assert status(of, DAY, now).status == expected


@pytest.mark.parametrize(
    ("of", "now", "sentence"),
    [
        (ON_TIME, at(8, 0), "leaves on time at 09:40 UTC from gate B12."),
        (ON_TIME, at(9, 10), "is boarding at gate B12 and leaves at 09:40 UTC."),
        (ON_TIME, at(10, 0), "left at 09:40 UTC and lands at 13:20 UTC."),
        (ON_TIME, at(14, 0), "landed at 13:20 UTC."),
        (LATE, at(8, 0), "is delayed by 45 minutes (fog): it leaves at 10:25 UTC from gate B12."),
        (LATE, at(10, 0), "is boarding at gate B12 and leaves 45 minutes late at 10:25 UTC."),
        (LATE, at(11, 0), "left 45 minutes late at 10:25 UTC and lands at 14:05 UTC."),
        (LATE, at(15, 0), "landed 45 minutes late at 14:05 UTC."),
        (CANCELLED, at(8, 0), "is cancelled (storm)."),
    ],
)
def test_the_summary_says_it_in_a_sentence(of: FlightData, now: datetime, sentence: str) -> None:
    assert status(of, DAY, now).summary == f"SB245 from Berlin to Lisbon on 27 November {sentence}"


def test_a_delay_moves_what_is_expected_and_not_what_is_scheduled() -> None:
    late = status(LATE, DAY, at(8, 0))
    assert (late.scheduled_departure, late.expected_departure) == (at(9, 40), at(10, 25))
    assert (late.scheduled_arrival, late.expected_arrival) == (at(13, 20), at(14, 5))
    assert late.delay_minutes == 45


def test_a_cancelled_flight_has_no_gate_and_no_expected_times() -> None:
    cancelled = status(CANCELLED, DAY, at(8, 0))
    assert (cancelled.gate, cancelled.expected_departure, cancelled.expected_arrival) == (None, None, None)
    assert cancelled.reason == "storm"


@pytest.mark.parametrize(
    ("of", "now", "expected"),
    [
        (ON_TIME, at(0, 0), DAY),
        (ON_TIME, at(13, 19), DAY),
        (ON_TIME, at(13, 20), date(2026, 11, 28)),
        (LATE, at(13, 20), DAY),
        (OVERNIGHT, at(1, 0), date(2026, 11, 26)),
        (OVERNIGHT, at(3, 0), DAY),
    ],
)
def test_without_a_date_it_is_the_flight_under_way_or_the_next(of: FlightData, now: datetime, expected: date) -> None:
    assert date_in_question(of, now) == expected


@pytest.mark.parametrize(
    ("day", "known"),
    [
        (date(2026, 10, 27), False),
        (date(2026, 10, 28), True),
        (date(2027, 10, 23), True),
        (date(2027, 10, 24), False),
    ],
)
def test_status_is_known_for_a_while_back_and_ahead(day: date, known: bool) -> None:
    assert is_known(day, at(12, 0)) is known
