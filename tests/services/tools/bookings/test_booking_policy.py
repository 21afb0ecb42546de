"""What can be booked and how it may be paid, and what a cancellation costs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest

from services.tools.bookings.contract import BookFlight, NamedDay, PaymentPart
from services.tools.bookings.policy import (
    CONFIRMATION_NUMBERS_RANGE,
    cancellation_fee,
    confirmation_number,
    day_of,
    kept,
    refuse_flight,
    refuse_passengers,
    refuse_payments,
)
from services.tools.demo_data.airline import FlightData, airline
from services.tools.payments.contract import Means
from services.tools.payments.wallet import Wallet, list_means
from services.tools.refusal import Refusal
from services.tools.reservations.bookings import Ledger, reservation
from services.tools.reservations.contract import Payment, Reservation

MONDAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PRICE = Decimal("289.40")


def flight(number: str = "SB245") -> FlightData:
    found = airline().flight(number)
    assert found is not None
    return found


def means(customer_id: str) -> tuple[Means, ...]:
    return list_means(airline().customer(customer_id), Wallet()).means


def paying(*parts: tuple[str, str]) -> BookFlight:
    return BookFlight(
        customer_id="alice",
        flight_number="SB245",
        date=MONDAY,
        cabin="economy",
        passengers=("Alice Adler",),
        payments=tuple(PaymentPart(means_id=means_id, amount=Decimal(amount)) for means_id, amount in parts),
    )


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", date(2026, 11, 23)),
        ("tomorrow", date(2026, 11, 24)),
        ("tuesday", date(2026, 11, 24)),
        ("sunday", date(2026, 11, 29)),
        ("monday", date(2026, 11, 30)),
        (date(2027, 1, 2), date(2027, 1, 2)),
    ],
)
def test_a_weekday_is_the_next_one_after_today(said: date | NamedDay, day: date) -> None:
    assert day_of(said, MONDAY) == day


@pytest.mark.parametrize(
    ("number", "day", "now", "why"),
    [
        ("SB245", date(2026, 11, 24), NOW, None),
        ("SB245", date(2026, 11, 24), datetime(2026, 11, 24, 8, 39, tzinfo=UTC), None),
        ("SB245", date(2026, 11, 24), datetime(2026, 11, 24, 8, 40, tzinfo=UTC), "cannot be booked any more"),
        ("SB245", date(2026, 11, 22), NOW, "cannot be booked any more"),
        ("SB245", MONDAY + timedelta(days=330), NOW, None),
        ("SB245", MONDAY + timedelta(days=331), NOW, "is not on sale yet"),
        ("SB420", date(2026, 11, 24), NOW, "is cancelled. Search for another flight."),
    ],
)
def test_a_flight_is_on_sale_for_so_long(number: str, day: date, now: datetime, why: str | None) -> None:
    refusal = refuse_flight(flight(number), day, now)
    assert (refusal is None) if why is None else (refusal is not None and why in refusal.why)


@pytest.mark.parametrize(("names", "fit"), [(("A B", "A C"), True), (("A B", "a b"), False), (("A B",), True)])
def test_passengers_have_names_of_their_own(names: tuple[str, ...], fit: bool) -> None:
    assert (refuse_passengers(names) is None) is fit


@pytest.mark.parametrize(
    ("customer_id", "parts", "why"),
    [
        ("alice", [("GC-1207", "120"), ("TC-5001", "50"), ("VISA-4242", "119.40")], None),
        ("alice", [("VISA-4242", "289.40")], None),
        ("alice", [("VISA-4242", "289.39")], "0.01 EUR too little"),
        ("alice", [("VISA-4242", "289.41")], "0.01 EUR too much"),
        ("alice", [("VISA-1881", "289.40")], "There is no VISA-1881 among your means to pay. Yours: GC-1207"),
        ("mallory", [("VISA-4242", "289.40")], "Yours: none."),
        ("dave", [("TC-5003", "75"), ("TC-5004", "25"), ("VISA-7777", "189.40")], "At most one travel certificate"),
        ("carol", [("GC-3300", "200"), ("AMEX-1005", "89.40")], "is in USD, and the fare in EUR"),
        ("alice", [("VISA-4242", "100"), ("VISA-4242", "189.40")], "named twice"),
    ],
)
def test_payments_are_own_means_and_add_up_to_the_price(
    customer_id: str, parts: list[tuple[str, str]], why: str | None
) -> None:
    refusal = refuse_payments(means(customer_id), paying(*parts), PRICE)
    assert (refusal is None) if why is None else (refusal is not None and why in refusal.why)


@pytest.mark.parametrize(
    ("drawn", "number"),
    [(0, "AA0000"), (1, "AA0001"), (10_000, "AB0000"), (260_000, "BA0000"), (6_759_999, "ZZ9999")],
)
def test_a_confirmation_number_is_two_letters_and_four_digits(drawn: int, number: str) -> None:
    assert confirmation_number(drawn) == number
    assert CONFIRMATION_NUMBERS_RANGE == 6_760_000


def booked(cabin: Literal["business", "economy"], passengers: tuple[str, ...] = ("Alice Adler",)) -> Reservation:
    """Alice's shipped booking to Lisbon, which leaves on 3 December at 9:40."""
    alice = airline().customers[0]
    booking = alice.bookings[0].model_copy(update={"cabin": cabin, "passengers": passengers})
    return reservation(airline(), alice, booking, Ledger(opened_on=MONDAY), NOW)


BEFORE_LAST_DAY = datetime(2026, 12, 2, 9, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("booking", "now", "fee"),
    [
        (booked("economy"), BEFORE_LAST_DAY, "40.00"),
        (booked("economy", ("A B", "C D")), BEFORE_LAST_DAY, "80.00"),
        (booked("economy"), BEFORE_LAST_DAY + timedelta(seconds=1), None),
        (booked("business"), BEFORE_LAST_DAY + timedelta(hours=23), "0"),
    ],
)
def test_economy_costs_a_fee_until_the_last_day_and_business_nothing(
    booking: Reservation, now: datetime, fee: str | None
) -> None:
    found = cancellation_fee(booking, now)
    assert isinstance(found, Refusal) if fee is None else found == Decimal(fee)


def payment(kind: Literal["gift_card", "certificate", "credit_card"], amount: str) -> Payment:
    return Payment(means_id=kind, kind=kind, label=kind, amount=Decimal(amount), charge_id=kind)


@pytest.mark.parametrize(
    ("payments", "expected"),
    [
        ((("gift_card", "120"), ("credit_card", "119.40")), {"gift_card": "0", "credit_card": "40"}),
        ((("gift_card", "120"), ("credit_card", "15")), {"gift_card": "25", "credit_card": "15"}),
        ((("gift_card", "10"), ("certificate", "50")), {"gift_card": "10", "certificate": "0"}),
        ((("certificate", "50"),), {"certificate": "0"}),
    ],
)
def test_a_fee_is_kept_of_cards_first_and_never_of_a_certificate(
    payments: tuple[tuple[Literal["gift_card", "certificate", "credit_card"], str], ...], expected: dict[str, str]
) -> None:
    found = kept([payment(kind, amount) for kind, amount in payments], Decimal(40))
    assert found == {charge_id: Decimal(amount) for charge_id, amount in expected.items()}
