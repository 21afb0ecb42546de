"""For tests of reservations: customers who book through the agent, and the resulting state in Restate."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from switchboard import testing
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.midnight import TODAY

TO_AIRLINE = calls(("handoff_to_Airline", {"reason": "a booking"}))
DONE = "That was it."
YES = "yes"

ALICES_THREE = (("gift_card_1207", 120), ("certificate_5001", 50), ("credit_card_4242", 119.4))
"""The fare of SB245 in economy, 289.40, split over all payment methods of Alice."""

BOB = {"first_name": "Bob", "last_name": "Brandt", "dob": "1993-11-02"}
ALICE = {"first_name": "Alice", "last_name": "Adler", "dob": "1988-04-17"}

OBJECTS = "'ReservationDesk', 'Reservations', 'AirlineCustomers', 'FlightSeats', 'CardProcessor', 'Outbox'"


def days_from_today(days: int) -> date:
    return TODAY + timedelta(days=days)


def booking(flight: str, day: date, *payments: tuple[str, float], **more: Any) -> tuple[str, JSON]:
    """Return a call of book_reservation. Default: Berlin to Lisbon in economy for Alice Adler."""
    return (
        "book_reservation",
        {
            "origin": "BER",
            "destination": "LIS",
            "flight_type": "one_way",
            "cabin": "economy",
            "flights": [{"flight_number": flight, "date": day.isoformat()}],
            "passengers": [ALICE],
            "payment_methods": [{"payment_id": method, "amount": amount} for method, amount in payments],
            "total_baggages": 0,
            "nonfree_baggages": 0,
            "insurance": "no",
            **more,
        },
    )


@dataclass(frozen=True)
class Snapshot:
    """A customer's money and bookings, and a flight's seats.

    - `methods`: balances of the payment methods that have one.
    - `cards`: total amount that the card processor has charged, by card.
    - `seats`: seats on the flight, by reservation.
    - `listed`: reservations in the customer's profile.
    - `slots`: status of every Reservations object, by reservation.
    - `open`: number of steps that are not settled yet.
    """

    methods: dict[str, Decimal]
    cards: dict[str, Decimal]
    seats: dict[str, tuple[str, ...]]
    listed: tuple[str, ...]
    slots: dict[str, str]
    open: int
    emails: int


async def states(laboratory: testing.Laboratory, service: str, where: str = "") -> dict[str, Any]:
    """Return the JSON of every state key of a service's objects, by `object key state key`."""
    columns = "service_key, key, value_utf8"
    where = where or f"service_name = '{service}'"
    rows = await laboratory.query(f"SELECT {columns} FROM state WHERE {where}")
    return {f"{row['service_key']} {row['key']}": json.loads(row["value_utf8"]) for row in rows}


async def snapshot(laboratory: Laboratory, customer_id: str, flight: str, day: date) -> Snapshot:
    user = content_of(await call_tool(laboratory, customer_id, ("get_user_details", {})))
    profiles = await states(laboratory, "AirlineCustomers")
    slots = {key.split()[0]: slot for key, slot in (await states(laboratory, "Reservations")).items() if "slot" in key}
    holds = (await states(laboratory, "FlightSeats")).get(f"{flight}/{day} holds", {"by_id": {}})["by_id"]
    sent = (await states(laboratory, "Outbox")).get(f"{customer_id} sent", {"emails": []})
    movements = (await states(laboratory, "CardProcessor")).values()
    return Snapshot(
        methods={one["id"]: Decimal(str(one["amount"])) for one in user["payment_methods"].values() if "amount" in one},
        cards=sums_by_name((one["card_token"].split("/")[1], Decimal(one["amount"])) for one in movements),
        seats=seats_by_reservation(holds),
        listed=tuple(user["reservations"]),
        slots={key: status_of(slot) for key, slot in slots.items()},
        open=sum(len(one.get("open_payments", {})) for one in profiles.values())
        + sum(bool(slot["operation_id"]) for slot in slots.values()),
        emails=len(sent["emails"]),
    )


def status_of(slot: JSON) -> str:
    return str((slot["kept"] or {"reservation": {"status": "claimed"}})["reservation"].get("status") or "booked")


def seats_by_reservation(holds: JSON) -> dict[str, tuple[str, ...]]:
    """Return the held seats by reservation."""
    return {hold["reservation_id"]: tuple(hold["seats"]) for hold in holds.values() if hold}


def sums_by_name(movements: Any) -> dict[str, Decimal]:
    """Return the sum for each name. Omits sums of zero."""
    sums: dict[str, Decimal] = {}
    for name, amount in movements:
        sums[name] = sums.get(name, Decimal()) + amount
    return {name: amount for name, amount in sums.items() if amount}


def changes(after: dict[str, Decimal], before: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return the difference for each sum that has changed."""
    grown = {name: after.get(name, Decimal()) - before.get(name, Decimal()) for name in after.keys() | before.keys()}
    return {name: amount for name, amount in grown.items() if amount}


async def wait_until_idle(laboratory: Laboratory) -> None:
    """Wait until no invocation of the airline's reservations is running."""
    sql = (
        f"SELECT count(*) AS busy FROM sys_invocation WHERE target_service_name IN ({OBJECTS})"
        " AND status NOT IN ('completed', 'scheduled')"
    )

    async def nothing_runs() -> bool:
        return not (await laboratory.query(sql))[0]["busy"]

    await laboratory.until(nothing_runs)


async def request_call(laboratory: Laboratory, customer: Customer, call: tuple[str, JSON]) -> Answer:
    """Let the model make a call that asks for the customer's yes. Returns the reply with the question."""
    # The model says its last text only if the call is refused before the customer is asked.
    opening = scene("please", TO_AIRLINE, calls(call), says(DONE))
    await laboratory.model.plays(opening, scene(YES, says("unsaid"), says(DONE)))
    answer = await customer.says("please")
    assert answer.status == 200, answer
    return answer


async def call_with_consent(laboratory: Laboratory, customer_id: str, call: tuple[str, JSON]) -> JSON:
    """Make a call in a new session, with the customer's yes if it asks for one. Returns its `ok` and `content`."""
    customer = laboratory.customer(customer_id)
    asked = await request_call(laboratory, customer, call)
    if asked.body["confirmation"]:
        answer = await customer.says(YES)
        assert answer.status == 200, answer
    return await last_result(customer)


async def call_tool(laboratory: Laboratory, customer_id: str, call: tuple[str, JSON]) -> JSON:
    """Make a call that needs no yes in a new session. Returns its `ok` and `content`."""
    await laboratory.model.plays(scene("look", TO_AIRLINE, calls(call), says(DONE)))
    customer = laboratory.customer(customer_id)
    await customer.says("look")
    return await last_result(customer)


async def last_result(customer: Customer) -> JSON:
    return [message for message in await customer.messages() if message["kind"] == "tool"][-1]


def content_of(result: JSON) -> Any:
    """Return the parsed content of a successful result."""
    assert result["ok"], result
    return json.loads(result["content"])
