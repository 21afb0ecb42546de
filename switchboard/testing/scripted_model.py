"""For tests of agents on a real mesh: a customer who writes, a model that says what it is told. Not for services."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from switchboard.ingress import encode, exchange, idempotency_header, session_path

JSON = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the ingress answered: the HTTP status, and the JSON body."""

    status: int
    body: JSON

    @property
    def text(self) -> str:
        return str(self.body.get("text", self.body.get("message", "")))


@dataclass
class Customer:
    """A customer at the ingress, in one session; a new session unless one is named."""

    ingress_url: str
    http: aiohttp.ClientSession
    customer_id: str = "alice"
    session: str = field(default_factory=lambda: f"s-{uuid4()}")
    signed_in: bool = True

    async def says(self, text: Any, idempotency_key: str | None = None) -> Answer:
        """Send a message and wait for the reply."""
        return await self._call("send", {**self.identity, "text": text}, idempotency_key or "")

    async def asks(self, handler: str, **request: Any) -> Answer:
        """Call another handler of the session: `transcript`, `status`, …"""
        return await self._call(handler, {**self.identity, **request})

    @property
    def identity(self) -> JSON:
        """As the edge says it."""
        return {"customer_id": self.customer_id} | ({} if self.signed_in else {"signed_in": False})

    async def messages(self) -> list[JSON]:
        """All messages of the session's transcript."""
        answer = await self.asks("transcript", limit=50)
        return [message for turn in answer.body["turns"] for message in turn["messages"]]

    async def _call(self, handler: str, body: JSON, idempotency_key: str = "") -> Answer:
        """Send once and without retries: a test decides what a broken connection means. Raises aiohttp's errors."""
        url = self.ingress_url + session_path(self.session, handler)
        headers = {"content-type": "application/json", **idempotency_header(idempotency_key)}
        response = await exchange(self.http, "POST", url, encode(body), headers)
        return Answer(response.status, json.loads(response.content))


@dataclass(frozen=True)
class ScriptedModel:
    """The demo model, told what to say: scenes as in docs/demo-model.md. `url` is its root."""

    url: str
    http: aiohttp.ClientSession

    async def plays(self, *scenes: JSON) -> None:
        """Say this from now on, and nothing else."""
        await self._control("PUT", "script", list(scenes))

    async def follows_rules(self) -> None:
        """Answer by rules again."""
        await self._control("DELETE", "script")

    async def fails(self, *faults: JSON) -> None:
        """Let the next requests fail, each as one of the faults says."""
        await self._control("PUT", "faults", list(faults))

    async def is_well(self) -> None:
        await self._control("DELETE", "faults")

    async def requests(self, session: str) -> list[JSON]:
        """What was asked in a session, oldest first, with `answered`."""
        answer = await self._control("GET", f"requests?session={session}&full=1")
        requests: list[JSON] = answer["requests"]
        return requests

    async def _control(self, method: str, path: str, body: Any = None) -> JSON:
        async with self.http.request(method, f"{self.url}/demo/{path}", json=body) as response:
            answer: JSON = await response.json()
            if response.status != 200:
                raise ValueError(f"the demo model refused {path}: {answer}")
            return answer


def calls(*calls: tuple[str, Any]) -> JSON:
    """A step of a script: the model calls these tools at once. Arguments are a dict, or raw text."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def says(text: str) -> JSON:
    """A step of a script: the model answers."""
    return {"text": text}


def scene(user: str, *steps: JSON, agent: str | None = None) -> JSON:
    """What the model does about a message of exactly this text, step by step; for one agent or for all."""
    return {"user": user, "steps": list(steps)} | ({"agent": agent} if agent else {})
