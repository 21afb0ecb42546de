"""A booking killed, cancelled or interrupted at every step of it: it is made once and whole, or not at all."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from cli.process import Process
from switchboard.testing import Answer, Customer
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import (
    ALICES_THREE,
    YES,
    World,
    ahead,
    asks_for,
    booking,
    does,
    last_result,
    more,
    told,
    world,
)

Side = Literal["before", "after"]

STEPS = (
    ("take_number", ""),
    ("take", ""),
    ("charge", "GC-1207"),
    ("charge", "TC-5001"),
    ("charge", "VISA-4242"),
    ("authorise", ""),
    ("record_booking", ""),
)
"""Each step on the way to the record, by its handler and a text of its input."""

AFTERWARDS = (("release", ""), ("deliver", ""))
"""What is only sent once the booking stands."""

FLIGHT, DAY = "SB245", ahead(50)
CARD_FEE = Decimal("40.00")


@dataclass
class Gates:
    """The gates of the tools' process; see tests/chaos/gated_tools.py."""

    folder: Path
    tools: Process

    def close(self, handler: str, side: Side, text: str) -> None:
        (self.folder / f"{handler}.{side}").write_text(text)

    def open(self) -> None:
        for gate in self.folder.iterdir():
            gate.unlink()

    def reached(self, handler: str, side: Side) -> bool:
        return (self.folder / f"{handler}.{side}.reached").exists()


@pytest.fixture(scope="module")
async def gated(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gates]:
    """The mesh's tools are run with gates meanwhile."""
    tools = laboratory.mesh.services["tools"]
    command, environment = tools.command, tools.environment
    found = Gates(tmp_path_factory.mktemp("gates"), tools)
    await tools.stop()
    tools.command = [sys.executable, "-m", "tests.chaos.gated_tools"]
    tools.environment = {**environment, "GATES": str(found.folder)}
    await tools.start()
    yield found
    await tools.stop()
    tools.command, tools.environment = command, environment
    await tools.start()


@pytest.fixture
def gates(gated: Gates) -> Iterator[Gates]:
    yield gated
    gated.open()


@dataclass
class UnderWay:
    """Alice's booking that has come to a closed gate."""

    laboratory: Laboratory
    customer: Customer
    answer: asyncio.Task[Answer]
    before: World

    async def saga(self) -> str:
        (row,) = await self.laboratory.invocations(self.customer.session, "book_flight")
        return str(row["id"])

    async def status_of(self, handler: str) -> list[str]:
        return [row["status"] for row in await self.laboratory.invocations(self.customer.session, handler)]

    async def undone(self) -> bool:
        """Whether all is as before, and nothing runs that could still change it."""
        rows = await self.laboratory.invocations(self.customer.session)
        if any(row["status"] != "completed" for row in rows):
            return False
        return await alices_world(self.laboratory) == self.before


async def alices_world(laboratory: Laboratory) -> World:
    return await world(laboratory, "alice", FLIGHT, DAY)


async def comes_to(laboratory: Laboratory, gates: Gates, handler: str, side: Side, text: str) -> UnderWay:
    """Alice books with three means, up to a gate that is closed; Restate shows the step as under way."""
    before = await alices_world(laboratory)
    customer = laboratory.customer("alice")
    await asks_for(laboratory, customer, booking(FLIGHT, DAY, *ALICES_THREE))
    gates.close(handler, side, text)
    answer = asyncio.create_task(customer.says(YES))
    under_way = UnderWay(laboratory, customer, answer, before)

    async def is_there() -> bool:
        return gates.reached(handler, side) and "running" in await under_way.status_of(handler)

    await laboratory.until(is_there)
    return under_way


@pytest.mark.parametrize(("handler", "text"), [*STEPS, *AFTERWARDS])
async def test_tools_killed_at_a_step_that_is_done_and_not_reported(
    laboratory: Laboratory, gates: Gates, handler: str, text: str
) -> None:
    under_way = await comes_to(laboratory, gates, handler, "after", text)
    await gates.tools.kill()
    gates.open()
    await gates.tools.start()
    await stands_once(under_way)


async def test_tools_killed_at_a_step_that_is_not_begun(laboratory: Laboratory, gates: Gates) -> None:
    under_way = await comes_to(laboratory, gates, "authorise", "before", "")
    await gates.tools.kill()
    gates.open()
    await gates.tools.start()
    await stands_once(under_way)


async def stands_once(under_way: UnderWay) -> None:
    """The booking is there, paid, seated and told of, all of it once; then it is cancelled for the next test."""
    laboratory, before = under_way.laboratory, under_way.before
    assert (await under_way.answer).status == 200
    number = told(await last_result(under_way.customer))["confirmation_number"]

    async def settled() -> bool:
        now = await alices_world(laboratory)
        return now.unsettled == 0 and now.emails > before.emails

    await laboratory.until(settled)
    after = await alices_world(laboratory)
    assert more(after.spent, before.spent) == {means: Decimal(amount) for means, amount in ALICES_THREE}
    assert more(after.cards, before.cards) == {"tok-alice-4242": Decimal("119.40")}
    assert after.made - before.made == frozenset({number})
    assert after.emails == before.emails + 1
    assert list(after.seats.keys() - before.seats.keys()) == [number]
    await cancel(laboratory, number, before)


async def cancel(laboratory: Laboratory, number: str, before: World) -> None:
    told(await does(laboratory, laboratory.customer("alice"), ("cancel_booking", {"confirmation_number": number})))

    async def given_back() -> bool:
        now = await alices_world(laboratory)
        spent = more(now.spent, before.spent) == {"VISA-4242": CARD_FEE}
        charged = more(now.cards, before.cards) == {"tok-alice-4242": CARD_FEE}
        return spent and charged and (now.seats, now.made) == (before.seats, before.made)

    await laboratory.until(given_back)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(("handler", "text"), STEPS)
async def test_a_booking_cancelled_at_a_step_is_undone_whole(
    laboratory: Laboratory, gates: Gates, handler: str, text: str, side: Side
) -> None:
    """The step is still under way when the saga has ended, so that its undoing has to wait for it."""
    under_way = await comes_to(laboratory, gates, handler, side, text)
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{await under_way.saga()}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status in (200, 202)
    assert (await under_way.answer).status == 200
    assert await under_way.status_of("book_flight") == ["completed"]
    assert "running" in await under_way.status_of(handler)
    gates.open()
    assert not (await last_result(under_way.customer))["ok"]
    await laboratory.until(under_way.undone)


@pytest.mark.parametrize(("handler", "side"), [("take", "after"), ("authorise", "after"), ("record_booking", "after")])
async def test_a_customer_who_interrupts_a_booking_has_none(
    laboratory: Laboratory, gates: Gates, handler: str, side: Side
) -> None:
    under_way = await comes_to(laboratory, gates, handler, side, "")
    assert (await under_way.customer.asks("interrupt")).body == {"interrupted": True}
    answer = await under_way.answer
    assert answer.body["interrupted"]
    assert answer.text.endswith("Not done: book flight.")
    gates.open()
    await laboratory.until(under_way.undone)


@pytest.mark.parametrize(("handler", "text"), AFTERWARDS)
async def test_a_cancellation_after_the_record_comes_too_late(
    laboratory: Laboratory, gates: Gates, handler: str, text: str
) -> None:
    under_way = await comes_to(laboratory, gates, handler, "before", text)
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{await under_way.saga()}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status in (200, 202, 409)
    gates.open()
    await stands_once(under_way)
