"""The mesh on which generated conversations are played, with tools for a crowd and a model that does as it is told."""

import asyncio
import datetime as dt
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

from switchboard.testing import JSON
from tests.chaos.crowd import RESERVATIONS as COPIED
from tests.generated.customer import PatientCustomer
from tests.generated.model_of_bank import BookedPayment
from tests.laboratory import Laboratory
from tests.mesh.money import past_month

TOO_OLD_DAYS = 130
"""The age of a payment that can no longer be disputed, with some days to spare."""


@dataclass
class Stage:
    """A mesh on which conversations are played. Each has a customer of its own.

    `payments` are Carol's, by their names in arguments. `seats` are those that earlier conversations left.
    """

    laboratory: Laboratory
    payments: dict[str, tuple[str, BookedPayment]] = field(default_factory=dict)
    seats: dict[str, dict[str, int]] = field(default_factory=dict)
    numbers: dict[str, Iterator[int]] = field(default_factory=dict)
    killing: asyncio.Lock = field(default_factory=asyncio.Lock)
    played: int = 0
    sent: int = 0
    kills: int = 0

    def customer(self, customer_id: str) -> PatientCustomer:
        """Return the customer with a new session."""
        mesh = self.laboratory.mesh
        return PatientCustomer(mesh.addresses.ingress_url, self.laboratory.http, customer_id, speaker=mesh.speaker)

    def counted(self) -> dict[str, int]:
        return {"conversations": self.played, "requests of customers": self.sent, "kills": self.kills}

    def next_number(self, owner: str) -> int:
        # Each of Erin's copies has two days for herself.
        numbers = self.numbers.setdefault(owner, itertools.count(0, 2 if owner in COPIED else 1))
        return next(numbers)

    async def kill(self, process: str, after_ms: int) -> None:
        async with self.killing:
            await asyncio.sleep(after_ms / 1000)
            mesh = self.laboratory.mesh
            victim = mesh.restate if process == "restate" else mesh.services[process]
            self.kills += 1
            await victim.kill()
            await victim.start()


@asynccontextmanager
async def open_stage(laboratory: Laboratory) -> AsyncIterator[Stage]:
    """Run the crowd's tools and the written model until the end of the block."""
    changed = {"tools": "tests.generated.crowd_tools", "demo_model": "tests.generated.written_model"}
    before = {name: laboratory.mesh.services[name].command for name in changed}
    for name, module in changed.items():
        await restart(laboratory, name, [sys.executable, "-m", module])
    stage = Stage(laboratory)
    await look_up_payments(stage)
    yield stage
    for name, command in before.items():
        await restart(laboratory, name, list(command))


async def restart(laboratory: Laboratory, name: str, command: list[str]) -> None:
    process = laboratory.mesh.services[name]
    await process.stop()
    process.command = command
    await process.start()


async def look_up_payments(stage: Stage) -> None:
    """Find the payments that conversations dispute. They are the same for all copies of Carol."""
    customer = stage.customer("carol-look-up")
    old = {"merchant": "Courier", "period": past_month(dt.datetime.now(dt.UTC).date())}
    listed = [("list_transactions", {"limit": 50, **more}) for more in ({}, {"merchant": "Courier"}, old)]
    text = json.dumps([[("handoff_to_Bank", {"reason": "look"})], listed])
    answer = await customer.posts("send", uuid4().hex, text=text)
    assert answer.status == 200, answer
    results = [
        json.loads(one["content"])
        for one in (await customer.messages())
        if one["kind"] == "tool" and one["content"].startswith("{")
    ]
    found = {one["transaction_id"]: one for result in results for one in result["transactions"]}
    payments = {key: booked_payment(one) for key, one in found.items()}
    small = [key for key, one in payments.items() if one.merchant == "Daily Courier" and one.days_ago < 100]
    names = {f"small{number}": key for number, key in enumerate(small)}
    names["large"] = first(payments, lambda one: one.category == "groceries" and one.days_ago < 100)
    names["rent"] = first(payments, lambda one: one.category == "utilities" and one.days_ago < 100)
    names["old"] = first(payments, lambda one: one.merchant == "Daily Courier" and one.days_ago > TOO_OLD_DAYS)
    stage.payments = {name: (key, payments[key]) for name, key in names.items()}


def booked_payment(one: JSON) -> BookedPayment:
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(one["booked_at"])
    return BookedPayment(Decimal(one["amount"]), one["currency"], one["category"], age.days, one["merchant"])


def first(payments: dict[str, BookedPayment], fits: Callable[[BookedPayment], bool]) -> str:
    return next(key for key, one in payments.items() if fits(one))
