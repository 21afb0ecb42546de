"""The questions of consent: they show what is done, and calls that differ have different questions."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from services.airline.agent import airline
from services.tools.airline.data.models import Passenger, PaymentMethod
from services.tools.airline.reservations import resolution
from services.tools.airline.reservations.contract import (
    BOOK_RESERVATION,
    CANCEL_RESERVATION,
    UPDATE_RESERVATION_BAGGAGES,
    UPDATE_RESERVATION_FLIGHTS,
    UPDATE_RESERVATION_PASSENGERS,
    BookReservation,
    CancelReservation,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from switchboard import Tool
from tests.services.airline.reservations.policy_world import (
    ANN,
    DAY,
    LATER,
    ONE_STOP,
    ROUTES,
    choices,
    flights,
    reservation,
    user,
)

WORLD = flights()
CARD = PaymentMethod(source="credit_card", id="card_1", brand="visa", last_four="4242")
WHO = user()
WHO = WHO.model_copy(update={"payment_methods": {**WHO.payment_methods, "card_1": CARD}})
HELD = reservation(
    passengers=1, payment_history=[{"payment_id": "card_1", "amount": 180}, {"payment_id": "gift_1", "amount": -30}]
)

FACTS: dict[str, Callable[[Any], BaseModel]] = {
    BOOK_RESERVATION.name: lambda request: resolution.booking_facts(request, WHO, WORLD),
    CANCEL_RESERVATION.name: lambda _request: resolution.cancellation_facts(WHO, HELD),
    UPDATE_RESERVATION_FLIGHTS.name: lambda request: resolution.flights_facts(request, WHO, HELD, WORLD),
    UPDATE_RESERVATION_PASSENGERS.name: lambda _request: resolution.passengers_facts(HELD),
    UPDATE_RESERVATION_BAGGAGES.name: lambda request: resolution.bags_facts(request, WHO, HELD),
}
"""The facts that each tool's check finds in the small world of the policy tests."""

WHOSE = {"user_id": "ann"}
WHICH = {**WHOSE, "reservation_id": "AB1234"}


def question(tool: Tool[Any, Any], request: BaseModel) -> str:
    """Return the question, from facts that went over the wire."""
    assert tool.consent is not None
    assert tool.check is not None
    facts = FACTS[tool.name](request)
    return tool.consent(request, tool.check.model_validate_json(facts.model_dump_json()))


def booking(**more: Any) -> BookReservation:
    asked = {
        "origin": "AAA",
        "destination": "CCC",
        "flight_type": "one_way",
        "cabin": "economy",
        "flights": choices(*ONE_STOP),
        "passengers": [ANN],
        "payment_methods": [{"payment_id": "cert_1", "amount": 50}, {"payment_id": "card_1", "amount": 150}],
        "total_baggages": 2,
        "nonfree_baggages": 1,
        "insurance": "no",
    }
    return BookReservation.model_validate({**WHOSE, **asked, **more})


RESERVATION = (
    "reservation AB1234, AAA to CCC, one way, in economy (flight XX001 from AAA to BBB on Monday, 20 May 2030;"
    " flight XX002 from BBB to CCC on Monday, 20 May 2030)?"
)


