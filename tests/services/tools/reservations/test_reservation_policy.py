"""Whose booking it is, and which of its flights may still be changed."""

from datetime import UTC, date, datetime

import pytest

from services.tools.demo_data.airline import airline
from services.tools.reservations.bookings import Ledger, reservation
from services.tools.reservations.contract import BookedFlight, Reservation
from services.tools.reservations.seat_policy import Refusal, flight_to_change, own_booking

LEDGER = Ledger(opened_on=date(2026, 11, 23))


def day(day_of_november: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day_of_november, hour, tzinfo=UTC)


def told(customer_id: str, number: str, now: datetime) -> Reservation:
    found = own_booking(airline().customer(customer_id), number)
    assert not isinstance(found, Refusal)
    return reservation(airline(), *found, LEDGER, now)


def test_a_customer_finds_their_own_booking() -> None:
    found = own_booking(airline().customer("alice"), "AB4568")
    assert not isinstance(found, Refusal)
    assert (found[0].customer_id, found[1].confirmation_number) == ("alice", "AB4568")


@pytest.mark.parametrize("customer_id", ["alice", "mallory"])
@pytest.mark.parametrize("number", ["CD7810", "ZZ9999"])
def test_anothers_booking_and_nobodys_are_refused_in_the_same_words(customer_id: str, number: str) -> None:
    refusal = own_booking(airline().customer(customer_id), number)
    assert isinstance(refusal, Refusal)
    assert refusal.status_code == 404
    assert refusal.why.replace(number, "…") == (
        "There is no booking … among your bookings."
        " Check the confirmation number, or ask for the list of your bookings."
    )


@pytest.mark.parametrize(
    ("customer_id", "number", "flight_number", "now", "expected"),
    [
        ("alice", "AB4568", None, day(23), "SB245"),
        ("alice", "AB4568", "SB245", day(23), "SB245"),
        ("bob", "CD7810", "SB102", day(23), "SB102"),
        ("bob", "CD7810", None, day(29), "SB102"),  # the way out departed that morning
    ],
)
def test_the_flight_is_the_named_one_or_the_only_one_to_come(
    customer_id: str, number: str, flight_number: str | None, now: datetime, expected: str
) -> None:
    flight = flight_to_change(told(customer_id, number, now), flight_number, now)
    assert isinstance(flight, BookedFlight)
    assert flight.flight_number == expected


@pytest.mark.parametrize(
    ("customer_id", "number", "flight_number", "now", "refusal"),
    [
        (
            "carol",
            "EF2204",
            None,
            day(23),
            Refusal("Booking EF2204 is cancelled, so its seats cannot be changed."),
        ),
        (
            "alice",
            "AB1207",
            None,
            day(23),
            Refusal("All flights of booking AB1207 have departed, so its seats cannot be changed."),
        ),
        (
            "bob",
            "CD7810",
            "SB101",
            day(29),
            Refusal("SB101 departed on 29 November, so the seat cannot be changed."),
        ),
        (
            "bob",
            "CD7810",
            None,
            day(23),
            Refusal(
                "Booking CD7810 has 2 flights to come. Say which one: SB101 on 29 November or SB102 on 2 December."
            ),
        ),
        (
            "bob",
            "CD7810",
            "SB245",
            day(23),
            Refusal("Flight SB245 is not part of booking CD7810. Its flights: SB101, SB102.", 404),
        ),
    ],
)
def test_a_seat_that_cannot_be_changed_is_refused_with_the_reason(
    customer_id: str, number: str, flight_number: str | None, now: datetime, refusal: Refusal
) -> None:
    assert flight_to_change(told(customer_id, number, now), flight_number, now) == refusal


@pytest.mark.parametrize(("minute", "may"), [(39, True), (40, False)])
def test_a_seat_can_be_changed_until_departure(minute: int, may: bool) -> None:
    now = datetime(2026, 12, 3, 9, minute, tzinfo=UTC)
    assert isinstance(flight_to_change(told("alice", "AB4568", now), "SB245", now), BookedFlight) is may
