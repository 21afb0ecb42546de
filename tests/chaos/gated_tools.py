"""The tools, with a gate before and after each handler of a booking: `python -m tests.chaos.gated_tools`.

The handlers are the real ones. A gate is a file in the folder GATES, named `{handler}.before` or `{handler}.after`;
while it is there, a call whose input holds the file's text waits, and says so by a file `{gate}.reached`. So a test can
look, kill or cancel while a step of milliseconds is not begun, or is done and not yet reported.
"""

import asyncio
import os
import runpy
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import restate
from restate.extensions import current_context

from services.tools.airline.customers.handlers import customers
from services.tools.airline.flights.handlers import flight_seats
from services.tools.airline.payments.handlers import card_processor
from services.tools.airline.reservations.handlers import reservations
from services.tools.airline.reservations.service import reservation_service
from switchboard.builtin.outbox.handlers import outbox

GATES = Path(os.environ.get("GATES", os.devnull))
GATED = (reservation_service, flight_seats, customers, card_processor, reservations, outbox)
LOOK_SECONDS = 0.01


async def passed(gate: str) -> None:
    """Wait while the gate is closed to this call."""
    closed = GATES / gate
    context = current_context()
    if context is None or not closed.exists() or closed.read_text() not in context.request().body.decode():
        return
    (GATES / f"{gate}.reached").touch()
    while closed.exists():
        await asyncio.sleep(LOOK_SECONDS)


def gates_of(handler: str) -> Callable[[], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def gates() -> AsyncIterator[None]:
        await passed(f"{handler}.before")
        yield
        await passed(f"{handler}.after")

    return gates


def add_gates(service: restate.Service | restate.VirtualObject) -> None:
    for name, handler in service.handlers.items():
        handler.context_managers = [*(handler.context_managers or []), gates_of(name)]


if __name__ == "__main__":
    for gated in GATED:
        add_gates(gated)
    runpy.run_module("services.tools", run_name="__main__")
