"""Every rule that the policy enforces: requests that it refuses, and similar ones that it allows."""

from dataclasses import replace as replaced
from typing import Any

import pytest

from services.tools.airline.reservations.itinerary import key_of
from services.tools.airline.reservations.policy.compensation import Claim
from services.tools.airline.reservations.stored_reservation import Disruption, StoredReservation
from services.tools.airline.rules import RULES
from switchboard.toolkit.refusal import Refusal
from tests.services.airline.reservations.policy_world import (
    ALL_FLOWN,
    CANCELLED_FLIGHT,
    DAY,
    DELAYED_FLIGHT,
    FIRST_FLOWN,
    LATE_EVERY_DAY,
    THIS_MORNING,
    bags,
    book,
    cancel,
    certificate,
    change,
    flights,
    replace,
    reservation,
    user,
)

ALLOWED = ""
Case = tuple[str, str, Refusal | None]
"""The request, the rule that refuses it or ALLOWED, and the policy's answer."""

GIFTS = {"gift_1": 50, "gift_2": 50, "gift_3": 50, "gift_4": 50}

BOOKING: list[Case] = [
    ("a connection", ALLOWED, book()),
    ("a flight there and back", ALLOWED,
     book("XX001", "XX002", "XX003", flight_type="round_trip", pay={"card_1": 300})),
    ("a flight that lands after midnight", ALLOWED, book("XX004", pay={"card_1": 100})),
    ("as many passengers as there are seats", ALLOWED, book(passengers=3, pay={"card_1": 600})),
    ("more passengers than seats", "B2", book(passengers=4, pay={"card_1": 800})),
    ("five passengers", ALLOWED, book(passengers=5, cabin="business", pay={"card_1": 3000})),
    ("six passengers", "B4", book(passengers=6, cabin="business", pay={"card_1": 3600})),
    *((f"a flight that is {status}", "B2", book(among=flights(XX002=status))) for status in
      ("delayed", "on_time", "flying", "landed", "cancelled")),
    ("a flight that departed this morning", "B2", book("XX001@2030-05-10", "XX002")),
    ("a flight that departs this evening", ALLOWED, book("XX004@2030-05-10", pay={"card_1": 100})),
    ("an unknown flight", "B2", book("XX009")),
    ("a day on which it does not fly", "B2", book("XX001@2031-01-01", "XX002@2031-01-01")),
    ("flights that do not connect", "B3", book("XX001", "XX003")),
    ("flights to another destination", "B3", book("XX001", "XX006")),
    ("flights from another origin", "B3", book("XX002", pay={"card_1": 100})),
    ("a one-way trip that returns", "B3", book("XX001", "XX002", "XX003", pay={"card_1": 300})),
    ("a round trip that does not return", "B3", book(flight_type="round_trip")),
    ("a connection that departs too early", "B3", book("XX001", "XX005")),
    ("a connection on the day before", "B3", book("XX001", "XX002@2030-05-10")),
    ("a return before the outward flight lands", "B3", book("XX004", "XX003", flight_type="round_trip")),
    ("a connection that departs as the previous flight lands", ALLOWED, book("XX001", "XX007")),
    ("a round trip that turns back before its destination", "B3",
     book("XX001", "XX002", "XX003", destination="DDD", flight_type="round_trip", pay={"card_1": 300})),
    ("another customer's card", "P1", book(pay={"card_9": 200})),
    ("a certificate, a card and three gift cards", ALLOWED,
     book(pay={"cert_1": 40, "card_1": 40, "gift_1": 40, "gift_2": 40, "gift_3": 40})),
    ("two certificates", "P2", book(pay={"cert_1": 100, "cert_2": 100})),
    ("two credit cards", "P2", book(pay={"card_1": 100, "card_2": 100})),
    ("four gift cards", "P2", book(pay=GIFTS)),
    ("too little", "P3", book(pay={"card_1": 199})),
    ("too much", "P3", book(pay={"card_1": 201})),
    ("a payment of zero", ALLOWED, book(pay={"card_1": 200, "gift_1": 0})),
    ("paid insurance", ALLOWED, book(insurance="yes", pay={"card_1": 230})),
    ("insurance for two passengers, paid once", "P3", book(insurance="yes", passengers=2, pay={"card_1": 430})),
    ("a paid bag that is not paid for", "P3", book(total_baggages=2, nonfree_baggages=1)),
    ("a gift card's whole balance", ALLOWED, book(pay={"gift_1": 100, "card_1": 100})),
    ("more than a gift card's balance", "P4", book(pay={"gift_1": 101, "card_1": 99})),
    ("more than a certificate's balance", "P4", book(pay={"cert_1": 101, "card_1": 99}, who=user(certificate=100))),
    ("a free bag as a paid one", "L1", book(total_baggages=1, nonfree_baggages=1, pay={"card_1": 250})),
    ("a paid bag as a free one", "L1", book(total_baggages=2)),
    ("more paid bags than bags", "L1", book(nonfree_baggages=1, pay={"card_1": 250})),
    ("two free bags of a silver member", ALLOWED, book(total_baggages=2, who=user("silver"))),
    ("no free bag in basic economy", "L1", book(total_baggages=1, cabin="basic_economy", pay={"card_1": 100})),
    ("four free bags of a gold member in business", ALLOWED,
     book(total_baggages=4, cabin="business", who=user("gold"), pay={"card_1": 600})),
    ("free bags of each passenger", ALLOWED, book(total_baggages=2, passengers=2, pay={"card_1": 400})),
]  # fmt: skip

