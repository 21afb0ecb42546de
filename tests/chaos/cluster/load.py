"""Customers who work on a cluster all the time, and what they leave behind."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any, cast
from uuid import uuid4

from switchboard.testing import Laboratory
from tests.chaos.cluster.cluster import ClusterMesh
from tests.generated.model_of_bank import monthly_payment
from tests.generated.outcomes import expect
from tests.generated.play import Play
from tests.generated.real_mesh import RealMesh
from tests.generated.runs import compare_states, new_play
from tests.generated.script import Asks, Call, Confirms, Conversation, Yes
from tests.generated.stage import Stage
from tests.generated.written_model import HERE

CUSTOMERS = 3
"""Customers who work all the time."""

PROBERS, PROBE_PAUSE_SECONDS = 4, 0.25
"""So many probes at the same time. Each asks again when it is answered, so a slow mesh does not get more of them."""

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

LOAN: dict[str, Any] = {"amount": "6000", "term_months": 60, "purpose": "a kitchen"}
"""More than is approved automatically."""


@dataclass
class Load:
    """Customers who work, and probes that measure how long an answer takes."""

    stage: Stage
    over: asyncio.Event = field(default_factory=asyncio.Event)
    waits: list[float] = field(default_factory=list)

    async def customer_works(self, number: int) -> None:
        """Hold one conversation after the other, and compare all that they leave behind at the end."""
        plays: list[Play] = []
        while not self.over.is_set():
            one = new_play(self.stage, CONVERSATIONS[(number + len(plays)) % len(CONVERSATIONS)])
            await one.run()
            plays.append(one)
            self.stage.played += 1
        await compare(self.stage, plays)

    async def probe(self) -> None:
        """Ask in a new session again and again."""
        while not self.over.is_set():
            self.waits.append(await answered_after(self.stage))
            await asyncio.sleep(PROBE_PAUSE_SECONDS)

    async def during(self, fault: Callable[[Stage], Awaitable[None]]) -> dict[str, float]:
        """Cause a fault while customers work. Returns what was counted; the longest wait is the time to serve again."""
        before = self.stage.played
        async with asyncio.TaskGroup() as working:
            for number in range(CUSTOMERS):
                working.create_task(self.customer_works(number))
            for _ in range(PROBERS):
                working.create_task(self.probe())
            await asyncio.sleep(SETTLED_SECONDS)
            usual = max(self.waits, default=0)
            await fault(self.stage)
            await asyncio.sleep(SETTLED_SECONDS)
            self.over.set()
        return {
            "conversations": self.stage.played - before,
            "probes": len(self.waits),
            "median wait, s": round(median(self.waits), 1),
            "longest wait before, s": round(usual, 1),
            "longest wait, s": round(max(self.waits), 1),
        }


async def answered_after(stage: Stage, customer_id: str = "carol-probe") -> float:
    """Ask in a new session. Returns after how many seconds the answer came."""
    loop = asyncio.get_running_loop()
    sent = loop.time()
    answer = await stage.mesh.customer(customer_id).posts("send", uuid4().hex, text="Are you there?")
    expect(answer.text, HERE, "the reply to a probe")
    return loop.time() - sent


async def compare(stage: Stage, plays: Sequence[Play]) -> None:
    """Compare everything that the conversations left behind with their models."""
    wrong = await compare_states(stage, plays)
    assert not wrong, [one.error for one in wrong]


def laboratory_of(stage: Stage) -> Laboratory:
    return cast(RealMesh, stage.mesh).laboratory


def mesh_of(stage: Stage) -> ClusterMesh:
    return cast(ClusterMesh, laboratory_of(stage).mesh)


async def apply_for_loan(stage: Stage) -> Play:
    """Let a new customer apply for a loan that waits for staff."""
    play = new_play(stage, Conversation("carol", ()))
    await play.take(Asks((Call("apply_for_loan", LOAN),)))
    await play.take(Yes())
    expect(play.models.bank.applications, ["waiting_for_staff"], "what became of the application")
    return play


async def approve_loan(stage: Stage, play: Play) -> None:
    """Let staff approve the application, and wait until the customer was told."""
    bank = play.models.bank
    kept = await stage.mesh.state("LoanApplications", bank.customer_id, "records")
    (application,) = (one["application"]["application_id"] for one in (kept or {"records": []})["records"])

    async def approved() -> bool:
        decision = {"approval_id": application, "why": "Good for it"}
        answer = await laboratory_of(stage).staff().calls("Approvals", "approve", **decision)
        # 409: it was approved by an earlier request, whose answer was lost.
        return answer.status in (200, 409)

    async def paid_out() -> bool:
        return await play.wait_until_checked("apply_for_loan") == ["approved"]

    await stage.mesh.until(approved)
    await stage.mesh.until(paid_out)
    amount = Decimal(LOAN["amount"])
    bank.applications[:] = ["approved"]
    bank.lent += amount
    bank.loan_payments += monthly_payment(amount, LOAN["term_months"])
    bank.book("checking", amount)
    await play.wait_for_decision(play.talks[0], "apply_for_loan", bank.applications)


async def finish(stage: Stage, plays: Sequence[Play]) -> None:
    """Check all that these customers are shown, their transcripts, and what they left behind."""
    for play in plays:
        await play.check_reads()
        for talk in play.talks:
            await play.check_transcript(talk)
    await compare(stage, plays)
