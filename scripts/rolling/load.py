"""Customers who write without a pause, each in a session of their own, and a count of what went wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from switchboard.testing import Answer, Customer

QUESTION = "how much is my balance?"
AGENT = "Bank"


@dataclass
class Load:
    """`answered` counts good replies; `failures` has a line for each that was none."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)

    async def write(self, customer: Customer, enough: asyncio.Event) -> None:
        while not enough.is_set():
            self.count(customer, await customer.says(QUESTION))

    def count(self, customer: Customer, answer: Answer) -> None:
        if answer.status == 200 and answer.body.get("agent") == AGENT and not answer.body.get("failed"):
            self.answered += 1
        else:
            self.failures.append(f"{customer.session}: HTTP {answer.status}: {answer.body}")


@asynccontextmanager
async def under_load(customers: list[Customer]) -> AsyncIterator[Load]:
    """The block runs while they write; at its end each waits for its last reply. An error of the network is raised."""
    load, enough = Load(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for customer in customers:
            group.create_task(load.write(customer, enough))
        try:
            yield load
        finally:
            enough.set()