CANCELLING: list[Case] = [
    ("a day after booking, to the minute", ALLOWED, cancel(reservation(created_at=THIS_MORNING))),
    ("a day and a second after booking", "X3", cancel(reservation(created_at="2030-05-09T11:59:59"))),
    ("with a flight that the airline cancelled", ALLOWED, cancel(reservation(), among=CANCELLED_FLIGHT)),
    ("with a flight that is delayed", "X3", cancel(reservation(), among=DELAYED_FLIGHT)),
    ("business", ALLOWED, cancel(reservation(cabin="business"))),
    ("insured, for health", ALLOWED, cancel(reservation(insurance="yes"), "health")),
    ("insured, for the weather", ALLOWED, cancel(reservation(insurance="yes"), "weather")),
    ("insured, and no reason was named", ALLOWED, cancel(reservation(insurance="yes"))),
    ("insured, for a change of plan", "X3", cancel(reservation(insurance="yes"), "change_of_plan")),
    ("for health, and not insured", "X3", cancel(reservation(), "health")),
    ("business, for a change of plan", ALLOWED, cancel(reservation(cabin="business"), "change_of_plan")),
    ("business after the first flight", "X2", cancel(reservation(cabin="business"), among=FIRST_FLOWN)),
    ("a flight that departed this morning", "X2", cancel(reservation("XX001", date="2030-05-10", cabin="business"))),
    ("a past flight that has no data any more", "X2", cancel(reservation(cabin="business", date="2029-01-10"))),
    ("twice", "X4", cancel(reservation(cabin="business", status="cancelled"))),
]  # fmt: skip

BASIC = reservation(cabin="basic_economy")
THERE_AND_BACK = reservation("XX001", "XX002", "XX003", flight_type="round_trip")
FIRST_FLIGHT_WITHOUT_DATA = reservation().model_copy(
    update={"flights": (*reservation("XX001", date="2030-01-10").flights, *reservation("XX002").flights)}
)
HALF_CANCELLED = reservation(status="cancelled")

