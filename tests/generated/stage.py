"""The mesh on which generated conversations are played, with tools for a crowd and a model that does as it is told."""

import asyncio
import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

from switchboard.testing import JSON
from tests.chaos.crowd import RESERVATIONS as COPIED
from tests.generated.customer import Poster
from tests.generated.model_of_bank import BookedPayment
from tests.mesh.money import past_month

TOO_OLD_DAYS = 130
"""The age of a payment that can no longer be disputed, with some days to spare."""


class PlayedMesh(Protocol):
    """A real mesh, or one in memory."""

    def customer(self, customer_id: str) -> Poster:
        """Return a customer in a new session."""
        ...

    async def states(self, service: str) -> dict[str, JSON]:
        """Return the JSON of every state key of a service's objects, by `object key state key`."""
        ...

    async def state(self, service: str, key: str, name: str) -> JSON | None:
        """Return one state key of one object."""
        ...

    async def running(self, ignored: Sequence[str]) -> int:
        """Return how many invocations have not ended, without the scheduled ones and those of some services."""
        ...

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until a coroutine function returns a true value."""
        ...

    async def kill(self, process: str) -> None:
        """Kill a process and start it again."""
        ...


@dataclass
class Stage:
    """A mesh on which conversations are played. Each has a customer of its own.

    `payments` are Carol's, by their names in arguments. `seats` are those that earlier conversations left.
    """

    mesh: PlayedMesh
    payments: dict[str, tuple[str, BookedPayment]] = field(default_factory=dict)
    seats: dict[str, dict[str, int]] = field(default_factory=dict)
    numbers: dict[str, Iterator[int]] = field(default_factory=dict)
    killing: asyncio.Lock = field(default_factory=asyncio.Lock)
    played: int = 0
    sent: int = 0
    kills: int = 0

    def counted(self) -> dict[str, int]:
        return {"conversations": self.played, "requests of customers": self.sent, "kills": self.kills}

    def next_number(self, owner: str) -> int:
        # Each of Erin's copies has two days for herself.
        numbers = self.numbers.setdefault(owner, itertools.count(0, 2 if owner in COPIED else 1))
        return next(numbers)

    async def kill(self, process: str, after_ms: int) -> None:
        async with self.killing:
            await asyncio.sleep(after_ms / 1000)
            self.kills += 1
            await self.mesh.kill(process)


MUCH = Decimal(50)
"""More than what is credited at once."""


async def look_up_payments(stage: Stage) -> None:
    """Find the payments that conversations dispute. They are the same for all copies of Carol."""
    customer = stage.mesh.customer("carol-look-up")
    old = {"merchant": "Courier", "period": past_month(dt.datetime.now(dt.UTC).date())}
    listed = [("list_transactions", {"limit": 50, **more}) for more in ({}, {"merchant": "Courier"}, old)]
    # One call a message: a defect in how several results are stored has to be found by the conversations.
    for call in (("handoff_to_Bank", {"reason": "look"}), *listed):
        answer = await customer.posts("send", uuid4().hex, text=json.dumps([[call]]))
        assert answer.status == 200, answer
    turns = (await customer.posts("transcript", "", after=1, limit=len(listed))).body["turns"]
    said = [one["content"] for turn in turns for one in turn["messages"] if one["kind"] == "tool"]
    results = [json.loads(content) for content in said]
    found = {one["transaction_id"]: one for result in results for one in result["transactions"]}
    payments = {key: booked_payment(one) for key, one in found.items()}
    recent = {key: one for key, one in payments.items() if one.days_ago < 100}
    small = [key for key, one in recent.items() if one.merchant == "Daily Courier"]
    groceries = [key for key, one in recent.items() if one.category == "groceries" and one.amount <= -MUCH]
    # A part of a larger payment is disputed like a small one.
    names = {f"small{number}": key for number, key in enumerate([*small[:2], *groceries[1:3]])}
    names["large"] = groceries[0]
    names["rent"] = first(payments, lambda one: one.category == "utilities" and one.days_ago < 100)
    names["old"] = first(payments, lambda one: one.merchant == "Daily Courier" and one.days_ago > TOO_OLD_DAYS)
    stage.payments = {name: (key, payments[key]) for name, key in names.items()}


def booked_payment(one: JSON) -> BookedPayment:
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(one["booked_at"])
    return BookedPayment(Decimal(one["amount"]), one["currency"], one["category"], age.days, one["merchant"])


def first(payments: dict[str, BookedPayment], fits: Callable[[BookedPayment], bool]) -> str:
    return next(key for key, one in payments.items() if fits(one))
