"""Reservations on a real mesh: paid with several methods, changed and cancelled, all or nothing."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

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
        f"Please confirm, with yes or no: Book BER to LIS (one way): SB245 on {day}, in economy for Alice Adler (born"
        " 1988-04-17), 0 checked bags (0 paid), without travel insurance, and pay 289.40 USD in total: 120.00 USD from"
        " gift_card_1207, 50.00 USD from certificate_5001, 119.40 USD from credit_card_4242?"
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
    assert list(after.seats) == [number]
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
    assert (after.seats, after.slots[number], after.open) == ({}, "cancelled", 0)
    again = await call_with_consent(laboratory, "alice", ("cancel_reservation", {"reservation_id": number}))
    assert not again["ok"]
    assert again["content"].endswith("(rule X4)")
    assert (
        content_of(await call_tool(laboratory, "alice", ("email_invoice", {"confirmation_number": number})))["total"]
        == "0.00"
    )


@pytest.mark.parametrize(
    ("customer_id", "payments", "changes", "why"),
    [
        ("bob", (("credit_card_0002", 289.4),), {}, "credit_card_0002 was declined: insufficient funds."),
        ("erin", (("credit_card_5454", 289.39),), {}, "(rule P3)"),
        (
            "erin",
            (("gift_card_1207", 120), ("credit_card_5454", 169.4)),
            {},
            "There is no payment method gift_card_1207",
        ),
        ("bob", (("gift_card_2210", 289.4),), {}, "(rule P4)"),
        ("dave", (("certificate_5003", 75), ("certificate_5004", 25), ("credit_card_7777", 189.4)), {}, "(rule P2)"),
        ("erin", (("credit_card_5454", 289.4),), {"destination": "OSL"}, "(rule B3)"),
        ("erin", (("credit_card_5454", 289.4),), {"total_baggages": 3, "nonfree_baggages": 0}, "(rule L1)"),
    ],
)
async def test_refused_booking_changes_nothing(
    laboratory: Laboratory, customer_id: str, payments: tuple[tuple[str, float], ...], changes: JSON, why: str
) -> None:
    day = days_from_today(42)
    before = await snapshot(laboratory, customer_id, "SB245", day)
    result = await call_with_consent(laboratory, customer_id, booking("SB245", day, *payments, **changes))
    assert not result["ok"]
    assert why in result["content"]
    await wait_until_idle(laboratory)
    assert await snapshot(laboratory, customer_id, "SB245", day) == before


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