CHANGING: list[Case] = [
    ("to a direct flight", ALLOWED, change(reservation(), "XX004")),
    ("to another day", ALLOWED, change(reservation(), "XX001@2030-05-25", "XX002@2030-05-25")),
    ("the second flight only", ALLOWED, change(reservation(), "XX001", "XX002@2030-05-25")),
    ("a kept flight that is sold out for others", ALLOWED,
     change(reservation(), "XX001", "XX002@2030-05-25", among=flights(XX001="on_time"))),
    ("the flights of basic economy", "C1", change(BASIC, "XX004", cabin="basic_economy")),
    ("the flights and the cabin of basic economy", "C1", change(BASIC, "XX004")),
    ("the cabin of basic economy", ALLOWED, change(BASIC)),
    ("the destination", "C2", change(reservation(), "XX001", "XX006")),
    ("the origin", "C2", change(reservation(), "XX002")),
    ("a one-way trip to a round trip", "C2", change(reservation(), "XX001", "XX002", "XX003")),
    ("a round trip to its outward flights", "C2", change(THERE_AND_BACK, "XX001", "XX002")),
    ("to a connection that leaves too early", "B3", change(reservation(), "XX001", "XX005")),
    ("a cabin whose connection was always too early", ALLOWED,
     change(reservation("XX001", "XX005"), "XX001", "XX005", cabin="business")),
    ("the cabin of flights that no longer form the route", ALLOWED,
     change(reservation("XX001", "XX006"), "XX001", "XX006", cabin="business")),
    ("to an unknown flight", "B2", change(reservation(), "XX009")),
    ("the cabin after the first flight", "C4", change(reservation(), cabin="business", among=FIRST_FLOWN)),
    ("the second flight after the first", ALLOWED,
     change(reservation(), "XX001", "XX002@2030-05-25", among=FIRST_FLOWN)),
    ("a flight that has departed", "C7", change(reservation(), "XX004", among=FIRST_FLOWN)),
    ("after a first flight that has no data any more", ALLOWED,
     change(FIRST_FLIGHT_WITHOUT_DATA, "XX001@2030-01-10", "XX002@2030-05-25")),
    ("the destination, after a first flight that has no data any more", "C2",
     change(FIRST_FLIGHT_WITHOUT_DATA, "XX001@2030-01-10", "XX006")),
    ("to an unknown flight, after a first flight that has no data any more", "B2",
     change(FIRST_FLIGHT_WITHOUT_DATA, "XX001@2030-01-10", "XX009")),
    ("a flown reservation", "C10", change(reservation(), "XX004", among=ALL_FLOWN)),
    ("a cancelled reservation", "C10", change(HALF_CANCELLED, "XX004")),
    ("to a delayed flight", "B2", change(reservation(), "XX004", among=flights(XX004="delayed"))),
    ("to a cabin without seats for all", "B2",
     change(reservation(passengers=4, cabin="business"))),
    ("with another customer's card", "P1", change(reservation(), "XX004", pay="card_9")),
    ("with a certificate", "P6", change(reservation(), "XX004", pay="cert_1")),
    ("with a gift card that does not cover it", "P4", change(reservation(), cabin="business", pay="gift_1")),
    ("with a gift card that does", ALLOWED, change(reservation(), cabin="business", pay="gift_2")),
    ("with a refund to an empty gift card", ALLOWED, change(reservation(), "XX004", pay="gift_1")),
]  # fmt: skip

PASSENGERS: list[Case] = [
    ("a passenger for another", ALLOWED, replace(reservation())),
    ("one passenger to two", "C8", replace(reservation(), passengers=2)),
    ("two passengers to one", "C8", replace(reservation(passengers=2))),
    ("passengers of a flown reservation", "C10", replace(reservation(), among=ALL_FLOWN)),
    ("passengers of a cancelled reservation", "C10", replace(HALF_CANCELLED)),
]  # fmt: skip

WITH_PAID_BAG = reservation(total_baggages=2, nonfree_baggages=1)
FREE_IN_BUSINESS = reservation(total_baggages=4, nonfree_baggages=0)
PAID_BEFORE_IT_WAS_FREE = reservation(cabin="business", total_baggages=2, nonfree_baggages=2)

