"""A customer's bookings as they are told, and what becomes of them when a seat changes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.tools.demo_data.airline import BookingData, CustomerData, airline
from services.tools.reservations.bookings import (
    Ledger,
    SeatRecord,
    charges,
    list_bookings,
    record,
    reservation,
    total,
    unrecord,
)
from services.tools.reservations.contract import RecordSeat, Reservation, UnrecordSeat

OPENED_ON = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
UNTOUCHED = Ledger(opened_on=OPENED_ON)


def customer(customer_id: str) -> CustomerData:
    found = airline().customer(customer_id)
    assert found is not None
    return found


def booking(number: str, customer_id: str = "alice") -> BookingData:
    return next(found for found in customer(customer_id).bookings if found.confirmation_number == number)


def told(number: str, ledger: Ledger = UNTOUCHED, now: datetime = NOW, customer_id: str = "alice") -> Reservation:
    return reservation(airline(), customer(customer_id), booking(number, customer_id), ledger, now)


def recording(seat: str, claim_id: str) -> RecordSeat:
    return RecordSeat(confirmation_number="AB4568", flight_number="SB245", seat=seat, claim_id=claim_id)


def undoing(claim_id: str) -> UnrecordSeat:
    return UnrecordSeat(confirmation_number="AB4568", flight_number="SB245", claim_id=claim_id)


def test_dates_are_counted_from_the_day_of_opening_and_not_from_now() -> None:
    later = told("AB4568", now=NOW + timedelta(days=7))
    assert told("AB4568").flights[0].date == later.flights[0].date == date(2026, 12, 3)
    assert later.flights[0].departure == datetime(2026, 12, 3, 9, 40, tzinfo=UTC)


def test_a_booking_is_told_in_a_sentence() -> None:
    assert told("AB4568").summary == (
        "AB4568: Berlin to Lisbon on 3 December (SB245, seat 12C), economy, confirmed, 289.40 EUR."
    )


@pytest.mark.parametrize(
    ("customer_id", "number", "now", "status"),
    [
        ("alice", "AB4568", NOW, "confirmed"),
        ("alice", "AB4568", datetime(2026, 12, 3, 9, 39, tzinfo=UTC), "confirmed"),
        ("alice", "AB4568", datetime(2026, 12, 3, 9, 40, tzinfo=UTC), "flown"),
        ("alice", "AB1207", NOW, "flown"),
        ("bob", "CD7810", datetime(2026, 11, 30, tzinfo=UTC), "confirmed"),
        ("bob", "CD7810", datetime(2026, 12, 3, tzinfo=UTC), "flown"),
        ("carol", "EF2204", NOW, "cancelled"),
        ("carol", "EF2204", NOW + timedelta(days=30), "cancelled"),
    ],
)
def test_a_booking_is_flown_when_its_last_flight_has_departed(
    customer_id: str, number: str, now: datetime, status: str
) -> None:
    assert told(number, now=now, customer_id=customer_id).status == status


def test_the_next_departure_is_listed_first_and_what_is_over_last() -> None:
    listed = [
        [found.confirmation_number for found in list_bookings(airline(), customer(who), UNTOUCHED, NOW).reservations]
        for who in ("alice", "carol", "erin")
    ]
    assert listed == [["AB4568", "AB1207"], ["EF3391", "EF2204"], ["JK9001", "JK4410"]]


def test_an_unknown_customer_has_no_bookings() -> None:
    none = list_bookings(airline(), None, UNTOUCHED, NOW)
    assert (none.summary, none.reservations) == ("You have no bookings.", ())


def test_money_has_two_decimals_and_is_a_string_in_json() -> None:
    assert '"total":"289.40","currency":"EUR"' in told("AB4568").model_dump_json()


def test_tax_is_rounded_half_up_for_each_charge() -> None:
    one = booking("AB4568").charges[0].model_copy(update={"net": Decimal("0.50"), "tax_percent": 19})  # 0.095
    of_two = booking("AB4568").model_copy(update={"charges": (one, one)})
    assert [charge.tax for charge in charges(of_two)] == [Decimal("0.10"), Decimal("0.10")]
    assert total(of_two) == Decimal("1.20")


def test_a_recorded_seat_is_told_and_can_be_taken_back() -> None:
    moved = record(UNTOUCHED, recording("10B", "claim-1"), former="12C")
    assert told("AB4568", moved).flights[0].seat == "10B"
    assert told("AB4568", unrecord(moved, undoing("claim-1"))) == told("AB4568")


def test_recording_one_claim_twice_keeps_the_seat_before_it() -> None:
    once = record(UNTOUCHED, recording("10B", "claim-1"), former="12C")
    assert record(once, recording("10B", "claim-1"), former="10B") == once


def test_only_the_last_claim_can_be_taken_back() -> None:
    first = record(UNTOUCHED, recording("10B", "claim-1"), former="12C")
    second = record(first, recording("11B", "claim-2"), former="10B")
    assert unrecord(second, undoing("claim-1")) == second
    assert unrecord(second, undoing("claim-2")).seats["AB4568/SB245"] == SeatRecord(seat="10B", former="10B")


def test_taking_back_what_was_never_recorded_does_nothing() -> None:
    assert unrecord(UNTOUCHED, undoing("claim-1")) == UNTOUCHED


def test_one_seat_changes_and_no_other() -> None:
    moved = record(UNTOUCHED, recording("10B", "claim-1"), former="12C")
    assert told("AB1207", moved) == told("AB1207")
    assert moved.opened_on == OPENED_ON