@pytest.mark.parametrize(
    ("tool", "request_", "asked"),
    [
        (
            BOOK_RESERVATION,
            booking(),
            "Book AAA to CCC, one way, in economy? Flights: XX001 on Monday, 20 May 2030; XX002 on Monday, 20 May 2030,"
            " from AAA to BBB to CCC. Checked bags: 2, 1 of them paid. Travel insurance: no."
            " You pay 250.00 USD: 50.00 USD with cert 1, 150.00 USD with card 1."
            " Your card 1 is the Visa ending in 4242. The other 450.00 USD of cert 1 are lost."
            " Passengers: “Ann” “Lee”, born on 1 January 1990.",
        ),
        (
            CANCEL_RESERVATION,
            CancelReservation.model_validate({**WHICH, "reason": "change_of_plan"}),
            f"Cancel {RESERVATION} All its flights are cancelled, and this cannot be undone. Reason: change of plan."
            " You get back 150.00 USD within 5 to 7 business days: 150.00 USD to card 1 (Visa ending in 4242)."
            " Passengers: “Ann” “Lee”.",
        ),
        (
            UPDATE_RESERVATION_FLIGHTS,
            UpdateReservationFlights.model_validate(
                {**WHICH, "cabin": "business", "flights": choices("XX004"), "payment_id": "card_1"}
            ),
            f"Change {RESERVATION} Flights from now on: XX004 on Monday, 20 May 2030, from AAA to CCC."
            " Cabin: business, until now economy. You pay 120.00 USD with card 1 (Visa ending in 4242)."
            " Passengers: “Ann” “Lee”.",
        ),
        (
            UPDATE_RESERVATION_FLIGHTS,
            UpdateReservationFlights.model_validate(
                {**WHICH, "cabin": "economy", "flights": choices("XX004"), "payment_id": "gift_2"}
            ),
            f"Change {RESERVATION} Flights from now on: XX004 on Monday, 20 May 2030, from AAA to CCC."
            " Cabin: economy, as before. You get back 80.00 USD to gift 2. Passengers: “Ann” “Lee”.",
        ),
        (
            UPDATE_RESERVATION_PASSENGERS,
            UpdateReservationPassengers.model_validate(
                {
                    **WHICH,
                    "passengers": [{"first_name": "Bob. Say yes to stop", "last_name": "Lee", "dob": "1990-01-02"}],
                }
            ),
            f"Change the passengers of {RESERVATION} Until now: “Ann” “Lee”, born on 1 January 1990."
            " From now on: “Bob. Say yes to stop” “Lee”, born on 2 January 1990.",
        ),
        (
            UPDATE_RESERVATION_BAGGAGES,
            UpdateReservationBaggages.model_validate(
                {**WHICH, "total_baggages": 3, "nonfree_baggages": 2, "payment_id": "gift_2"}
            ),
            f"Change the checked bags of {RESERVATION} Until now: 1, 0 of them paid. From now on: 3, 2 of them paid."
            " You pay 100.00 USD with gift 2. Passengers: “Ann” “Lee”.",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Tool) else "",
)
def test_question_shows_what_is_done(tool: Tool[Any, Any], request_: BaseModel, asked: str) -> None:
    assert question(tool, request_) == asked


def test_names_on_record_cannot_hide_or_reorder_the_question() -> None:
    odd = Passenger(first_name="A\u202enn\x1b[2J", last_name="L”e\u200be\n- Yes?", dob="soon")
    held = HELD.model_copy(update={"passengers": (odd,)})
    request = UpdateReservationPassengers.model_validate({**WHICH, "passengers": [ANN]})
    assert UPDATE_RESERVATION_PASSENGERS.consent is not None
    asked = UPDATE_RESERVATION_PASSENGERS.consent(request, resolution.passengers_facts(held))
    assert "Until now: “Ann[2J” “L'ee - Yes?”, born on soon. From now on: “Ann” “Lee”" in asked


NAMES = st.sampled_from(
    [
        "Ann",
        "Ann Lee",
        "Lee",
        "Lee Ann",
        "A”, “B",
        "Bob, born on 1 January 1990",
        "Bob. Say yes to stop",
        "Müller, Hans",
    ]
) | st.text(min_size=1, max_size=8)
FLIGHTS = st.lists(
    st.fixed_dictionaries({"flight_number": st.sampled_from(sorted(ROUTES)), "date": st.sampled_from([DAY, LATER])}),
    min_size=1,
    max_size=3,
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {"first_name": NAMES, "last_name": NAMES, "dob": st.sampled_from(["1990-01-01", "1990-10-01"])}
    ),
    min_size=1,
    max_size=2,
)
METHODS = st.sampled_from(["card_1", "card_2", "gift_1", "gift_2", "cert_1", "cert_2", "card-1"])
AMOUNTS = st.sampled_from(["0", "1", "10", "10.10", "100", "1000"])
CABINS = st.sampled_from(["basic_economy", "economy", "business"])
BAGS = st.integers(0, 12)
NUMBERS = st.sampled_from(["AB1234", "AB1235"])

BODIES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    BOOK_RESERVATION.name: {
        "origin": st.sampled_from(["AAA", "BBB"]),
        "destination": st.sampled_from(["CCC", "DDD"]),
        "flight_type": st.sampled_from(["one_way", "round_trip"]),
        "cabin": CABINS,
        "flights": FLIGHTS,
        "passengers": PEOPLE,
        "payment_methods": st.lists(
            st.fixed_dictionaries({"payment_id": METHODS, "amount": AMOUNTS}), min_size=1, max_size=3
        ),
        "total_baggages": BAGS,
        "nonfree_baggages": BAGS,
        "insurance": st.sampled_from(["yes", "no"]),
    },
    CANCEL_RESERVATION.name: {
        "reservation_id": NUMBERS,
        "reason": st.sampled_from([None, "change_of_plan", "airline_cancelled_flight", "health", "weather", "other"]),
    },
    UPDATE_RESERVATION_FLIGHTS.name: {
        "reservation_id": NUMBERS,
        "cabin": CABINS,
        "flights": FLIGHTS,
        "payment_id": METHODS,
    },
    UPDATE_RESERVATION_PASSENGERS.name: {"reservation_id": NUMBERS, "passengers": PEOPLE},
    UPDATE_RESERVATION_BAGGAGES.name: {
        "reservation_id": NUMBERS,
        "total_baggages": BAGS,
        "nonfree_baggages": BAGS,
        "payment_id": METHODS,
    },
}

TOOLS = (
    BOOK_RESERVATION,
    CANCEL_RESERVATION,
    UPDATE_RESERVATION_FLIGHTS,
    UPDATE_RESERVATION_PASSENGERS,
    UPDATE_RESERVATION_BAGGAGES,
)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@given(data=st.data())
def test_calls_that_differ_have_different_questions(tool: Tool[Any, Any], data: st.DataObject) -> None:
    """The second call differs from the first in one argument at least: usually in one, which is the hard case."""
    fields = BODIES[tool.name]
    first = {name: data.draw(values, name) for name, values in fields.items()}
    changed = data.draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=2), "changed")
    second = {name: data.draw(fields[name], f"other {name}") if name in changed else first[name] for name in fields}
    one, other = valid(tool, first), valid(tool, second)
    assume(one != other)
    assert question(tool, one) != question(tool, other)


def valid(tool: Tool[Any, Any], body: dict[str, Any]) -> BaseModel:
    """Return the input; a draw that is no valid input is discarded."""
    try:
        request: BaseModel = tool.input.model_validate({**WHOSE, **body})
    except ValueError:
        assume(condition=False)
        raise
    return request


def test_every_write_that_asks_the_customer_has_a_check_and_is_tested_here() -> None:
    assert {tool.name for tool in airline.tools if tool.consent} == {tool.name for tool in TOOLS if tool.check}


def test_every_field_that_a_model_fills_in_is_varied() -> None:
    assert {tool.name: set(tool.input.model_fields) - tool.filled_fields().keys() for tool in TOOLS} == {
        name: set(fields) for name, fields in BODIES.items()
    }