BAGS: list[Case] = [
    ("a bag beyond the free one", ALLOWED, bags(reservation(), total=2, paid=1)),
    ("a bag beyond the free one, for nothing", "L1", bags(reservation(), total=2, paid=0)),
    ("a free bag, paid", "L1", bags(reservation(), total=2, paid=1, membership="silver")),
    ("another paid one", ALLOWED, bags(WITH_PAID_BAG, total=3, paid=2)),
    ("bags paid before a better cabin made them free", ALLOWED, bags(PAID_BEFORE_IT_WAS_FREE, total=3, paid=2)),
    ("the same, without the bags paid before", ALLOWED, bags(PAID_BEFORE_IT_WAS_FREE, total=3, paid=1)),
    ("as many bags as there are", ALLOWED, bags(WITH_PAID_BAG, total=2, paid=1)),
    ("bags that were free before the cabin was changed, for nothing", "L1", bags(FREE_IN_BUSINESS, total=4, paid=0)),
    ("the same, paid now", ALLOWED, bags(FREE_IN_BUSINESS, total=4, paid=3)),
    ("fewer bags", "L3", bags(WITH_PAID_BAG, total=1, paid=0)),
    ("with a certificate", "P6", bags(reservation(), total=2, paid=1, pay="cert_1")),
    ("with another customer's gift card", "P1", bags(reservation(), total=2, paid=1, pay="gift_9")),
    ("more than a gift card covers", "P4", bags(reservation(), total=4, paid=3, pay="gift_1")),
    ("after the first flight", ALLOWED, bags(reservation(), total=2, paid=1, among=FIRST_FLOWN)),
    ("after the last flight", "C10", bags(reservation(), total=2, paid=1, among=ALL_FLOWN)),
    ("to a cancelled reservation", "C10", bags(HALF_CANCELLED, total=2, paid=1)),
]  # fmt: skip

HELD = Claim(StoredReservation(reservation=reservation(passengers=2)))
LATE_THEN = Disruption(flight_number="XX002", date=DAY, status="delayed", cabin="economy")
DROPPED_THEN = LATE_THEN.model_copy(update={"status": "cancelled"})
LATE_AND_BUSINESS = LATE_THEN.model_copy(update={"cabin": "business"})


def rebooked(*before: Disruption, **more: Any) -> Claim:
    """Return a claim for a rebooked reservation; `before` are the disruptions stored by the change."""
    return Claim(StoredReservation(reservation=reservation("XX004", **more), changed=True, disruptions=before))


CHANGED_EARLIER = Claim(HELD.kept.model_copy(update={"changed": True}))
GIVEN_UP_EARLIER = Claim(
    StoredReservation(reservation=reservation("XX004"), changed=True, former_flights=HELD.kept.reservation.flights)
)
OTHER = Claim(StoredReservation(reservation=reservation("XX003", reservation_id="CD5678", passengers=3)))
BOOKED_HERE = Claim(HELD.kept.model_copy(update={"holds": {f"XX002/{DAY}": "op1"}}))


def held(**more: Any) -> Claim:
    return Claim(StoredReservation(reservation=reservation(**more)))


