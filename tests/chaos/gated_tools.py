"""The tools, with a gate before and after each handler of a booking: `python -m tests.chaos.gated_tools`.

The handlers are the real ones. A gate is a file in the folder GATES, named `{handler}.before` or `{handler}.after`.
While it exists, a call whose input contains the file's text waits and creates a file `{gate}.reached`. So a test can
inspect, kill or cancel a step that takes milliseconds, before it starts or after it is done but not reported yet.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from restate.extensions import current_context

from services.tools.__main__ import airline_data, tools
from services.tools.airline.customers.contract import AIRLINE_CUSTOMERS
from services.tools.airline.flights.contract import FLIGHT_SEATS
from services.tools.airline.payments.contract import CARD_PROCESSOR
from services.tools.airline.reservations.contract import RESERVATIONS
from services.tools.airline.reservations.service import reservation_service
from services.tools.bank.data.demo import DemoBank
from switchboard import serve
from switchboard.builtin.outbox.handlers import outbox
from switchboard.runtime.serve import AnyService
from switchboard.runtime.settings import load
from switchboard.toolkit.settings import ToolsSettings

GATES = Path(os.environ.get("GATES", os.devnull))
GATED = {reservation_service.name, FLIGHT_SEATS, AIRLINE_CUSTOMERS, CARD_PROCESSOR, RESERVATIONS, outbox.name}
POLL_SECONDS = 0.01


async def pass_gate(gate: str) -> None:
    """Wait while the gate is closed for this call."""
    closed = GATES / gate
    context = current_context()
    if context is None or not closed.exists() or closed.read_text() not in context.request().body.decode():
        return
    (GATES / f"{gate}.reached").touch()
    while closed.exists():
        await asyncio.sleep(POLL_SECONDS)


def gates_of(handler: str) -> Callable[[], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def gates() -> AsyncIterator[None]:
        await pass_gate(f"{handler}.before")
        yield
        await pass_gate(f"{handler}.after")

    return gates


def add_gates(service: AnyService) -> None:
    for name, handler in service.handlers.items():
        handler.context_managers = [*(handler.context_managers or []), gates_of(name)]


if __name__ == "__main__":
    services = tools(load(ToolsSettings), DemoBank.read(), airline_data())
    for service in services:
        if service.name in GATED:
            add_gates(service)
    serve(*services, name="tools")
