"""The systems under test, as the load generator sees them: an address, processes, and a log."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from zlib import crc32

import aiohttp

from bench.stores import Log
from switchboard.agent import HANDOFF_PREFIX
from switchboard.local.mesh import Mesh
from switchboard.local.process import Process
from switchboard.testing import JSON, Customer

TRANSCRIPT_PAGE_TURNS = 50
RETRY_DELAY = timedelta(milliseconds=100)

OURS = "ours"
TRACED, COLLECTOR_DOWN = "ours, traced", "ours, traced, collector down"
"""The mesh with tracing on. The collector's CPU time is not counted for any system."""


class WrongAnswer(Exception):
    """A system did not do the work, so its figures would be meaningless."""


class NotReached(Exception):
    """A system cannot be reached, or its worker failed. A client sends the message again, under the same key."""


class System(Protocol):
    """One way to run an agent. `results` returns the number of successful tool results of each turn, in order.

    `processes` do the work, without the model and the load generator. `workers` are those of them that run the agent
    and its tools, and that a crash kills. `log` is None for a system that writes nothing.
    """

    name: str
    processes: Sequence[Process]
    workers: Sequence[Process]
    log: Log | None

    async def send(self, session: str, text: str, key: str = "") -> str:
        """Return the reply. A client that sends a message again gives it the same `key`. Raises NotReached."""
        ...

    async def results(self, session: str) -> list[int]: ...


@dataclass
class Ours:
    """The whole mesh: ingress, session, agent, tools."""

    mesh: Mesh
    http: aiohttp.ClientSession
    processes: Sequence[Process]
    workers: Sequence[Process]
    log: Log | None
    name: str = OURS

    def _customer(self, session: str) -> Customer:
        """Return a customer of the session's own: each customer has an account with limits, which turns wait for."""
        url = self.mesh.addresses.ingress_url
        return Customer(url, self.http, f"customer-{session}", session, speaker=self.mesh.speaker)

    async def send(self, session: str, text: str, key: str = "") -> str:
        try:
            answer = await self._customer(session).says(text, key)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotReached(f"{self.name}: {error!r}") from error
        if answer.status >= 500:
            raise NotReached(f"{self.name}: HTTP {answer.status}: {answer.body}")
        return answer.text

    async def results(self, session: str) -> list[int]:
        customer = self._customer(session)
        turns: list[JSON] = []
        total = 1
        while len(turns) < total:
            page = (await customer.asks("transcript", after=len(turns), limit=TRANSCRIPT_PAGE_TURNS)).body
            turns, total = turns + page["turns"], page["turns_total"]
        return [successful_results(turn["messages"]) for turn in turns]


def successful_results(messages: Sequence[JSON]) -> int:
    """Return the number of successful tool results of a turn, without the result of a hand-off."""
    requested = [call for message in messages if message["kind"] == "model" for call in message["calls"]]
    tools = {call["call_id"] for call in requested if not call["tool"].startswith(HANDOFF_PREFIX)}
    return sum(message["kind"] == "tool" and message["ok"] and message["call_id"] in tools for message in messages)


@dataclass
class Peer:
    """A peer accepts `{"text": …, "key": …}` at its `urls`, in which `{}` is replaced by the session.

    There is one URL for each of its worker processes. A session always uses the same one, so that a peer may keep a
    conversation in the process's memory.
    """

    name: str
    http: aiohttp.ClientSession
    urls: Sequence[str]
    processes: Sequence[Process]
    workers: Sequence[Process]
    log: Log | None = None
    _results: dict[str, list[int]] = field(default_factory=dict)

    async def send(self, session: str, text: str, key: str = "") -> str:
        url = self.urls[crc32(session.encode()) % len(self.urls)].format(session)
        headers = {"idempotency-key": key} if key else {}
        try:
            async with self.http.post(url, json={"text": text, "key": key}, headers=headers) as response:
                body = await response.text()
                if response.status != 200:
                    raise NotReached(f"{self.name}: HTTP {response.status}: {body}")
                done = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotReached(f"{self.name}: {error!r}") from error
        self._results.setdefault(session, []).append(done["results"])
        return str(done["text"])

    async def results(self, session: str) -> list[int]:
        return self._results[session]


async def send_until_answered(system: System, session: str, text: str, key: str, timeout: timedelta) -> str:
    """Send a message again after each failure, as clients do. Raises NotReached after `timeout`."""
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                return await system.send(session, text, key)
        except TimeoutError as error:
            raise NotReached(f"{system.name} did not answer within {timeout}") from error
        except NotReached:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_DELAY.total_seconds())
