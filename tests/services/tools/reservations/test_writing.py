"""What a write makes of a reservation, and which seats it needs and leaves."""

import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from services.tools.airline_data.dataset import DEFAULT_DATA, read_data
from services.tools.airline_data.records import Cabin
from services.tools.airline_data.schedule import AIRLINE_ZONE
from services.tools.reservations import writing
from services.tools.reservations.contract import FlightChoice, UpdateReservationBaggages, UpdateReservationFlights
from services.tools.reservations.keeping import Kept
from services.tools.reservations.travel import FlightKey, FlightState, flight_state

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=AIRLINE_ZONE)
DATA = read_data(DEFAULT_DATA)
OUT, BACK, OTHER = ("SB101", "2026-03-16"), ("SB102", "2026-03-19"), ("SB102", "2026-03-20")


def kept(reservation_id: str = "CD7810") -> Kept:
    found = DATA.reservation(reservation_id, NOW.date())
    assert found is not None
    return Kept(reservation=found)


def state(key: FlightKey) -> FlightState:
    day = DATA.on_day(*key, NOW)
    assert day is not None
    return flight_state(DATA.flights[key[0]], key[1], day)


FLIGHTS = {key: state(key) for key in (OUT, BACK, OTHER)}


def change(cabin: Cabin, keys: Sequence[FlightKey]) -> UpdateReservationFlights:
    flights = tuple(FlightChoice(flight_number=number, date=day) for number, day in keys)
    return UpdateReservationFlights(
        user_id="bob", reservation_id="CD7810", cabin=cabin, flights=flights, payment_id="credit_card_1881"
    )


@pytest.mark.parametrize(
    ("cabin", "keys", "needed", "left"),
    [
        ("economy", (OUT, BACK), (), ()),
        ("economy", (OUT, OTHER), (OTHER,), (BACK,)),
        ("business", (OUT, BACK), (OUT, BACK), (OUT, BACK)),
        ("business", (OUT, OTHER), (OUT, OTHER), (OUT, BACK)),
    ],
)
def test_seats_are_taken_on_what_is_new_and_given_back_on_what_is_left(
    cabin: Cabin, keys: Sequence[FlightKey], needed: Sequence[FlightKey], left: Sequence[FlightKey]
) -> None:
    reservation, request = kept().reservation, change(cabin, keys)
    assert writing.seats_to_take(reservation, request) == tuple(needed)
    assert writing.seats_to_give_back(reservation, request) == tuple(left)


def test_a_kept_flight_keeps_its_price_and_what_left_is_remembered() -> None:
    before = kept()
    dearer = before.reservation.flights[0].model_copy(update={"price": Decimal(1)})
    old = before.reservation.model_copy(update={"flights": (dearer, before.reservation.flights[1])})
    after = writing.with_flights(Kept(reservation=old), change("economy", (OUT, OTHER)), FLIGHTS, Decimal(7))
    assert [flight.price for flight in after.reservation.flights] == [1, 139]
    assert after.reservation.payment_history[-1].amount == 7
    assert (after.changed, [flight.date for flight in after.former_flights]) == (True, ["2026-03-19"])


def test_cancelling_gives_every_payment_back() -> None:
    after = writing.cancelled(kept("JK9001")).reservation
    assert [payment.amount for payment in after.payment_history] == [100, 209, -100, -209]
    assert after.status == "cancelled"


def test_what_costs_nothing_is_no_payment() -> None:
    request = UpdateReservationBaggages(
        user_id="bob", reservation_id="CD7810", total_baggages=2, nonfree_baggages=1, payment_id="credit_card_1881"
    )
    after = writing.with_bags(kept(), request, Decimal(0)).reservation
    assert after.payment_history == kept().reservation.payment_history


def test_ids_are_the_benchmarks_first_where_it_is_played() -> None:
    ids = list(writing.new_ids(random.Random(1), benchmark=True))
    assert ids[:3] == ["HATHAT", "HATHAU", "HATHAV"]
    assert len({*ids}) == 3 + writing.IDS_DRAWN_MAX
    assert all(len(one) == writing.ID_LENGTH and one.isalnum() for one in ids)
    assert "HATHAT" not in list(writing.new_ids(random.Random(1), benchmark=False))
