"""A customer of generated conversations: sessions, the names of their things, and models of what they have."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from switchboard.testing import JSON, Answer, Customer
from tests.generated.model_of_airline import Airline
from tests.generated.model_of_bank import Bank
from tests.generated.outcomes import Asked, Outcome, Refused
from tests.generated.script import AGENT_OF, Call

ATTEMPTS_MAX, REPEAT_SECONDS = 300, 0.2


class Poster(Protocol):
    """A customer in one session, on a real mesh or on one in memory."""

    async def posts(self, handler: str, key: str, **request: Any) -> Answer:
        """Send a request under an idempotency key, and return its answer."""
        ...


@dataclass
class PatientCustomer(Customer):
    """Repeats each request under its idempotency key until it is answered, as the gateway does."""

    async def posts(self, handler: str, key: str, **request: Any) -> Answer:
        last: object = None
        for _ in range(ATTEMPTS_MAX):
            try:
                answer = await self._call(handler, {**self.identity, **request}, key)
            except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
                last = error
            else:
                if not answer.too_early:
                    return answer
                last = answer
            await asyncio.sleep(REPEAT_SECONDS)
        raise AssertionError(f"{handler} was not answered; last: {last!r}")


NOWHERE = {"card": "CD-0000", "reservation": "ZZZZ99"}
NO_PAYMENT = "TX-0000000000"


class Names(dict[str, str]):
    """The things that arguments may name. What does not exist yet has the id of something that never does."""

    def __missing__(self, name: str) -> str:
        return next((one for kind, one in NOWHERE.items() if name.startswith(kind)), NO_PAYMENT)


def resolved(value: Any, names: Names) -> Any:
    """Return arguments with the names replaced."""
    if isinstance(value, str):
        return value.format_map(names)
    if isinstance(value, dict):
        return {name: resolved(one, names) for name, one in value.items()}
    return [resolved(one, names) for one in value] if isinstance(value, list | tuple) else value


@dataclass
class Models:
    """What one customer has: the models of the bank and the airline."""

    bank: Bank
    airline: Airline | None

    def of(self, call: Call) -> Any:
        return self.airline if AGENT_OF.get(call.tool) else self.bank

    def ask(self, call: Call) -> Refused | Asked | None:
        found: Refused | Asked | None = self.of(call).ask(call.tool, call.arguments)
        return found

    def make(self, call: Call) -> Outcome:
        found: Outcome = self.of(call).make(call.tool, call.arguments)
        return found

    @property
    def emails(self) -> int:
        return self.bank.emails + (self.airline.emails if self.airline else 0)


@dataclass
class Talk:
    """One session: who answers, what is open, and what was sent and answered."""

    customer: Poster
    active: str = "Triage"
    open: tuple[tuple[Call, Asked], ...] = ()
    held_id: str = "never asked"
    turns: int = 0
    said: list[str] = field(default_factory=list)
    last: tuple[str, str, JSON, Answer] | None = None
