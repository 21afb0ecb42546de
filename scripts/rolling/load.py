"""Load from customers who send messages without a pause, each in a session of its own, and a count of failures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from switchboard.testing import Answer, Customer

QUESTION = "how much is my balance?"
AGENT = "Bank"


@dataclass
class Load:
    """`answered` counts correct replies; `failures` has a line for each other reply."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)

    async def write(self, customer: Customer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.count(customer, await customer.says(QUESTION))

    def count(self, customer: Customer, answer: Answer) -> None:
        if answer.status == 200 and answer.body.get("agent") == AGENT and not answer.body.get("failed"):
            self.answered += 1
        else:
            self.failures.append(f"{customer.session}: HTTP {answer.status}: {answer.body}")


@asynccontextmanager
async def under_load(customers: list[Customer]) -> AsyncIterator[Load]:
    """Send messages during the block; at its end, wait for the last replies. Network errors are raised."""
    load, stop = Load(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for customer in customers:
            group.create_task(load.write(customer, stop))
        try:
            yield load
        finally:
            stop.set()
