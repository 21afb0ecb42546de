"""The shipped airline fits together, and holds what the walk-through in the documentation tells of."""

from datetime import date

import pytest

from services.tools.demo_data.airline import BookingData, FlightData, airline
from services.tools.flights.seating import Holds, occupants, plan

BOOKINGS = [booking for customer in airline().customers for booking in customer.bookings]


def test_it_is_parsed_once() -> None:
    assert airline() is airline()


def test_confirmation_numbers_are_unique() -> None:
    numbers = [booking.confirmation_number for booking in BOOKINGS]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("booking", BOOKINGS, ids=lambda booking: booking.confirmation_number)
def test_every_booking_has_seats_of_its_cabin_on_flights_that_exist(booking: BookingData) -> None:
    numbers = [flight.flight_number for flight in booking.flights]
    assert len(numbers) == len(set(numbers))
    for flight in booking.flights:
        assert airline().flight(flight.flight_number) is not None
        assert plan(airline())[flight.seat].cabin == booking.cabin


@pytest.mark.parametrize("flight", airline().flights, ids=lambda flight: flight.number)
def test_no_two_bookings_share_a_seat_on_any_date(flight: FlightData) -> None:
    seats = list(airline().seats_booked(flight.number).values())
    assert len(seats) == len(set(seats))


@pytest.mark.parametrize("day", [date(2026, 11, 23), date(2027, 2, 28), date(2028, 2, 29)])
def test_on_alices_flight_10a_is_taken_and_10b_is_free_on_any_date(day: date) -> None:
    flight = airline().flight("SB245")
    assert flight is not None
    taken = occupants(airline(), flight, day, Holds())
    assert taken["12C"] == "AB4568"
    assert taken["10A"] == "JK9001"
    assert "10B" not in taken


def test_every_means_to_pay_is_one_customers_and_only_cards_have_tokens() -> None:
    means = [one for customer in airline().customers for one in customer.payment_means]
    assert len({one.means_id for one in means}) == len(means)
    assert all((one.card_token is None) == (one.kind != "credit_card") for one in means)
    assert all((one.value == 0) == (one.kind == "credit_card") for one in means)


def test_bob_has_a_card_that_is_declined_and_one_that_is_not() -> None:
    bob = airline().customer("bob")
    assert bob is not None
    tokens = [one.card_token for one in bob.payment_means if one.card_token]
    assert [airline().declined(token) is None for token in tokens] == [False, True]


@pytest.mark.parametrize("flight", airline().flights, ids=lambda flight: flight.number)
def test_every_flight_goes_between_airports_and_has_a_fare_for_each_cabin(flight: FlightData) -> None:
    assert airline().city(flight.origin) == flight.origin
    assert airline().city(flight.destination) == flight.destination
    assert set(flight.fares) == {cabin.name for cabin in airline().cabins}
