"""Changes to a reservation, and the seats that they take and give back."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.models import Cabin, FlightDay
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.reservations import changes
from services.tools.airline.reservations.contract import (
    FlightChoice,
    UpdateReservationBaggages,
    UpdateReservationFlights,
)
from services.tools.airline.reservations.emails import confirmation_email
from services.tools.airline.reservations.itinerary import FlightKey, FlightState, flight_state
from services.tools.airline.reservations.stored_reservation import DISRUPTIONS_MAX, Disruption, StoredReservation

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=AIRLINE_ZONE)
DATA = read_data(DEFAULT_DATA)
OUT, BACK, OTHER = ("SB101", "2026-03-16"), ("SB102", "2026-03-19"), ("SB102", "2026-03-20")


def kept(reservation_id: str = "CD7810") -> StoredReservation:
    found = DATA.reservation(reservation_id, NOW.date())
    assert found is not None
    return StoredReservation(reservation=found)


def state(key: FlightKey) -> FlightState:
    day = DATA.on_day(*key, NOW)
    assert day is not None
    return flight_state(DATA.flights[key[0]], key[1], day)


def disrupted(key: FlightKey, status: str) -> FlightState:
    return replace(state(key), day=FlightDay.model_validate({"status": status}))


def disruptions(kept: StoredReservation) -> list[tuple[str, str, str, str]]:
    return [(one.flight_number, one.date, one.status, one.cabin) for one in kept.disruptions]


FLIGHTS = {key: state(key) for key in (OUT, BACK, OTHER)}


def change(cabin: Cabin, keys: Sequence[FlightKey]) -> UpdateReservationFlights:
    flights = tuple(FlightChoice(flight_number=number, date=day) for number, day in keys)
    return UpdateReservationFlights(
        user_id="bob", reservation_id="CD7810", cabin=cabin, flights=flights, payment_id="credit_card_1881"
    )


@pytest.mark.parametrize(
    ("cabin", "keys", "taken", "given_back"),
    [
        ("economy", (OUT, BACK), (), ()),
        ("economy", (OUT, OTHER), (OTHER,), (BACK,)),
        ("business", (OUT, BACK), (OUT, BACK), (OUT, BACK)),
        ("business", (OUT, OTHER), (OUT, OTHER), (OUT, BACK)),
    ],
)
def test_change_takes_seats_on_new_flights_and_frees_the_old_ones(
    cabin: Cabin, keys: Sequence[FlightKey], taken: Sequence[FlightKey], given_back: Sequence[FlightKey]
) -> None:
    reservation, request = kept().reservation, change(cabin, keys)
    assert changes.seats_to_take(reservation, request) == tuple(taken)
    assert changes.seats_to_give_back(reservation, request) == tuple(given_back)


def test_kept_flight_keeps_its_price() -> None:
    before = kept()
    dearer = before.reservation.flights[0].model_copy(update={"price": Decimal(1)})
    old = before.reservation.model_copy(update={"flights": (dearer, before.reservation.flights[1])})
    after = changes.with_flights(
        StoredReservation(reservation=old), change("economy", (OUT, OTHER)), FLIGHTS, Decimal(7)
    )
    assert [flight.price for flight in after.reservation.flights] == [1, 139]
    assert after.reservation.payment_history[-1].amount == 7
    assert after.changed


DISRUPTED = {OUT: disrupted(OUT, "cancelled"), BACK: disrupted(BACK, "delayed"), OTHER: state(OTHER)}


def test_change_stores_current_disruptions_with_the_former_cabin() -> None:
    after = changes.with_flights(kept(), change("business", (OTHER,)), DISRUPTED, Decimal(7))
    assert disruptions(after) == [
        ("SB101", "2026-03-16", "cancelled", "economy"),
        ("SB102", "2026-03-19", "delayed", "economy"),
    ]
    again = changes.with_flights(after, change("economy", (OUT, BACK)), FLIGHTS, Decimal(0))
    assert disruptions(again) == disruptions(after)


def test_change_to_the_same_flights_and_cabin_stores_no_disruptions() -> None:
    after = changes.with_flights(kept(), change("economy", (OUT, BACK)), DISRUPTED, Decimal(0))
    assert (after.changed, after.disruptions) == (False, ())


def test_daily_delay_is_not_stored_for_reservations_booked_here() -> None:
    assert DISRUPTED[BACK].late_every_day
    assert not DISRUPTED[OUT].late_every_day
    here = kept().model_copy(update={"holds": {"SB101/2026-03-16": "op1", "SB102/2026-03-19": "op1"}})
    assert [one[2] for one in disruptions(changes.cancelled(kept(), DISRUPTED))] == ["cancelled", "delayed"]
    assert [one[2] for one in disruptions(changes.cancelled(here, DISRUPTED))] == ["cancelled"]


def test_number_of_stored_disruptions_is_limited() -> None:
    before = tuple(
        Disruption(flight_number=f"XX{number:03}", date=OUT[1], status="delayed", cabin="economy")
        for number in range(DISRUPTIONS_MAX)
    )
    full = kept().model_copy(update={"disruptions": before})
    assert changes.cancelled(full, DISRUPTED).disruptions == before


def test_state_stored_without_disruptions_can_be_read() -> None:
    stored = kept().model_dump(mode="json", exclude={"disruptions"}) | {"changed": True}
    stored["former_flights"] = stored["reservation"]["flights"][:1]
    read = StoredReservation.model_validate(stored)
    assert (read.changed, len(read.former_flights), read.disruptions) == (True, 1, ())


def test_cancellation_refunds_every_payment() -> None:
    after = changes.cancelled(kept("JK9001"), FLIGHTS).reservation
    assert [payment.amount for payment in after.payment_history] == [100, 209, -100, -209]
    assert after.status == "cancelled"


def test_change_without_cost_adds_no_payment() -> None:
    request = UpdateReservationBaggages(
        user_id="bob", reservation_id="CD7810", total_baggages=2, nonfree_baggages=1, payment_id="credit_card_1881"
    )
    after = changes.with_bags(kept(), request, Decimal(0)).reservation
    assert after.payment_history == kept().reservation.payment_history


def test_paid_bag_stays_paid_in_a_cabin_where_it_is_free() -> None:
    fewer = UpdateReservationBaggages(
        user_id="bob", reservation_id="CD7810", total_baggages=3, nonfree_baggages=0, payment_id="credit_card_1881"
    )
    after = changes.with_bags(kept(), fewer, Decimal(0)).reservation
    assert (after.total_baggages, after.nonfree_baggages) == (3, 1)


@pytest.mark.parametrize(
    ("cabin", "status", "due"),
    [("basic_economy", None, "1 of your 2 checked bags is not free in this cabin. The amount due is 50.00 USD."),
     ("basic_economy", "cancelled", ""), ("economy", None, "")],
)  # fmt: skip
def test_email_states_the_amount_due_for_bags_in_the_new_cabin(cabin: str, status: str | None, due: str) -> None:
    user = DATA.users["bob"]
    changed = kept().reservation.model_copy(update={"cabin": cabin, "status": status})
    body = confirmation_email(user, changed, "changed", "email1").body
    assert due in body
    assert ("amount due" in body) == bool(due)


def test_new_ids_start_with_the_benchmarks_if_configured() -> None:
    ids = list(changes.new_ids(random.Random(1), "benchmark"))
    assert ids[:3] == ["HATHAT", "HATHAU", "HATHAV"]
    assert len({*ids}) == 3 + changes.IDS_DRAWN_MAX
    assert all(len(one) == changes.ID_LENGTH and one.isalnum() for one in ids)
    assert "HATHAT" not in list(changes.new_ids(random.Random(1), "random"))
