"""A test customer who sends messages to a real mesh through Restate's ingress."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from switchboard.ingress import encode, exchange, idempotency_header, session_path
from switchboard.speaker import SpeakerKeys, target_of

JSON = dict[str, Any]

STOPPING_HANDLERS = ("interrupt", "steer")
"""The session accepts these only under an idempotency key that the signature names."""


@dataclass(frozen=True)
class Answer:
    """The HTTP status and JSON body of an answer of the ingress."""

    status: int
    body: JSON

    @property
    def text(self) -> str:
        return str(self.body.get("text", self.body.get("message", "")))


@dataclass
class Customer:
    """A customer in one session. The default is a new session. `speaker` signs the requests, as the gateway does."""

    ingress_url: str
    http: aiohttp.ClientSession
    customer_id: str = "alice"
    session: str = field(default_factory=lambda: f"s-{uuid4()}")
    signed_in: bool = True
    speaker: SpeakerKeys | None = field(default=None, repr=False)

    async def says(self, text: Any, idempotency_key: str | None = None) -> Answer:
        """Send a message and wait for the reply."""
        return await self._call("send", {**self.identity, "text": text}, idempotency_key or "")

    async def asks(self, handler: str, **request: Any) -> Answer:
        """Call another handler of the session: `transcript`, `status`, …"""
        key = uuid4().hex if handler in STOPPING_HANDLERS else ""
        return await self._call(handler, {**self.identity, **request}, key)

    @property
    def identity(self) -> JSON:
        """The customer's identity in the JSON form that the gateway sends."""
        return {"customer_id": self.customer_id} | ({} if self.signed_in else {"signed_in": False})

    async def messages(self) -> list[JSON]:
        """Return all messages of the session's transcript."""
        answer = await self.asks("transcript", limit=50)
        return [message for turn in answer.body["turns"] for message in turn["messages"]]

    async def _call(self, handler: str, body: JSON, idempotency_key: str = "") -> Answer:
        """Send a request once. There are no retries: the test decides how to handle aiohttp's errors."""
        path, content = session_path(self.session, handler), encode(body)
        proof = self.speaker.sign(target_of(path), content, idempotency_key) if self.speaker else {}
        headers = {"content-type": "application/json", **idempotency_header(idempotency_key), **proof}
        response = await exchange(self.http, "POST", self.ingress_url + path, content, headers)
        return Answer(response.status, json.loads(response.content))
