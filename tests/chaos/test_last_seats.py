"""Parallel bookings of the last ten seats: exactly ten succeed, also when the tools are killed.

There are fifty bookings, and two hundred in nightly runs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest

from switchboard.local.process import free_ports
from switchboard.testing import JSON
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import (
    booking,
    changes,
    days_from_today,
    seats_by_reservation,
    snapshot,
    states,
    wait_until_idle,
)

SEATS = 10
BOOKINGS = pytest.mark.parametrize(
    "bookings", [pytest.param(50, id="fifty"), pytest.param(200, id="two hundred", marks=pytest.mark.slow)]
)
FARE, FROM_GIFT_CARD = Decimal(373), Decimal(1)
PAYMENT_METHODS = {"carol": ("gift_card_3300", "credit_card_1005"), "erin": ("gift_card_4400", "credit_card_5454")}
REFUSALS = ("(rule B2)", "Nothing was booked or charged.")
"""Refused by the policy because no seat was free, or by the flight because none was left."""

DAYS_AHEAD = {50: 70, 200: 72}
"""Each test books another day's flight, and the flight of the next day while the tools are killed."""

KILLS_AT = (1, 4, 8)
"""Numbers of taken seats at which the tools are killed."""


@dataclass(frozen=True)
class ToolCaller:
    """Calls an agent's tools like the loop does, but without a model."""

    laboratory: Laboratory
    url: str

    async def book(self, customer_id: str, day: date, number: int) -> JSON:
        """Book a business seat to Rome. The fare is split over gift card and credit card."""
        gift_card, card = PAYMENT_METHODS[customer_id]
        payments = ((gift_card, float(FROM_GIFT_CARD)), (card, float(FARE - FROM_GIFT_CARD)))
        guest = {"first_name": "Guest", "last_name": f"Number{number}", "dob": "1990-01-01"}
        tool, arguments = booking("SB310", day, *payments, destination="FCO", cabin="business", passengers=[guest])
        body = {
            "agent": "Airline",
            "identity": {"session_id": f"seats-{day}-{number}", "customer_id": customer_id},
            "tool": tool,
            "arguments": json.dumps(arguments),
        }
        async with self.laboratory.http.post(self.url, json=body) as response:
            assert response.status == 200, await response.text()
            result: JSON = await response.json()
            return result


@pytest.fixture(scope="module")
async def door(laboratory: Laboratory) -> AsyncIterator[ToolCaller]:
    (port,) = free_ports(1)
    process = laboratory.mesh.service("caller", port, module="evals.caller")
    await process.start()
    await laboratory.mesh.register(f"http://127.0.0.1:{port}")
    yield ToolCaller(laboratory, f"{laboratory.mesh.addresses.ingress_url}/EvalCaller/call")
    await process.stop()


@dataclass(frozen=True)
class Sums:
    """Money and reservations of the customers who book."""

    gift_cards: dict[str, Decimal]
    cards: dict[str, Decimal]
    listed: int
    slots: dict[str, str]
    open: int


async def sums(laboratory: Laboratory, day: date) -> Sums:
    worlds = [await snapshot(laboratory, customer_id, "SB310", day) for customer_id in PAYMENT_METHODS]
    return Sums(
        gift_cards=worlds[0].methods | worlds[1].methods,
        cards=worlds[0].cards,
        listed=sum(len(one.listed) for one in worlds),
        slots=worlds[0].slots,
        open=worlds[0].open,
    )


async def seats_taken(laboratory: Laboratory, day: date) -> dict[str, tuple[str, ...]]:
    holds = (await states(laboratory, "FlightSeats")).get(f"SB310/{day} holds", {"by_id": {}})["by_id"]
    return seats_by_reservation(holds)


async def book_all(door: ToolCaller, day: date, bookings: int) -> list[JSON]:
    """Make all bookings in parallel, and return the results."""
    customer_ids = list(PAYMENT_METHODS)
    return list(
        await asyncio.gather(
            *(door.book(customer_ids[number % len(customer_ids)], day, number) for number in range(bookings))
        )
    )


async def check_ten_booked(laboratory: Laboratory, day: date, before: Sums, results: list[JSON]) -> None:
    """Check that there are ten reservations, seats and fares, and nothing of the refused bookings."""
    await wait_until_idle(laboratory)
    made = [json.loads(result["content"]) for result in results if result["ok"]]
    numbers = {reservation["reservation_id"] for reservation in made}
    assert (len(made), len(numbers)) == (SEATS, SEATS)
    assert all(result["ok"] or result["content"].endswith(REFUSALS) for result in results)
    taken = await seats_taken(laboratory, day)
    assert taken.keys() == numbers
    assert len({seat for seats in taken.values() for seat in seats}) == SEATS
    after = await sums(laboratory, day)
    assert sum(changes(after.gift_cards, before.gift_cards).values()) == -SEATS * FROM_GIFT_CARD
    assert sum(changes(after.cards, before.cards).values()) == SEATS * (FARE - FROM_GIFT_CARD)
    assert after.listed - before.listed == SEATS
    assert after.slots.items() - before.slots.items() == {(number, "booked") for number in numbers}
    assert after.open == 0


@BOOKINGS
async def test_ten_bookings_get_the_last_ten_seats(laboratory: Laboratory, door: ToolCaller, bookings: int) -> None:
    day = days_from_today(DAYS_AHEAD[bookings])
    before = await sums(laboratory, day)
    await check_ten_booked(laboratory, day, before, await book_all(door, day, bookings))


@BOOKINGS
async def test_ten_bookings_succeed_when_tools_are_killed_three_times(
    laboratory: Laboratory, door: ToolCaller, bookings: int
) -> None:
    day = days_from_today(DAYS_AHEAD[bookings] + 1)
    before = await sums(laboratory, day)
    booking_all = asyncio.create_task(book_all(door, day, bookings))
    tools = laboratory.mesh.services["tools"]
    for seats in KILLS_AT:

        async def seats_are_taken(wanted: int = seats) -> bool:
            return len(await seats_taken(laboratory, day)) >= wanted

        await laboratory.until(seats_are_taken)
        await tools.kill()
        assert not booking_all.done()
        await tools.start()
    await check_ten_booked(laboratory, day, before, await booking_all)
