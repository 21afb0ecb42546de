"""Reservations on a real mesh: paid with several methods, changed and cancelled, all or nothing."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from switchboard.builtin.calendar.contract import format_date
from switchboard.loop.decide import CHANGED
from switchboard.testing import JSON
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import (
    ALICES_THREE,
    DONE,
    YES,
    booking,
    call_tool,
    call_with_consent,
    changes,
    content_of,
    days_from_today,
    last_result,
    request_call,
    snapshot,
    wait_until_idle,
)

EVE = {"first_name": "Eve", "last_name": "Evans", "dob": "1987-02-18"}
ERIN = {"first_name": "Erin", "last_name": "Evans", "dob": "2001-09-23"}


async def test_booking_with_three_payment_methods_is_confirmed_and_cancelled(laboratory: Laboratory) -> None:
    day = days_from_today(40)
    before = await snapshot(laboratory, "alice", "SB245", day)
    customer = laboratory.customer("alice")
    asked = await request_call(laboratory, customer, booking("SB245", day, *ALICES_THREE))
    assert asked.text == (
        "Please confirm, with yes or no: Book BER to LIS, one way, in economy?"
        f" Flights: SB245 on {format_date(day)}, from BER to LIS."
        " Checked bags: 0, 0 of them paid. Travel insurance: no."
        " You pay 289.40 USD: 120.00 USD with gift card 1207, 50.00 USD with certificate 5001, 119.40 USD with credit"
        " card 4242. Your credit card 4242 is the Visa ending in 4242."
        " Passengers: “Alice” “Adler”, born on 17 April 1988."
    )
    assert await snapshot(laboratory, "alice", "SB245", day) == before
    await laboratory.model.plays(*yes_scene())
    assert (await customer.says(YES)).text == DONE
    booked = content_of(await last_result(customer))
    number = booked["reservation_id"]
    assert (booked["flights"][0]["price"], booked["status"]) == (289.4, None)
    await wait_until_idle(laboratory)
    after = await snapshot(laboratory, "alice", "SB245", day)
    # A certificate is used up completely and disappears.
    assert after.methods == {"gift_card_1207": Decimal(0)}
    assert changes(after.cards, before.cards) == {"credit_card_4242": Decimal("119.40")}
    assert after.seats.keys() - before.seats.keys() == {number}
    assert (after.listed, after.slots[number]) == ((*before.listed, number), "booked")
    assert (after.open, after.emails) == (0, before.emails + 1)
    await cancel_and_check(laboratory, number, day)


def yes_scene() -> list[JSON]:
    return [{"user": YES, "steps": [{"text": "unsaid"}, {"text": DONE}]}]


async def cancel_and_check(laboratory: Laboratory, number: str, day: date) -> None:
    """Cancel within 24 hours, which is always allowed. The card is refunded and the seat is free again."""
    before = await snapshot(laboratory, "alice", "SB245", day)
    cancelled = content_of(
        await call_with_consent(laboratory, "alice", ("cancel_reservation", {"reservation_id": number}))
    )
    assert [payment["amount"] for payment in cancelled["payment_history"]] == [120, 50, 119.4, -120, -50, -119.4]
    await wait_until_idle(laboratory)
    after = await snapshot(laboratory, "alice", "SB245", day)
    assert changes(after.cards, before.cards) == {"credit_card_4242": Decimal("-119.40")}
    others = {reservation: seats for reservation, seats in before.seats.items() if reservation != number}
    assert (after.seats, after.slots[number], after.open) == (others, "cancelled", 0)
    again = await call_with_consent(laboratory, "alice", ("cancel_reservation", {"reservation_id": number}))
    assert not again["ok"]
    assert again["content"].endswith("(rule X4)")
    assert (
        content_of(await call_tool(laboratory, "alice", ("email_invoice", {"confirmation_number": number})))["total"]
        == "0.00"
    )


def erins_booking(**more: Any) -> tuple[str, JSON]:
    return booking("SB245", days_from_today(42), ("credit_card_5454", 289.4), **more)


def flight_change(number: str, flight: str, day: date, cabin: str, payment_id: str) -> tuple[str, JSON]:
    flights = [{"flight_number": flight, "date": day.isoformat()}]
    wanted = {"reservation_id": number, "cabin": cabin, "flights": flights, "payment_id": payment_id}
    return "update_reservation_flights", wanted


def bags_change(number: str, total: int, paid: int, payment_id: str) -> tuple[str, JSON]:
    wanted = {"reservation_id": number, "total_baggages": total, "nonfree_baggages": paid, "payment_id": payment_id}
    return "update_reservation_baggages", wanted


SOON = days_from_today(42)
TWO_CERTIFICATES = (("certificate_5003", 75), ("certificate_5004", 25), ("credit_card_7777", 189.4))

IMPOSSIBLE: list[tuple[str, str, tuple[str, JSON]]] = [
    ("B2", "erin", booking("SB245", date(2020, 5, 1), ("credit_card_5454", 289.4))),
    ("B2", "erin", booking("SB999", SOON, ("credit_card_5454", 289.4))),
    ("B3", "erin", erins_booking(destination="OSL")),
    ("B4", "erin", erins_booking(passengers=[ERIN] * 6)),
    ("P1", "erin", booking("SB245", SOON, ("gift_card_1207", 120), ("credit_card_5454", 169.4))),
    ("P2", "dave", booking("SB245", SOON, *TWO_CERTIFICATES)),
    ("P3", "erin", booking("SB245", SOON, ("credit_card_5454", 289.39))),
    ("P4", "bob", booking("SB245", SOON, ("gift_card_2210", 289.4))),
    # Not alice's certificate: her booking above spends it, where both tests run.
    ("P6", "dave", bags_change("GH6034", 2, 1, "certificate_5003")),
    ("L1", "erin", erins_booking(total_baggages=3, nonfree_baggages=0)),
    ("L3", "bob", bags_change("CD7810", 1, 0, "credit_card_1881")),
    ("C1", "dave", flight_change("GH6034", "SB310", days_from_today(14), "basic_economy", "credit_card_7777")),
    ("C2", "alice", flight_change("AB4568", "SB101", SOON, "economy", "credit_card_4242")),
    ("C8", "alice", ("update_reservation_passengers", {"reservation_id": "AB4568", "passengers": [ERIN, EVE]})),
    ("C10", "carol", bags_change("EF2204", 1, 0, "credit_card_1005")),
    ("X2", "alice", ("cancel_reservation", {"reservation_id": "AB1207"})),
    ("X3", "dave", ("cancel_reservation", {"reservation_id": "GH6034", "reason": "health"})),
    ("X4", "carol", ("cancel_reservation", {"reservation_id": "EF2204"})),
    ("G1", "bob", ("cancel_reservation", {"reservation_id": "AB4568"})),
]
"""The rule, the customer, and a call that the rule refuses."""


@pytest.mark.half_at_night
@pytest.mark.parametrize(
    ("rule", "customer_id", "call"), IMPOSSIBLE, ids=[f"{row[0]}-{row[2][0]}" for row in IMPOSSIBLE]
)
async def test_customer_is_not_asked_about_a_call_that_a_rule_refuses(
    laboratory: Laboratory, rule: str, customer_id: str, call: tuple[str, JSON]
) -> None:
    await wait_until_idle(laboratory)
    before = await snapshot(laboratory, customer_id, "SB245", SOON)
    customer = laboratory.customer(customer_id)
    reply = await request_call(laboratory, customer, call)
    assert (reply.body["confirmation"], reply.text) == (None, DONE)
    result = await last_result(customer)
    assert (result["ok"], result["outcome"]) == (False, "known")
    assert result["content"].endswith(f"(rule {rule})")
    await wait_until_idle(laboratory)
    assert await snapshot(laboratory, customer_id, "SB245", SOON) == before


async def test_declined_card_is_found_after_the_yes_and_changes_nothing(laboratory: Laboratory) -> None:
    """Only the provider knows it, and only when the card is charged."""
    before = await snapshot(laboratory, "bob", "SB245", SOON)
    declined = booking("SB245", SOON, ("credit_card_0002", 289.4))
    result = await call_with_consent(laboratory, "bob", declined)
    assert not result["ok"]
    assert result["content"].startswith("credit_card_0002 was declined: insufficient funds.")
    assert result["content"].endswith("Nothing was booked or charged.")
    await wait_until_idle(laboratory)
    assert await snapshot(laboratory, "bob", "SB245", SOON) == before


async def test_seats_sold_between_question_and_yes_are_refused_then(laboratory: Laboratory) -> None:
    """Ten seats in business, and three customers who are each asked about five of them before anybody says yes."""
    day = days_from_today(44)
    before = await snapshot(laboratory, "dave", "SB310", day)
    party = [{**ERIN, "first_name": f"Guest {letter}"} for letter in "ABCDE"]
    asked = []
    for customer_id, card in (
        ("erin", "credit_card_5454"),
        ("carol", "credit_card_1005"),
        ("dave", "credit_card_7777"),
    ):
        customer = laboratory.customer(customer_id)
        wanted = booking("SB310", day, (card, 1865), destination="FCO", cabin="business", passengers=party)
        reply = await request_call(laboratory, customer, wanted)
        assert "You pay 1,865.00 USD" in reply.text, reply.text
        asked.append(customer)
    results = []
    for customer in asked:
        await customer.says(YES)
        results.append(await last_result(customer))
    assert [result["ok"] for result in results] == [True, True, False]
    assert results[-1]["content"].endswith(
        "has 0 free seats in business, and 5 are needed. Choose another flight or cabin. (rule B2)"
    )
    await wait_until_idle(laboratory)
    after = await snapshot(laboratory, "dave", "SB310", day)
    charged = changes(after.cards, before.cards)
    assert charged == {"credit_card_5454": Decimal(1865), "credit_card_1005": Decimal(1865)}
    assert (len(after.seats), after.listed, after.open) == (2, before.listed, 0)
    for customer, result in zip(asked, results[:-1], strict=False):
        number = content_of(result)["reservation_id"]
        cancelled = ("cancel_reservation", {"reservation_id": number})
        content_of(await call_with_consent(laboratory, customer.customer_id, cancelled))


async def test_call_is_not_made_if_the_reservation_changed_after_the_question(laboratory: Laboratory) -> None:
    made = booking("SB310", days_from_today(46), ("credit_card_5454", 143), destination="FCO", passengers=[ERIN])
    number = content_of(await call_with_consent(laboratory, "erin", made))["reservation_id"]
    customer = laboratory.customer("erin")
    reply = await request_call(laboratory, customer, bags_change(number, 2, 1, "gift_card_4400"))
    assert "You pay 50.00 USD with gift card 4400." in reply.text
    # Meanwhile Erin moves to business in another session, where both bags are free.
    upgrade = flight_change(number, "SB310", days_from_today(46), "business", "credit_card_5454")
    content_of(await call_with_consent(laboratory, "erin", upgrade))
    await customer.says(YES)
    assert (await last_result(customer))["content"].endswith("(rule L1)")
    # A change that leaves the call possible, but not what was shown.
    customer = laboratory.customer("erin")
    reply = await request_call(laboratory, customer, bags_change(number, 1, 0, "gift_card_4400"))
    assert reply.text.endswith("Passengers: “Erin” “Evans”.")
    replaced = {"reservation_id": number, "passengers": [{**ERIN, "first_name": "Ella"}]}
    content_of(await call_with_consent(laboratory, "erin", ("update_reservation_passengers", replaced)))
    await customer.says(YES)
    assert (await last_result(customer))["content"] == CHANGED
    content_of(await call_with_consent(laboratory, "erin", ("cancel_reservation", {"reservation_id": number})))
    await wait_until_idle(laboratory)


async def test_booking_can_be_changed_in_every_way(laboratory: Laboratory) -> None:
    day, later = days_from_today(43), days_from_today(45)
    made = booking("SB310", day, ("credit_card_5454", 286), destination="FCO", passengers=[ERIN, EVE])
    number = content_of(await call_with_consent(laboratory, "erin", made))["reservation_id"]
    which: JSON = {"reservation_id": number}
    await wait_until_idle(laboratory)
    before = await snapshot(laboratory, "erin", "SB310", later)

    # A cabin that costs 230 more for each of two passengers, on another day. The gift card cannot pay it, the card can.
    flights = {**which, "cabin": "business", "flights": [{"flight_number": "SB310", "date": later.isoformat()}]}
    short = await call_with_consent(
        laboratory, "erin", ("update_reservation_flights", {**flights, "payment_id": "gift_card_4400"})
    )
    assert short["content"].endswith("(rule P4)")
    changed = content_of(
        await call_with_consent(
            laboratory, "erin", ("update_reservation_flights", {**flights, "payment_id": "credit_card_5454"})
        )
    )
    assert (changed["cabin"], changed["payment_history"][-1]["amount"]) == ("business", 460)
    await wait_until_idle(laboratory)
    after = await snapshot(laboratory, "erin", "SB310", later)
    assert changes(after.cards, before.cards) == {"credit_card_5454": Decimal(460)}
    assert len(after.seats[number]) == 2
    assert (await snapshot(laboratory, "erin", "SB310", day)).seats == {}

    bags = {**which, "total_baggages": 5, "nonfree_baggages": 1, "payment_id": "gift_card_4400"}
    content_of(await call_with_consent(laboratory, "erin", ("update_reservation_baggages", bags)))
    await wait_until_idle(laboratory)
    paid = await snapshot(laboratory, "erin", "SB310", later)
    assert changes(paid.methods, after.methods) == {"gift_card_4400": Decimal(-50)}

    # Back to economy: the difference is on the gift card when the reply arrives.
    cheaper = {**flights, "cabin": "economy", "payment_id": "gift_card_4400"}
    content_of(await call_with_consent(laboratory, "erin", ("update_reservation_flights", cheaper)))
    refunded = await snapshot(laboratory, "erin", "SB310", later)
    assert changes(refunded.methods, paid.methods) == {"gift_card_4400": Decimal(460)}

    other = {**which, "passengers": [ERIN, {**EVE, "first_name": "Ella"}]}
    renamed = content_of(await call_with_consent(laboratory, "erin", ("update_reservation_passengers", other)))
    assert renamed["passengers"][1]["first_name"] == "Ella"
    await change_seat_and_cancel(laboratory, number)


async def test_amount_refunded_to_another_method_is_not_refunded_twice(laboratory: Laboratory) -> None:
    day = days_from_today(47)
    before = await snapshot(laboratory, "erin", "SB310", day)
    made = booking("SB310", day, ("credit_card_5454", 143), destination="FCO", passengers=[ERIN])
    which: JSON = {"reservation_id": content_of(await call_with_consent(laboratory, "erin", made))["reservation_id"]}
    same = {**which, "flights": [{"flight_number": "SB310", "date": day.isoformat()}]}
    for cabin, method in (("business", "credit_card_5454"), ("economy", "gift_card_4400")):
        content_of(
            await call_with_consent(
                laboratory, "erin", ("update_reservation_flights", {**same, "cabin": cabin, "payment_id": method})
            )
        )
    content_of(await call_with_consent(laboratory, "erin", ("cancel_reservation", which)))
    await wait_until_idle(laboratory)
    after = await snapshot(laboratory, "erin", "SB310", day)
    # The difference of 230 was refunded to the gift card, so only that amount stays charged to the card.
    assert changes(after.methods, before.methods) == {"gift_card_4400": Decimal(230)}
    assert changes(after.cards, before.cards) == {"credit_card_5454": Decimal(230)}


async def change_seat_and_cancel(laboratory: Laboratory, number: str) -> None:
    which = {"confirmation_number": number}
    vague = await call_tool(laboratory, "erin", ("get_seat_map", which))
    assert (
        vague["content"]
        == f"Booking {number} has 2 passengers. Please say whose seat to change: Erin Evans, Ella Evans."
    )
    choice = content_of(await call_tool(laboratory, "erin", ("get_seat_map", {**which, "passenger": "Ella Evans"})))
    wanted = {**which, "passenger": "Ella Evans", "seat": choice["free_aisle"][-1]}
    moved = content_of(await call_tool(laboratory, "erin", ("change_seat", wanted)))
    assert (moved["former_seat"], moved["seat"]) == (choice["seat"], wanted["seat"])
    taken = await call_tool(
        laboratory, "erin", ("change_seat", {**which, "passenger": "Erin Evans", "seat": moved["seat"]})
    )
    assert f"Seat {moved['seat']} on SB310" in taken["content"]
    content_of(await call_with_consent(laboratory, "erin", ("cancel_reservation", {"reservation_id": number})))
    await wait_until_idle(laboratory)


async def test_cancelled_flight_is_compensated_once_with_the_exact_amount(laboratory: Laboratory) -> None:
    wrong = await call_tool(laboratory, "dave", ("send_certificate", {"amount": 150, "reservation_id": "GH5120"}))
    assert wrong["content"].endswith("(rule K5)")
    given = content_of(
        await call_tool(laboratory, "dave", ("send_certificate", {"amount": 100, "reservation_id": "GH5120"}))
    )
    certificate = given.split()[1]
    assert given == f"Certificate {certificate} added to user dave with amount 100."
    user = content_of(await call_tool(laboratory, "dave", ("get_user_details", {})))
    assert user["payment_methods"][certificate]["amount"] == 100
    again = await call_tool(laboratory, "dave", ("send_certificate", {"amount": 100}))
    assert again["content"].endswith("(rule K6)")


async def test_searches_understand_days_airport_codes_and_connections(laboratory: Laboratory) -> None:
    search: dict[str, Any] = {"origin": "London", "destination": "LIS", "date": days_from_today(50).isoformat()}
    assert content_of(await call_tool(laboratory, "bob", ("search_direct_flight", search))) == []
    ((first, second),) = content_of(await call_tool(laboratory, "bob", ("search_onestop_flight", search)))
    assert (first["flight_number"], second["flight_number"]) == ("SB103", "SB245")
    direct = content_of(await call_tool(laboratory, "bob", ("search_direct_flight", {**search, "origin": "BER"})))
    assert [(one["flight_number"], one["prices"]["economy"]) for one in direct] == [("SB245", 289.4)]
    status = ("get_flight_status", {"flight_number": "sb420", "date": "tomorrow"})
    assert content_of(await call_tool(laboratory, "bob", status)) == "cancelled"
    assert (
        "no flight XY999"
        in (await call_tool(laboratory, "bob", ("get_flight_status", {"flight_number": "XY999"})))["content"]
    )


async def test_model_reads_the_number_of_the_rule_and_the_customer_does_not(laboratory: Laboratory) -> None:
    await laboratory.model.follows_rules()
    customer = laboratory.customer("bob")
    answer = await customer.says("show me the details of my reservation ZZ9999")
    refused = (await last_result(customer))["content"]
    assert refused == f"{answer.text} (rule G1)", answer
    assert answer.text.startswith("There is no booking ZZ9999 among your reservations.")


async def test_calculator_evaluates_arithmetic_and_refuses_anything_else(laboratory: Laboratory) -> None:
    assert (
        content_of(await call_tool(laboratory, "bob", ("calculate", {"expression": "2 * ((350 - 122) + (499 - 127))"})))
        == "1200.0"
    )
    refused = await call_tool(laboratory, "bob", ("calculate", {"expression": "__import__('os')"}))
    assert not refused["ok"]
