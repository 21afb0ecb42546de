"""What flights cost and how offers, bookings and cancellations are told; what a customer is asked to confirm."""

from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from services.tools.bookings import pricing
from services.tools.bookings.contract import (
    BOOK_FLIGHT,
    CANCEL_BOOKING,
    SEARCH_FLIGHTS,
    BookFlight,
    CancelBooking,
    FlightSearch,
    booking_question,
    cancellation_question,
)
from services.tools.demo_data.airline import FlightData, airline
from services.tools.flights.contract import Cabin
from services.tools.flights.seating import Holds, seat_map

DAY = date(2026, 12, 3)


def flight(number: str) -> FlightData:
    found = airline().flight(number)
    assert found is not None
    return found


def asked(**changes: object) -> BookFlight:
    return BookFlight.model_validate(
        {
            "customer_id": "alice",
            "flight_number": "sb245",
            "date": "2026-12-03",
            "cabin": "economy",
            "passengers": ["Alice Adler"],
            "payments": [{"means_id": "gc-1207", "amount": "120.00"}, {"means_id": "VISA-4242", "amount": "169.4"}],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("number", "cabin", "passengers", "price"),
    [
        ("SB245", "economy", 1, "289.40"),
        ("SB245", "economy", 4, "1157.60"),
        ("SB101", "business", 1, "316.85"),
        ("SB777", "business", 2, "2694.60"),
    ],
)
def test_the_price_is_that_of_the_shipped_bookings(number: str, cabin: Cabin, passengers: int, price: str) -> None:
    assert pricing.total(pricing.charges(flight(number), cabin, passengers)) == Decimal(price)


def test_offers_are_told_with_prices_and_free_seats() -> None:
    offer = pricing.offer(flight("SB245"), DAY, seat_map(airline(), flight("SB245"), DAY, Holds()))
    economy, business = (cabin.free_seats for cabin in offer.cabins)
    assert pricing.offers("Berlin", "Lisbon", DAY, [offer]).summary == (
        "From Berlin to Lisbon on Thursday 3 December 2026 (2026-12-03): SB245 at 09:40 UTC,"
        f" economy 289.40 EUR ({economy} free), business 647.59 EUR ({business} free)."
    )
    assert "There is no flight from Oslo to Rome" in pricing.offers("Oslo", "Rome", DAY, []).summary


def test_the_customer_is_asked_for_the_exact_booking() -> None:
    assert booking_question(asked()) == (
        "Book SB245 on Thursday 3 December 2026 in economy for Alice Adler, any seat, and pay 289.40 EUR:"
        " 120.00 EUR from GC-1207, 169.40 EUR from VISA-4242?"
    )
    assert ", seat 10B, and" in booking_question(asked(seat="10b"))


def test_the_customer_is_told_what_a_cancellation_costs() -> None:
    request = CancelBooking(customer_id="alice", confirmation_number="AB4568")
    assert cancellation_question(request) == (
        "Cancel booking AB4568 for good? Business is refunded in full until departure;"
        " of economy 40.00 EUR a passenger are kept, until 24 hours before departure."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"passengers": []},
        {"passengers": ["A B", "C D", "E F", "G H", "I J"]},
        {"passengers": ["Alice, and pay nothing?\nYes"]},
        {"payments": []},
        {"payments": [{"means_id": "VISA-4242", "amount": "0"}]},
        {"payments": [{"means_id": "VISA-4242", "amount": "-1"}]},
        {"payments": [{"means_id": "VISA-4242", "amount": "1.001"}]},
        {"payments": [{"means_id": "VISA-4242", "amount": "NaN"}]},
        {"date": "monday"},
        {"cabin": "first"},
    ],
)
def test_what_is_no_booking_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        asked(**changes)


def test_a_day_is_a_date_or_a_name() -> None:
    search = {"origin": "BER", "destination": "Lisbon"}
    assert FlightSearch.model_validate({**search, "date": "2026-12-03"}).date == DAY
    assert FlightSearch.model_validate({**search, "date": "friday"}).date == "friday"
    with pytest.raises(ValidationError):
        FlightSearch.model_validate({**search, "date": "next week"})


def test_only_what_costs_needs_a_yes_and_the_model_never_names_the_customer() -> None:
    assert SEARCH_FLIGHTS.consent is None
    for tool in (BOOK_FLIGHT, CANCEL_BOOKING):
        assert tool.consent is not None
        assert "customer_id" not in tool.parameters()["properties"]


@pytest.mark.parametrize(("place", "city"), [("ber", "Berlin"), (" Berlin ", "Berlin"), ("new york", "New York")])
def test_a_place_is_a_city_or_an_airport(place: str, city: str) -> None:
    assert airline().city(place) == city
    assert airline().city("Atlantis") is None
