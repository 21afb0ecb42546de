"""What tests of reservations need: customers who book through the agent, and what Restate keeps of it."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.tools.airline.data.schedule import AIRLINE_ZONE
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory

TO_AIRLINE = calls(("handoff_to_Airline", {"reason": "a booking"}))
DONE = "That was it."
YES = "yes"

ALICES_THREE = (("gift_card_1207", 120), ("certificate_5001", 50), ("credit_card_4242", 119.4))
"""SB245 in economy for one, 289.40, from all that Alice has."""

BOB = {"first_name": "Bob", "last_name": "Brandt", "dob": "1993-11-02"}
ALICE = {"first_name": "Alice", "last_name": "Adler", "dob": "1988-04-17"}

OBJECTS = "'ReservationDesk', 'Reservations', 'AirlineCustomers', 'FlightSeats', 'CardProcessor', 'Outbox'"


def ahead(days: int) -> date:
    """So many days after today, by the airline's clock."""
    return datetime.now(AIRLINE_ZONE).date() + timedelta(days=days)


def booking(flight: str, day: date, *payments: tuple[str, float], **more: Any) -> tuple[str, JSON]:
    """The model's call of book_reservation; Berlin to Lisbon in economy for Alice Adler unless it says otherwise."""
    return (
        "book_reservation",
        {
            "origin": "BER",
            "destination": "LIS",
            "flight_type": "one_way",
            "cabin": "economy",
            "flights": [{"flight_number": flight, "date": day.isoformat()}],
            "passengers": [ALICE],
            "payment_methods": [{"payment_id": means, "amount": amount} for means, amount in payments],
            "total_baggages": 0,
            "nonfree_baggages": 0,
            "insurance": "no",
            **more,
        },
    )


@dataclass(frozen=True)
class World:
    """What there is of a customer's money and bookings, and of a flight's seats.

    `methods` is what is on the payment methods that have an amount; `cards` what the card processor has taken in all,
    by card; `seats` who holds what on the flight; `listed` the reservations in the profile, and `slots` the objects
    that keep one, with their status; `open` is how many steps are not settled.
    """

    methods: dict[str, Decimal]
    cards: dict[str, Decimal]
    seats: dict[str, tuple[str, ...]]
    listed: tuple[str, ...]
    slots: dict[str, str]
    open: int
    emails: int


async def states(laboratory: Laboratory, service: str) -> dict[str, Any]:
    """The JSON of every state key of an object, by `key state key`."""
    columns = "service_key, key, value_utf8"
    rows = await laboratory.mesh.admin.query(f"SELECT {columns} FROM state WHERE service_name = '{service}'")
    return {f"{row['service_key']} {row['key']}": json.loads(row["value_utf8"]) for row in rows}


async def world(laboratory: Laboratory, customer_id: str, flight: str, day: date) -> World:
    user = told(await reads(laboratory, customer_id, ("get_user_details", {})))
    profiles = await states(laboratory, "AirlineCustomers")
    slots = {key.split()[0]: slot for key, slot in (await states(laboratory, "Reservations")).items() if "slot" in key}
    holds = (await states(laboratory, "FlightSeats")).get(f"{flight}/{day} holds", {"by_id": {}})["by_id"]
    sent = (await states(laboratory, "Outbox")).get(f"{customer_id} sent", {"emails": []})
    movements = (await states(laboratory, "CardProcessor")).values()
    return World(
        methods={one["id"]: Decimal(str(one["amount"])) for one in user["payment_methods"].values() if "amount" in one},
        cards=added((one["card_token"].split("/")[1], Decimal(one["amount"])) for one in movements),
        seats=held(holds),
        listed=tuple(user["reservations"]),
        slots={key: status_of(slot) for key, slot in slots.items()},
        open=sum(len(one.get("open_payments", {})) for one in profiles.values())
        + sum(bool(slot["operation_id"]) for slot in slots.values()),
        emails=len(sent["emails"]),
    )


def status_of(slot: JSON) -> str:
    return str((slot["kept"] or {"reservation": {"status": "claimed"}})["reservation"].get("status") or "stands")


def held(holds: JSON) -> dict[str, tuple[str, ...]]:
    """The seats that were taken here, by reservation."""
    return {hold["reservation_id"]: tuple(hold["seats"]) for hold in holds.values() if hold}


def added(movements: Any) -> dict[str, Decimal]:
    """The sum for each name that has any."""
    sums: dict[str, Decimal] = {}
    for name, amount in movements:
        sums[name] = sums.get(name, Decimal()) + amount
    return {name: amount for name, amount in sums.items() if amount}


def more(after: dict[str, Decimal], before: dict[str, Decimal]) -> dict[str, Decimal]:
    """By how much each sum has changed, where it has."""
    grown = {name: after.get(name, Decimal()) - before.get(name, Decimal()) for name in after.keys() | before.keys()}
    return {name: amount for name, amount in grown.items() if amount}


async def at_rest(laboratory: Laboratory) -> None:
    """Wait until nothing of reservations is under way any more."""
    sql = (
        f"SELECT count(*) AS busy FROM sys_invocation WHERE target_service_name IN ({OBJECTS})"
        " AND status NOT IN ('completed', 'scheduled')"
    )

    async def nothing_runs() -> bool:
        return not (await laboratory.mesh.admin.query(sql))[0]["busy"]

    await laboratory.until(nothing_runs)


async def asks_for(laboratory: Laboratory, customer: Customer, call: tuple[str, JSON]) -> Answer:
    """The customer is asked for a yes to the call; a yes will make it."""
    await laboratory.model.plays(scene("please", TO_AIRLINE, calls(call)), scene(YES, says("unsaid"), says(DONE)))
    answer = await customer.says("please")
    assert answer.status == 200, answer
    return answer


async def does(laboratory: Laboratory, customer_id: str, call: tuple[str, JSON]) -> JSON:
    """The call after the customer's yes, in a session of its own: its result, with `ok` and `content`."""
    customer = laboratory.customer(customer_id)
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


def told(result: JSON) -> Any:
    """The answer of a tool that did what it was asked."""
    assert result["ok"], result
    return json.loads(result["content"])
