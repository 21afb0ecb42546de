"""The reference mesh in one process: the real session, agents and tools on a Restate in memory."""

import asyncio
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import restate

from services.airline.agent import airline
from services.bank.agent import bank
from services.tools.__main__ import tools
from services.tools.bank.data.people import read_people
from services.triage.agent import triage
from switchboard.agent import Agent
from switchboard.messages import Card, Message, ModelReply, ToolCall, TurnRequest, Usage, UserText
from switchboard.models.model import Observer
from switchboard.runtime.serve import AnyService, agent_service
from switchboard.session.contract import SESSION, RunningTurn
from switchboard.session.customers import customer_usage
from switchboard.session.directory import Directory
from switchboard.session.introspection import Introspection
from switchboard.session.session import session_object
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Running
from switchboard.session.summaries import summaries_service
from switchboard.testing import JSON, Answer
from switchboard.testing.laboratory import HIGH_LIMITS
from switchboard.toolkit.settings import ToolsSettings
from tests.chaos.crowd import CrowdBank
from tests.generated.crowd_tools import quiet_airline, quiet_customers
from tests.generated.memory_restate import MemoryRestate
from tests.generated.written_model import reply_of

NOWHERE = "http://127.0.0.1:1"
AGENTS = (airline, bank, triage)

PATIENCE_SECONDS = 30.0
"""How long a condition is waited for. What takes longer here hangs."""


@dataclass
class WrittenModel:
    """Makes the calls that are written in the customer's message; see tests/generated/written_model.py."""

    name: str = "written"
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(
        self, agent: Agent, request: TurnRequest, added: Sequence[Message], observer: Observer | None = None
    ) -> ModelReply:
        said = [*request.transcript, *added]
        last = max(number for number, one in enumerate(said) if isinstance(one, UserText))
        replies = sum(isinstance(one, ModelReply) for one in said[last:])
        text = said[last].text.strip() if isinstance(said[last], UserText) else ""  # type: ignore[union-attr]
        reply = reply_of(json.loads(text) if text.startswith("[") else [], replies)
        calls = tuple(
            ToolCall(call_id=f"call_{next(self._numbers)}", tool=one.name, arguments=one.arguments)
            for one in reply.calls
        )
        usage = Usage(input_tokens=1, output_tokens=1)
        return ModelReply(agent=agent.name, model=self.name, text=reply.text, calls=calls, usage=usage)


class MemoryDirectory(Directory):
    """Lists the agents of this process."""

    async def cards(self, age_max: timedelta = timedelta(0)) -> tuple[Card, ...]:
        return tuple(Card(name=agent.name, handles=agent.handles) for agent in AGENTS)


class MemoryIntrospection(Introspection):
    """Reads the invocations of a Restate in memory."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)
        self.restate: MemoryRestate | None = None

    async def running_turn(self, running: Running) -> RunningTurn:
        return RunningTurn(since=running.since, calls=())

    async def ended_before(self, first: str, second: str) -> bool:
        assert self.restate is not None
        asked, answered = (self.restate.invocations[one] for one in (first, second))
        return asked.completed_at is not None and asked.completed_at <= answered.created_at

    async def accepted_at(self, invocation_id: str) -> datetime:
        assert self.restate is not None
        return self.restate.invocations[invocation_id].created_at


@cache
def services(today: str) -> tuple[MemoryIntrospection, tuple[AnyService, ...]]:
    """Return all services of the mesh, with a crowd's data as of `today`, and what reads their Restate."""
    settings = SessionSettings(**HIGH_LIMITS)  # type: ignore[arg-type]  # Texts, as in the environment.
    introspection, model = MemoryIntrospection(), [WrittenModel()]
    session = session_object(MemoryDirectory(NOWHERE), settings, triage.name, None, introspection)
    crowd = CrowdBank(quiet_customers(datetime.now(UTC).date()), read_people())
    soon = ToolsSettings(SWITCHBOARD_TIMER_AHEAD_MIN=timedelta(seconds=1))
    all_tools = tools(soon, crowd, quiet_airline())
    agents = (agent_service(agent, model) for agent in AGENTS)
    return introspection, (session, customer_usage(settings), summaries_service(model), *agents, *all_tools)


@dataclass
class MemoryCustomer:
    """A customer in a new session on a Restate in memory."""

    restate: MemoryRestate
    customer_id: str
    session: str

    async def posts(self, handler: str, key: str, **request: Any) -> Answer:
        body = json.dumps({"customer_id": self.customer_id, **request}).encode()
        try:
            answer = await self.restate.request(SESSION, handler, self.session, body, key)
        except restate.TerminalError as error:
            return Answer(error.status_code, {"message": error.message})
        return Answer(200, json.loads(answer or b"{}"))


@dataclass
class MemoryMesh:
    """A mesh in memory, in the place of a real one. Nothing can be killed in it."""

    restate: MemoryRestate
    sessions: Any = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def open(cls) -> "MemoryMesh":
        introspection, found = services(datetime.now(UTC).date().isoformat())
        introspection.restate = MemoryRestate(found)
        return cls(introspection.restate)

    def customer(self, customer_id: str) -> MemoryCustomer:
        return MemoryCustomer(self.restate, customer_id, f"s-{next(self.sessions)}")

    async def states(self, service: str) -> dict[str, JSON]:
        """Return the JSON of every state key of a service's objects, by `object key state key`."""
        return {
            f"{key} {name}": json.loads(value)
            for (owner, key), kept in self.restate.state.items()
            if owner == service
            for name, value in kept.items()
        }

    async def state(self, service: str, key: str, name: str) -> JSON | None:
        found = self.restate.state.get((service, key), {}).get(name)
        return None if found is None else json.loads(found)

    async def running(self, ignored: Sequence[str]) -> int:
        return self.restate.running(ignored)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():
                await asyncio.sleep(0)

    async def kill(self, process: str) -> None:
        raise NotImplementedError("a mesh in memory has no processes")
