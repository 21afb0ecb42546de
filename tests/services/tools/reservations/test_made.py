"""Bookings made here stand beside the shipped ones, and can be taken out or cancelled by their ids."""

from datetime import UTC, date, datetime
from decimal import Decimal

from services.tools.demo_data.airline import airline
from services.tools.reservations.bookings import Ledger, list_bookings, record
from services.tools.reservations.contract import NetCharge, NewBooking, RecordSeat, Reservation
from services.tools.reservations.made import (
    MADE_MAX,
    Cancellation,
    Made,
    with_booking,
    with_cancellation,
    without_booking,
)
from services.tools.reservations.seat_policy import Refusal, cancellable, passenger_to_seat

OPENED_ON = date(2026, 11, 1)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def new(number: str = "QX1234", booking_id: str = "b") -> NewBooking:
    return NewBooking(
        booking_id=booking_id,
        confirmation_number=number,
        flight_number="SB245",
        date=date(2026, 12, 24),
        cabin="economy",
        currency="EUR",
        passengers=("Alice Adler", "Anton Adler"),
        seats=("10B", "10A"),
        charges=(NetCharge(description="Fare", net=Decimal(100), tax_percent=19),),
        payments=(),
    )


def made(*requests: NewBooking) -> Made:
    found: Made = ()
    for request in requests:
        found = with_booking(found, request, OPENED_ON) or found
    return found


def told(ledger: Ledger) -> Reservation:
    listed = list_bookings(airline(), airline().customer("alice"), ledger, NOW).reservations
    return next(found for found in listed if found.confirmation_number == "QX1234")


LEDGER = Ledger(opened_on=OPENED_ON, made=made(new()))


def test_a_new_booking_is_told_with_its_own_date_whenever_the_ledger_was_opened() -> None:
    assert told(LEDGER).summary == (
        "QX1234: Berlin to Lisbon on 24 December (SB245, seats 10B, 10A), economy, confirmed, 119.00 EUR."
    )
    assert told(LEDGER).passengers == ("Alice Adler", "Anton Adler")


def test_the_same_booking_twice_is_one_and_taking_it_out_leaves_the_others() -> None:
    both = made(new(), new(), new("QX9999", "other"))
    assert len(both) == 2
    assert without_booking(both, "b") == made(new("QX9999", "other"))
    assert without_booking(both, "never") == both


def test_each_passenger_has_a_seat_that_changes_alone() -> None:
    change = RecordSeat(confirmation_number="QX1234", flight_number="SB245", passenger=2, seat="11F", claim_id="c")
    assert told(record(LEDGER, change, former="10A")).flights[0].seats == ("10B", "11F")


def test_a_cancelled_booking_costs_its_fee_and_can_be_taken_back() -> None:
    cancellation = Cancellation(cancellation_id="x", fee=Decimal("40.00"))
    cancelled = with_cancellation(LEDGER.made, "QX1234", cancellation)
    now = told(LEDGER.model_copy(update={"made": cancelled}))
    assert (now.status, now.total) == ("cancelled", Decimal("40.00"))
    assert with_cancellation(cancelled, "QX1234", None) == LEDGER.made


def test_there_is_a_limit_and_cancelled_ones_make_room() -> None:
    full = made(*(new(f"QX{index:04d}", str(index)) for index in range(MADE_MAX)))
    assert with_booking(full, new("ZZ0000", "one more"), OPENED_ON) is None
    room = with_cancellation(full, "QX0007", Cancellation(cancellation_id="x", fee=Decimal()))
    after = with_booking(room, new("ZZ0000", "one more"), OPENED_ON)
    assert after is not None
    assert len(after) == MADE_MAX
    assert "QX0007" not in {found.booking.confirmation_number for found in after}


def test_a_passenger_is_named_where_there_are_several() -> None:
    assert [passenger_to_seat(told(LEDGER), name) for name in ("Alice Adler", " anton adler ")] == [1, 2]
    for name in (None, "Bob Brandt"):
        assert isinstance(passenger_to_seat(told(LEDGER), name), Refusal)


def test_what_is_cancelled_departed_or_bought_elsewhere_is_not_cancelled_here() -> None:
    booking = told(LEDGER)
    assert cancellable(booking, True, NOW) is None
    whys = [
        cancellable(booking, False, NOW),
        cancellable(booking.model_copy(update={"status": "cancelled"}), True, NOW),
        cancellable(booking, True, booking.flights[0].departure),
    ]
    assert [why.why for why in whys if why] == [
        "Booking QX1234 was not made here. It can be cancelled only where it was bought.",
        "Booking QX1234 is cancelled already.",
        "The flight of booking QX1234 has departed, so it cannot be cancelled.",
    ]
