"""Unauthenticated sessions at the airline: every tool of its agent, before and after verification."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from services.airline.agent import airline
from services.tools.airline.data.dataset import DEFAULT_DATA
from switchboard.builtin.cases.contract import Case
from switchboard.testing import JSON, Customer, calls, says, scene
from switchboard.toolkit.verified_customers import VERIFY_FIRST
from tests.laboratory import SOON, Laboratory, open_laboratory
from tests.mesh.booking_desk import (
    DONE,
    TO_AIRLINE,
    YES,
    booking,
    call_with_consent,
    content_of,
    days_from_today,
    last_result,
    states,
    wait_until_idle,
)

CAROL = {"phone": "+49 89 5550103", "address": "Am Stadtpark 48, 80331 München"}

PUBLIC: dict[str, JSON] = {
    "list_all_airports": {},
    "search_direct_flight": {"origin": "BER", "destination": "LIS", "date": "tomorrow"},
    "search_onestop_flight": {"origin": "LHR", "destination": "LIS", "date": "tomorrow"},
    "get_flight_status": {"flight_number": "SB245"},
    "search_faq": {"question": "may I bring a dog?"},
    "calculate": {"expression": "2 + 2"},
    "transfer_to_human_agents": {"summary": "wants to speak to a person"},
}
"""Calls that concern no customer."""

HERS, SEAT = "EF2204", "8A"
DAY, LATER = days_from_today(70), days_from_today(71)
CARD = "credit_card_1005"
PASSENGER = {"first_name": "Carol", "last_name": "Chen", "dob": "1979-07-30"}
BOOKING = booking("SB310", DAY, (CARD, 143), destination="FCO", passengers=[PASSENGER])[1]
FLIGHTS = [{"flight_number": "SB310", "date": LATER.isoformat()}]


def personal(number: str, seat: str) -> dict[str, JSON]:
    """Return a call of every personal tool, about one of Carol's reservations. Cancelling comes last.

    `seat` is a free seat on the flight of DAY. The free seats differ from day to day.
    """
    which, booked = {"reservation_id": number}, {"confirmation_number": number}
    return {
        "get_user_details": {},
        "get_reservation_details": which,
        "book_reservation": BOOKING,
        "update_reservation_passengers": {**which, "passengers": [{**PASSENGER, "first_name": "Caroline"}]},
        "update_reservation_baggages": {**which, "total_baggages": 1, "nonfree_baggages": 0, "payment_id": CARD},
        "get_seat_map": booked,
        "change_seat": {**booked, "seat": seat},
        "update_reservation_flights": {**which, "cabin": "economy", "flights": FLIGHTS, "payment_id": CARD},
        "email_invoice": booked,
        "send_certificate": {**which, "amount": 100},
        "cancel_reservation": which,
    }


REFUSED = personal(HERS, SEAT)

NO_GROUND = "(rule K3)"
"""Refusal of `send_certificate` for a verified customer: none of her flights is late."""


async def call(laboratory: Laboratory, customer: Customer, tool: str, arguments: JSON) -> JSON:
    """Return the result of a call by the model, after the customer's yes if it asks for one."""
    known = await customer.asks("status")
    steps = (calls((tool, arguments)), says(DONE))
    there = known.body.get("active_agent") == airline.name
    opening = scene("please", *(steps if there else (TO_AIRLINE, *steps)))
    await laboratory.model.plays(opening, scene(YES, says("unsaid"), says(DONE)))
    answer = await customer.says("please")
    assert answer.status == 200, answer
    if answer.body["confirmation"]:
        await customer.says(YES)
    return await last_result(customer)


async def airline_state(laboratory: Laboratory) -> dict[str, JSON]:
    """Return all state that the airline keeps for its customers."""
    services = ("Reservations", "AirlineCustomers", "FlightSeats", "CardProcessor", "Outbox")
    return {service: await states(laboratory, service) for service in services}


def test_tables_cover_every_tool_of_the_airline() -> None:
    assert {tool.name for tool in airline.tools} == REFUSED.keys() | PUBLIC.keys() | {"verify_identity"}


@pytest.mark.parametrize("tool", sorted(REFUSED))
async def test_tool_refuses_an_unverified_customer(laboratory: Laboratory, tool: str) -> None:
    await wait_until_idle(laboratory)
    before = await airline_state(laboratory)
    result = await call(laboratory, laboratory.customer("carol", signed_in=False), tool, REFUSED[tool])
    assert (result["ok"], result["content"]) == (False, VERIFY_FIRST)
    await wait_until_idle(laboratory)
    assert await airline_state(laboratory) == before


async def test_every_tool_works_after_verification_but_only_in_that_session(laboratory: Laboratory) -> None:
    guest, other = (laboratory.customer("carol", signed_in=False) for _ in range(2))
    assert content_of(await call(laboratory, guest, "verify_identity", CAROL))["verified"]
    number = content_of(await call(laboratory, guest, "book_reservation", BOOKING))["reservation_id"]
    seats = content_of(await call(laboratory, guest, "get_seat_map", {"confirmation_number": number}))
    for tool, arguments in personal(number, seats["free_aisle"][-1]).items():
        if tool == "book_reservation":
            continue
        result = await call(laboratory, guest, tool, arguments)
        if tool == "send_certificate":
            assert result["content"].endswith(NO_GROUND)
        else:
            assert result["ok"], (tool, result)
    assert content_of(await call(laboratory, guest, "get_reservation_details", {"reservation_id": number}))["status"]
    assert (await call(laboratory, other, "get_user_details", {}))["content"] == VERIFY_FIRST
    bob = laboratory.customer("bob", signed_in=False)
    assert (await call(laboratory, bob, "get_user_details", {}))["content"] == VERIFY_FIRST


