"""Tools as a bank, an airline and a triage agent offer them, and a running demo model server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import orjson
import pytest

from switchboard.demo_model.rules import decide
from switchboard.demo_model.wire import Reply, read_request
from switchboard.local.process import free_ports

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 60.0

Json = dict[str, object]
Ask = Callable[..., Reply]
StartServer = Callable[..., str]


def _function(name: str, description: str, optional: tuple[str, ...] = (), **properties: Json) -> Json:
    required = [p for p in properties if p not in optional]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


_REASON: Json = {"type": "string", "description": "Why the conversation is handed over"}
_BOOKING: Json = {
    "type": "string",
    "pattern": "^[A-Z0-9]{6}$",
    "description": "The confirmation number of your booking",
    "examples": ["AB4568"],
}
_CATEGORY: Json = {"type": "string", "enum": ["gambling", "groceries", "restaurants", "rent", "travel"]}
_PERIOD: Json = {"type": "string", "enum": ["this_month", "last_month", "last_30_days"]}
_TO_BANK = _function(
    "handoff_to_Bank", "Bank accounts: balances, transactions and spending, loans and credit.", reason=_REASON
)
_TO_AIRLINE = _function(
    "handoff_to_Airline",
    "Flights and bookings: questions on baggage and rules, flight status, seats, invoices.",
    reason=_REASON,
)
OFFERS: dict[str, list[Json]] = {
    "Triage": [_TO_BANK, _TO_AIRLINE],
    "Bank": [
        _function("get_balance", "The customer's current account balance."),
        _function(
            "list_transactions",
            "Transactions of the customer, newest first.",
            ("category", "period"),
            category=_CATEGORY,
            period=_PERIOD,
        ),
        _function(
            "summarize_spending",
            "How much the customer spent, by category and period.",
            ("category",),
            category=_CATEGORY,
            period=_PERIOD,
        ),
        _function("list_loans", "Outstanding loans and credit lines of the customer."),
        _TO_AIRLINE,
    ],
    "Airline": [
        _function(
            "search_faq",
            "Answers general questions: baggage allowance, pets, wifi, check-in rules.",
            question={"type": "string", "description": "The customer's question"},
        ),
        _function(
            "get_flight_status",
            "Status of a flight: on time, delayed or cancelled.",
            flight_number={"type": "string", "pattern": "^[A-Z]{2,3}[0-9]{1,4}$", "description": "The flight number"},
        ),
        _function("list_reservations", "The customer's bookings."),
        _function("get_seat_map", "Free and taken seats of a booked flight.", confirmation_number=_BOOKING),
        _function(
            "change_seat",
            "Moves the customer to another seat.",
            confirmation_number=_BOOKING,
            seat={"type": "string", "pattern": "^[1-9][0-9]?[A-F]$", "description": "The new seat"},
        ),
        _function("email_invoice", "Sends the invoice of a booking by e-mail.", confirmation_number=_BOOKING),
        _TO_BANK,
    ],
}


@pytest.fixture
def ask() -> Ask:
    """ask(agent, *items, **fields) returns the rules' reply. A string among the items is a user message."""

    def ask_rules(agent: str, *items: str | Json, **fields: object) -> Reply:
        full = [{"role": "user", "content": i} if isinstance(i, str) else i for i in items]
        request = {"model": "demo", "input": full, "tools": OFFERS.get(agent, []), "metadata": {"agent": agent}}
        return decide(read_request(orjson.dumps(request | fields)))

    return ask_rules


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx2.get(f"{url}/health", timeout=START_LIMIT_S)
            return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the demo model did not start at {url}")


@pytest.fixture(scope="module")
def start_server() -> Iterator[StartServer]:
    """start_server(**environment) starts a server and returns its URL. All servers must exit with 0 in the end."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> str:
        (port,) = free_ports(1)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PORT": str(port), **environment}
        processes.append(subprocess.Popen([sys.executable, "-m", "switchboard.demo_model"], env=env, cwd=ROOT))
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, processes[-1])
        return url

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(timeout=START_LIMIT_S) for process in processes] == [0] * len(processes)


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> str:
    """One server in rules mode, shared by a module. Each test resets the server's faults and scripts."""
    return start_server()
