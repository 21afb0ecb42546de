"""A test customer who sends messages to a real mesh through Restate's ingress."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp

from switchboard.ingress import encode, exchange, idempotency_header, session_path
from switchboard.speaker import SpeakerKeys, target_of

JSON = dict[str, Any]

STOPPING_HANDLERS = ("interrupt", "steer")
"""The session accepts these only under an idempotency key that the signature names."""

READING_HANDLERS = ("events", "status", "task", "transcript")
"""These change nothing, so that they can be sent again."""

READS_MAX, READ_PAUSE = 100, timedelta(milliseconds=200)
"""How often a read is sent, at most, and the pause in between."""

OK, NOT_FOUND, SERVER_ERROR = 200, 404, 500


@dataclass(frozen=True)
class Answer:
    """The HTTP status and JSON body of an answer of the ingress."""

    status: int
    body: JSON

    @property
    def text(self) -> str:
        return str(self.body.get("text", self.body.get("message", "")))

    @property
    def too_early(self) -> bool:
        """Whether Restate has just started: for a moment it knows no service, and its tables cannot be read."""
        knows_no_service = self.status == NOT_FOUND and self.body.get("source") == "ingress"
        return knows_no_service or self.status >= SERVER_ERROR


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
        """Call another handler of the session: `transcript`, `status`, …

        A read that comes too early is sent again for 20 s, as the gateway tells its clients to do.
        """
        body = {**self.identity, **request}
        if handler in READING_HANDLERS:
            return await self._read(handler, body)
        return await self._call(handler, body, uuid4().hex if handler in STOPPING_HANDLERS else "")

    @property
    def identity(self) -> JSON:
        """The customer's identity in the JSON form that the gateway sends."""
        return {"customer_id": self.customer_id} | ({} if self.signed_in else {"signed_in": False})

    async def messages(self) -> list[JSON]:
        """Return all messages of the session's transcript. Raises AssertionError if it is refused."""
        answer = await self.asks("transcript", limit=50)
        if answer.status != OK:
            raise AssertionError(f"the transcript was refused: {answer!r}")
        return [message for turn in answer.body["turns"] for message in turn["messages"]]

    async def _read(self, handler: str, body: JSON) -> Answer:
        for _ in range(READS_MAX - 1):
            answer = await self._call(handler, body)
            if not answer.too_early:
                return answer
            await asyncio.sleep(READ_PAUSE.total_seconds())
        return await self._call(handler, body)

    async def _call(self, handler: str, body: JSON, idempotency_key: str = "") -> Answer:
        """Send a request once. There are no retries: the test decides how to handle aiohttp's errors."""
        path, content = session_path(self.session, handler), encode(body)
        proof = self.speaker.sign(target_of(path), content, idempotency_key) if self.speaker else {}
        headers = {"content-type": "application/json", **idempotency_header(idempotency_key), **proof}
        response = await exchange(self.http, "POST", self.ingress_url + path, content, headers)
        return Answer(response.status, json.loads(response.content))
