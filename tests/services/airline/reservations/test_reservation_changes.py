"""What a write makes of a reservation, and which seats it needs and leaves."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.records import Cabin, FlightDay
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.reservations import changes
from services.tools.airline.reservations.contract import (
    FlightChoice,
    UpdateReservationBaggages,
    UpdateReservationFlights,
)
from services.tools.airline.reservations.emails import confirmation_email
from services.tools.airline.reservations.itinerary import FlightKey, FlightState, flight_state
from services.tools.airline.reservations.record import DISRUPTIONS_MAX, Disruption, StoredReservation

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


def told(kept: StoredReservation) -> list[tuple[str, str, str, str]]:
    return [(one.flight_number, one.date, one.status, one.cabin) for one in kept.disruptions]


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
    assert changes.seats_to_take(reservation, request) == tuple(needed)
    assert changes.seats_to_give_back(reservation, request) == tuple(left)


def test_a_kept_flight_keeps_its_price() -> None:
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


def test_a_change_notes_what_is_wrong_then_with_the_cabin_of_then() -> None:
    after = changes.with_flights(kept(), change("business", (OTHER,)), DISRUPTED, Decimal(7))
    assert told(after) == [
        ("SB101", "2026-03-16", "cancelled", "economy"),
        ("SB102", "2026-03-19", "delayed", "economy"),
    ]
    again = changes.with_flights(after, change("economy", (OUT, BACK)), FLIGHTS, Decimal(0))
    assert told(again) == told(after)


def test_a_change_that_asks_for_what_is_there_is_none_and_notes_nothing() -> None:
    after = changes.with_flights(kept(), change("economy", (OUT, BACK)), DISRUPTED, Decimal(0))
    assert (after.changed, after.disruptions) == (False, ())


def test_a_delay_of_every_day_is_noted_for_who_booked_before_and_for_nobody_else() -> None:
    assert DISRUPTED[BACK].late_every_day
    assert not DISRUPTED[OUT].late_every_day
    here = kept().model_copy(update={"holds": {"SB101/2026-03-16": "op1", "SB102/2026-03-19": "op1"}})
    assert [one[2] for one in told(changes.cancelled(kept(), DISRUPTED))] == ["cancelled", "delayed"]
    assert [one[2] for one in told(changes.cancelled(here, DISRUPTED))] == ["cancelled"]


def test_what_is_noted_has_a_limit() -> None:
    before = tuple(
        Disruption(flight_number=f"XX{number:03}", date=OUT[1], status="delayed", cabin="economy")
        for number in range(DISRUPTIONS_MAX)
    )
    full = kept().model_copy(update={"disruptions": before})
    assert changes.cancelled(full, DISRUPTED).disruptions == before


def test_an_object_that_was_kept_before_disruptions_were_noted_is_read() -> None:
    stored = kept().model_dump(mode="json", exclude={"disruptions"}) | {"changed": True}
    stored["former_flights"] = stored["reservation"]["flights"][:1]
    read = StoredReservation.model_validate(stored)
    assert (read.changed, len(read.former_flights), read.disruptions) == (True, 1, ())


def test_cancelling_gives_every_payment_back() -> None:
    after = changes.cancelled(kept("JK9001"), FLIGHTS).reservation
    assert [payment.amount for payment in after.payment_history] == [100, 209, -100, -209]
    assert after.status == "cancelled"


def test_what_costs_nothing_is_no_payment() -> None:
    request = UpdateReservationBaggages(
        user_id="bob", reservation_id="CD7810", total_baggages=2, nonfree_baggages=1, payment_id="credit_card_1881"
    )
    after = changes.with_bags(kept(), request, Decimal(0)).reservation
    assert after.payment_history == kept().reservation.payment_history


def test_a_bag_that_was_paid_stays_paid_in_a_cabin_that_makes_it_free() -> None:
    fewer = UpdateReservationBaggages(
        user_id="bob", reservation_id="CD7810", total_baggages=3, nonfree_baggages=0, payment_id="credit_card_1881"
    )
    after = changes.with_bags(kept(), fewer, Decimal(0)).reservation
    assert (after.total_baggages, after.nonfree_baggages) == (3, 1)


@pytest.mark.parametrize(
    ("cabin", "status", "due"),
    [("basic_economy", None, "1 of its 2 checked bags is not free in this cabin, and still to be paid: 50.00 USD."),
     ("basic_economy", "cancelled", ""), ("economy", None, "")],
)  # fmt: skip
def test_a_customer_is_written_which_bags_another_cabin_makes_due(cabin: str, status: str | None, due: str) -> None:
    user = DATA.users["bob"]
    changed = kept().reservation.model_copy(update={"cabin": cabin, "status": status})
    body = confirmation_email(user, changed, "changed", "email1").body
    assert due in body
    assert ("to be paid" in body) == bool(due)


def test_ids_are_the_benchmarks_first_where_it_is_played() -> None:
    ids = list(changes.new_ids(random.Random(1), "benchmark"))
    assert ids[:3] == ["HATHAT", "HATHAU", "HATHAV"]
    assert len({*ids}) == 3 + changes.IDS_DRAWN_MAX
    assert all(len(one) == changes.ID_LENGTH and one.isalnum() for one in ids)
    assert "HATHAT" not in list(changes.new_ids(random.Random(1), "random"))