COMPENSATION: list[Case] = [
    ("for a cancelled flight", ALLOWED, certificate(200, HELD, among=CANCELLED_FLIGHT)),
    ("half of it", "K5", certificate(100, HELD, among=CANCELLED_FLIGHT)),
    ("twice as much", "K5", certificate(400, HELD, among=CANCELLED_FLIGHT)),
    ("for a flight that is on time", "K3", certificate(200, HELD, among=flights(XX002="on_time"))),
    ("for a delayed flight without a change", "K4", certificate(100, HELD, among=DELAYED_FLIGHT)),
    ("for a delayed flight, after a change before it was late", "K4",
     certificate(100, CHANGED_EARLIER, among=DELAYED_FLIGHT)),
    ("for a delayed flight that was changed for another", ALLOWED, certificate(50, rebooked(LATE_THEN))),
    ("the same, as for a cancelled one", "K5", certificate(100, rebooked(LATE_THEN))),
    ("for a cancelled flight that was changed for another", ALLOWED, certificate(100, rebooked(DROPPED_THEN))),
    ("for a flight that was given up before it was delayed", "K3",
     certificate(50, GIVEN_UP_EARLIER, among=DELAYED_FLIGHT)),
    ("for a flight that was given up before it was cancelled", "K3",
     certificate(100, GIVEN_UP_EARLIER, among=CANCELLED_FLIGHT)),
    ("for a delayed flight, after cancelling", ALLOWED, certificate(50, rebooked(LATE_THEN, status="cancelled"))),
    ("for a flight that is late after its reservation was cancelled", "K3",
     certificate(50, held(status="cancelled"), among=DELAYED_FLIGHT)),
    ("to a regular member", "K2", certificate(200, HELD, among=CANCELLED_FLIGHT, membership="regular")),
    ("to a regular member in business", ALLOWED,
     certificate(100, held(cabin="business"), among=CANCELLED_FLIGHT, membership="regular")),
    ("to a regular member who was in business at the time", ALLOWED,
     certificate(50, rebooked(LATE_AND_BUSINESS), membership="regular")),
    ("to a regular member who bought business later", "K2",
     certificate(50, rebooked(LATE_THEN, cabin="business"), membership="regular")),
    ("to a regular member who is insured", ALLOWED,
     certificate(100, held(insurance="yes"), among=CANCELLED_FLIGHT, membership="regular")),
    ("for a flight that is late every day, booked here", "K3", certificate(100, BOOKED_HERE, among=LATE_EVERY_DAY)),
    ("for one that was booked before the delay was known", "K4", certificate(100, HELD, among=LATE_EVERY_DAY)),
    ("a second time", "K6", certificate(200, replaced(HELD, compensated=True), among=CANCELLED_FLIGHT)),
    ("for the matching reservation", ALLOWED, certificate(200, OTHER, HELD, among=CANCELLED_FLIGHT)),
    ("for another reservation by id", "K3",
     certificate(200, OTHER, HELD, among=CANCELLED_FLIGHT, reservation_id="CD5678")),
    ("for an unknown reservation", "G1", certificate(200, HELD, among=CANCELLED_FLIGHT, reservation_id="ZZ9999")),
    ("for a delay that was a cancellation", "K3",
     certificate(200, HELD, among=CANCELLED_FLIGHT, reason="delayed_flight")),
    ("without any reservation", "K3", certificate(100)),
]  # fmt: skip

TABLES = {
    "booking": BOOKING,
    "cancelling": CANCELLING,
    "changing": CHANGING,
    "passengers": PASSENGERS,
    "bags": BAGS,
    "compensation": COMPENSATION,
}
FUNCTIONS = {
    "booking": "may_book",
    "cancelling": "may_cancel",
    "changing": "may_change_flights",
    "passengers": "may_change_passengers",
    "bags": "may_add_bags",
    "compensation": "may_compensate",
}
ALL = [(f"{table}: {what}", rule, answer) for table, cases in TABLES.items() for what, rule, answer in cases]


def functions_by_rule() -> dict[str, list[str]]:
    """Return the functions that enforce each rule, according to the cases."""
    by_rule: dict[str, list[str]] = {}
    for table, cases in TABLES.items():
        for rule in dict.fromkeys(rule for _, rule, _ in cases if rule):
            by_rule.setdefault(rule, []).append(FUNCTIONS[table])
    return by_rule


@pytest.mark.parametrize(("rule", "answer"), [case[1:] for case in ALL], ids=[case[0] for case in ALL])
def test_request_is_refused_by_the_rule_that_it_breaks(rule: str, answer: Refusal | None) -> None:
    assert (answer.rule if answer else ALLOWED) == rule, answer


@pytest.mark.parametrize("answer", [answer for _, rule, answer in ALL if rule], ids=[c[0] for c in ALL if c[1]])
def test_refusal_consists_of_complete_sentences(answer: Refusal) -> None:
    assert answer.why[0].isupper() or answer.why.startswith(("gift", "cert"))
    assert answer.why.endswith(".")
    assert "_economy" not in answer.why


def test_every_enforced_rule_has_a_refused_case() -> None:
    enforced = {rule.number for rule in RULES.values() if rule.enforced_by == "policy"}
    assert enforced == {rule for _, rule, _ in ALL if rule} - {"G1"}


def test_refused_cancellation_names_the_departed_flight() -> None:
    answer = cancel(reservation(cabin="business"), among=FIRST_FLOWN)
    assert answer is not None
    assert "XX001 on 2030-05-20" in answer.why
    assert key_of(reservation().flights[0]) == ("XX001", "2030-05-20")
