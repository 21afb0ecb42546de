"""A mesh on three Restate nodes: whatever happens to one of them, customers are answered and nothing is lost.

Customers hold conversations whose outcome plain models of the rules predict to the cent; see tests/generated.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

import pytest

from tests.chaos.cluster.cluster import ClusterMesh, Node, open_cluster
from tests.generated.outcomes import expect
from tests.generated.play import Play
from tests.generated.real_mesh import RealMesh
from tests.generated.runs import compare_states, new_play
from tests.generated.script import Asks, Call, Confirms, Conversation, Yes
from tests.generated.stage import Stage, look_up_payments
from tests.generated.written_model import HERE

pytestmark = pytest.mark.slow

CUSTOMERS = 3
"""Customers who work all the time."""

PROBE_PAUSE_SECONDS = 0.25
FROZEN_SECONDS = 8.0
"""Longer than the other nodes take to notice that a node is silent."""

SETTLED_SECONDS = 3.0
"""Customers work so long before a fault, and after it."""

TRANSFER = {"recipient": "{payee}", "recipient_name": "Bob Brandt", "reference": "{customer}", "currency": "EUR"}
MOVE = {"source": "savings", "target": "checking", "amount": "87.45", "currency": "EUR"}
BOOKING = {
    "origin": "BER",
    "destination": "LIS",
    "flight_type": "one_way",
    "cabin": "economy",
    "flights": [{"flight_number": "SB245", "date": "{day0}"}],
    "passengers": [{"first_name": "Eve", "last_name": "Evans", "dob": "1987-02-18"}],
    "payment_methods": [
        {"payment_id": "gift_card_4400", "amount": 100},
        {"payment_id": "credit_card_5454", "amount": 189.4},
    ],
    "total_baggages": 1,
    "nonfree_baggages": 0,
    "insurance": "no",
}
CONVERSATIONS = (
    Conversation(
        "carol",
        (
            Asks((Call("transfer_money", {**TRANSFER, "amount": "250"}),)),
            Yes(),
            Asks((Call("move_between_own_accounts", MOVE), Call("get_balance", {}))),
            Confirms(),
        ),
    ),
    Conversation(
        "erin",
        (
            Asks((Call("book_reservation", BOOKING),)),
            Yes(),
            Asks((Call("cancel_reservation", {"reservation_id": "{reservation1}", "reason": "other"}),)),
            Yes(),
        ),
    ),
)


@dataclass
class Load:
    """Customers who work, and a probe that measures how long an answer takes."""

    stage: Stage
    over: asyncio.Event = field(default_factory=asyncio.Event)
    waits: list[float] = field(default_factory=list)

    @property
    def mesh(self) -> ClusterMesh:
        return cast(ClusterMesh, cast(RealMesh, self.stage.mesh).laboratory.mesh)

    async def customers_work(self, number: int) -> None:
        """Hold one conversation after the other, and compare all that they leave behind at the end."""
        plays: list[Play] = []
        while not self.over.is_set():
            one = new_play(self.stage, CONVERSATIONS[(number + len(plays)) % len(CONVERSATIONS)])
            await one.run()
            plays.append(one)
            self.stage.played += 1
        wrong = await compare_states(self.stage, plays)
        assert not wrong, [one.error for one in wrong]

    async def probe(self) -> None:
        """Ask in a new session again and again."""
        async with asyncio.TaskGroup() as asked:
            while not self.over.is_set():
                asked.create_task(self.ask())
                await asyncio.sleep(PROBE_PAUSE_SECONDS)

    async def ask(self) -> None:
        loop = asyncio.get_running_loop()
        sent, number = loop.time(), len(self.waits)
        self.waits.append(0)
        answer = await self.stage.mesh.customer("carol-probe").posts("send", uuid4().hex, text="Are you there?")
        expect(answer.text, HERE, "the reply to a probe")
        self.waits[number] = loop.time() - sent

    async def during(self, fault: Callable[[ClusterMesh], Awaitable[None]]) -> dict[str, float]:
        """Cause a fault while customers work. Returns what was counted; the longest wait is the time to serve again."""
        before = self.stage.played
        async with asyncio.TaskGroup() as working:
            for number in range(CUSTOMERS):
                working.create_task(self.customers_work(number))
            working.create_task(self.probe())
            await asyncio.sleep(SETTLED_SECONDS)
            usual = max(self.waits)
            await fault(self.mesh)
            await asyncio.sleep(SETTLED_SECONDS)
            self.over.set()
        return {
            "conversations": self.stage.played - before,
            "probes": len(self.waits),
            "longest wait before, s": round(usual, 1),
            "longest wait, s": round(max(self.waits), 1),
        }


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_cluster(tmp_path_factory.mktemp("cluster")) as laboratory:
        opened = Stage(RealMesh(laboratory))
        await look_up_payments(opened)
        yield opened


async def kill_and_start(node: Node) -> None:
    await node.process.kill()
    await asyncio.sleep(SETTLED_SECONDS)
    await node.process.start()


async def freeze(node: Node) -> None:
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_SECONDS)
    finally:
        os.kill(node.process.pid, signal.SIGCONT)


async def kill_each(mesh: ClusterMesh) -> None:
    for node in mesh.nodes:
        await kill_and_start(node)


async def freeze_each(mesh: ClusterMesh) -> None:
    for node in mesh.nodes:
        await freeze(node)


@pytest.mark.parametrize("fault", [kill_each, freeze_each], ids=lambda fault: fault.__name__)
async def test_nothing_is_lost_in_a_cluster(
    stage: Stage,
    fault: Callable[[ClusterMesh], Awaitable[None]],
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    counted = await Load(stage).during(fault)
    record_testsuite_property(f"cluster, {fault.__name__}", counted)
    assert counted["conversations"] > 0