@pytest.mark.parametrize("tool", sorted(PUBLIC))
async def test_public_tool_answers_an_unverified_customer(laboratory: Laboratory, tool: str) -> None:
    result = await call(laboratory, laboratory.customer("carol", signed_in=False), tool, PUBLIC[tool])
    assert result["ok"], result


async def test_case_shows_verification_and_hides_outcome_from_unverified(laboratory: Laboratory) -> None:
    guest = laboratory.customer("erin", signed_in=False)
    content_of(await call(laboratory, guest, "transfer_to_human_agents", {"summary": "Send me my seat by post"}))
    proven = laboratory.customer("bob", signed_in=False)
    facts = {"date_of_birth": "1993-11-02", "email": "bob.brandt@example.com"}
    assert content_of(await call(laboratory, proven, "verify_identity", facts))["verified"]
    content_of(await call(laboratory, proven, "transfer_to_human_agents", {"summary": "A refund"}))
    signed_in = laboratory.customer("carol")
    content_of(await call(laboratory, signed_in, "transfer_to_human_agents", {"summary": "A refund"}))
    opened = {customer.session: await case_of(laboratory, customer) for customer in (guest, proven, signed_in)}
    assert [case.verified for case in opened.values()] == [False, True, True]
    for case in opened.values():
        await call_cases(laboratory, "close", case_id=case.case_id, outcome="Seat 12A")
    withheld, *outcomes = [await wait_for_notice(laboratory, customer) for customer in (guest, proven, signed_in)]
    assert "To protect your data, we share the outcome only after you sign in." in withheld
    assert "12A" not in withheld
    assert all(outcome.endswith(": Seat 12A") for outcome in outcomes)


async def test_case_outcome_is_shown_when_verified_after_the_case_was_opened(laboratory: Laboratory) -> None:
    guest = laboratory.customer("carol", signed_in=False)
    content_of(await call(laboratory, guest, "transfer_to_human_agents", {"summary": "A refund"}))
    case = await case_of(laboratory, guest)
    assert content_of(await call(laboratory, guest, "verify_identity", CAROL))["verified"]
    await call_cases(laboratory, "close", case_id=case.case_id, outcome="Refunded")
    assert (await wait_for_notice(laboratory, guest)).endswith(": Refunded")


async def call_cases(laboratory: Laboratory, handler: str, **request: object) -> JSON:
    answer = await laboratory.staff().calls("Cases", handler, **request)
    assert answer.status == 200, answer.text
    return answer.body


async def case_of(laboratory: Laboratory, customer: Customer) -> Case:
    """Return the open case of the customer's session from the staff's list."""
    listed = (await call_cases(laboratory, "list", limit=100))["cases"]
    return next(Case.model_validate(case) for case in listed if case["session_id"] == customer.session)


async def wait_for_notice(laboratory: Laboratory, customer: Customer) -> str:
    """Wait for a notice in the customer's session, and return it."""
    found: list[str] = []

    async def there() -> bool:
        found[:] = [message["text"] for message in await customer.messages() if message["kind"] == "notice"]
        return bool(found)

    await laboratory.until(there)
    return found[-1]


async def test_airline_customer_without_bank_record_verifies_by_airline_record(tmp_path: Path) -> None:
    """Uses an external data set, whose customers the bank does not know, on a mesh that always replays."""
    data = tmp_path / "data"
    copytree(DEFAULT_DATA, data)
    users = json.loads((data / "users.json").read_text())
    users["uma_lee_1"] = {
        **users["alice"],
        "name": {"first_name": "Uma", "last_name": "Lee"},
        "email": "uma.lee1@example.com",
        "dob": "1990-04-05",
        "reservations": [],
    }
    (data / "users.json").write_text(json.dumps(users))
    right = {"date_of_birth": "1990-04-05", "email": "uma.lee1@example.com"}
    environment = {**SOON, "AIRLINE_DATA_DIR": str(data)}
    async with open_laboratory(tmp_path / "mesh", replays=True, environment=environment) as laboratory:
        uma = laboratory.customer("uma_lee_1", signed_in=False)
        wrong = await call(laboratory, uma, "verify_identity", {**right, "date_of_birth": "1988-04-17"})
        assert not content_of(wrong)["verified"]
        assert (await call(laboratory, uma, "get_user_details", {}))["content"] == VERIFY_FIRST
        assert content_of(await call(laboratory, uma, "verify_identity", right))["verified"]
        assert content_of(await call(laboratory, uma, "get_user_details", {}))["email"] == "uma.lee1@example.com"
        content_of(await call_with_consent(laboratory, "uma_lee_1", ("get_user_details", {})))
        alice = laboratory.customer("alice", signed_in=False)
        assert not content_of(await call(laboratory, alice, "verify_identity", right))["verified"]
