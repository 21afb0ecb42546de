"""What tests of bookings need: a customer who books through the agent, and what Restate keeps of money and seats."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory

TO_AIRLINE = calls(("handoff_to_Airline", {"reason": "a booking"}))
DONE = "That was it."
YES = "yes"

ALICES_THREE = (("GC-1207", "120.00"), ("TC-5001", "50.00"), ("VISA-4242", "119.40"))
"""SB245 in economy for one, 289.40 EUR, from all that Alice has."""


def ahead(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


def booking(flight: str, day: date, *payments: tuple[str, str], **more: Any) -> tuple[str, JSON]:
    """The model's call of book_flight; economy for Alice Adler unless it says otherwise."""
    return (
        "book_flight",
        {
            "flight_number": flight,
            "date": day.isoformat(),
            "cabin": "economy",
            "passengers": ["Alice Adler"],
            "payments": [{"means_id": means, "amount": amount} for means, amount in payments],
            **more,
        },
    )


@dataclass(frozen=True)
class World:
    """What there is of bookings: each as it was before when everything is undone.

    `spent` is what the customer's means have paid, by means; `cards` what the card processor keeps, by token; `seats`
    who holds what on the flight; `unsettled` how many claims are open on it; `made` the numbers of standing bookings.
    """

    spent: dict[str, Decimal]
    cards: dict[str, Decimal]
    seats: dict[str, str]
    unsettled: int
    made: frozenset[str]
    emails: int


async def states(laboratory: Laboratory, service: str) -> dict[str, Any]:
    """The JSON of every state key of an object, by `key/state key`."""
    columns = "service_key, key, value_utf8"
    rows = await laboratory.mesh.admin.query(f"SELECT {columns} FROM state WHERE service_name = '{service}'")
    return {f"{row['service_key']}/{row['key']}": json.loads(row["value_utf8"]) for row in rows}


async def world(laboratory: Laboratory, customer_id: str, flight: str, day: date) -> World:
    wallet = (await states(laboratory, "PaymentMeans")).get(f"{customer_id}/wallet", {"charges": {}})
    holds = (await states(laboratory, "Seats")).get(f"{flight}:{day}/holds", {"by_booking": {}})["by_booking"]
    ledger = (await states(laboratory, "Reservations")).get(f"{customer_id}/ledger", {"made": []})
    sent = (await states(laboratory, "Outbox")).get(f"{customer_id}/sent", {"emails": []})
    return World(
        spent=added((one["means_id"], one) for one in wallet["charges"].values()),
        cards=added((one["card_token"], one) for one in (await states(laboratory, "CardProcessor")).values()),
        seats={name: hold["seat"] for name, hold in holds.items()},
        unsettled=sum(hold["claim_id"] is not None for hold in holds.values()),
        made=frozenset(one["booking"]["confirmation_number"] for one in ledger["made"] if not one["cancellation"]),
        emails=len(sent["emails"]),
    )


def added(charges: Any) -> dict[str, Decimal]:
    """What was charged and not given back, for each name that has any."""
    sums: dict[str, Decimal] = {}
    for name, charge in charges:
        sums[name] = sums.get(name, Decimal()) + Decimal(charge["amount"]) - Decimal(charge["refunded"])
    return {name: amount for name, amount in sums.items() if amount}


def more(after: dict[str, Decimal], before: dict[str, Decimal]) -> dict[str, Decimal]:
    """By how much each sum has grown, where it has."""
    grown = {name: after.get(name, Decimal()) - before.get(name, Decimal()) for name in after.keys() | before.keys()}
    return {name: amount for name, amount in grown.items() if amount}


async def asks_for(laboratory: Laboratory, customer: Customer, call: tuple[str, JSON]) -> Answer:
    """The customer is asked for a yes to the call; a yes will make it."""
    await laboratory.model.plays(scene("please", TO_AIRLINE, calls(call)), scene(YES, says("unsaid"), says(DONE)))
    answer = await customer.says("please")
    assert answer.status == 200, answer
    return answer


async def does(laboratory: Laboratory, customer: Customer, call: tuple[str, JSON]) -> JSON:
    """The call after the customer's yes: its result, with `ok` and `content`."""
    asked = await asks_for(laboratory, customer, call)
    if asked.body["confirmation"]:
        answer = await customer.says(YES)
        assert answer.status == 200, answer
    return await last_result(customer)


async def reads(laboratory: Laboratory, customer_id: str, call: tuple[str, JSON]) -> JSON:
    """The result of a call that needs no yes, in a session of its own."""
    await laboratory.model.plays(scene("look", TO_AIRLINE, calls(call), says(DONE)))
    customer = laboratory.customer(customer_id)
    await customer.says("look")
    return await last_result(customer)


async def last_result(customer: Customer) -> JSON:
    return [message for message in await customer.messages() if message["kind"] == "tool"][-1]


def told(result: JSON) -> JSON:
    """The answer of a tool that did what it was asked."""
    assert result["ok"], result
    answer: JSON = json.loads(result["content"])
    return answer
