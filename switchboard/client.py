"""Client of a mesh, over Restate's ingress: submits a message once and waits for its reply.

MeshError            the message is one sentence for a person, with what to do
├─ MeshUnavailable  no mesh answers at the address, or the mesh did not answer in time
├─ TurnLost         the mesh accepted the message, but it failed or its reply did not come in time
└─ Refused          a handler rejected the request; the same request will be rejected again
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.ingress import (
    SERVER_ERROR,
    HandlerFailed,
    IngressTimeout,
    IngressUnavailable,
    NotAMesh,
    RestateIngress,
    session_path,
)
from switchboard.retry import RetryPolicy
from switchboard.session.contract import (
    TRANSCRIPT_PAGE_MAX_TURNS,
    CustomerRequest,
    Interruption,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
    TurnRecord,
)
from switchboard.speaker import SpeakerKeys

CONNECT_TIMEOUT = timedelta(seconds=3)
RETRIES = RetryPolicy(pause=timedelta(milliseconds=500), attempts_max=120)
"""Keep trying for a minute; a Restate server needs a few seconds to restart."""

ANSWER_TIMEOUT = timedelta(seconds=10) + RETRIES.pauses
"""Timeout of every request except waiting for a reply, retries included."""

REPLY_TIMEOUT = timedelta(minutes=30) + RETRIES.pauses
"""A session answers one message at a time, and each may take ten minutes, so a message may have to wait."""

DISCONNECTED = "The connection broke. Nothing is lost; waiting up to a minute for the mesh to come back …"

PAGES_MAX = 200

Answer = TypeVar("Answer", bound=BaseModel)


class MeshError(Exception):
    """A request to the mesh failed; the message is one sentence for a person, with what to do."""


class MeshUnavailable(MeshError):
    """No mesh answers at the address, or the mesh did not answer in time."""


class TurnLost(MeshError):
    """The mesh accepted the message, but it failed or its reply did not come in time."""


class Refused(MeshError):
    """A handler rejected the request. `status` is the HTTP status; 0 when no request was sent."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class MeshClient:
    """Client of the sessions of one mesh. An async context manager; its methods raise MeshError.

    `notify` receives a sentence when the connection breaks and the client waits for the mesh to come back. `speaker`
    are the keys of the mesh, SWITCHBOARD_SPEAKER_KEYS: a mesh that has keys refuses requests that are not signed.
    """

    def __init__(
        self, ingress_url: str, notify: Callable[[str], None] = lambda _: None, speaker: SpeakerKeys | None = None
    ) -> None:
        self.url = ingress_url.rstrip("/")
        self._notify = notify
        self._speaker = speaker
        self._connected = False

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT.total_seconds())
        self._http = aiohttp.ClientSession(timeout=timeout)
        self._ingress = RestateIngress(
            self.url, self._http, RETRIES, on_failure=self._on_failure, speaker=self._speaker
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.close()

    async def submit(
        self,
        session_id: str,
        customer_id: str,
        text: str,
        idempotency_key: str,
        handler: str = "send",
        signed_in: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Submit a message and return its invocation id. The same key again is the same message, not a second one.

        `handler` is `send`, or `steer` to stop the running turn first. `headers` are added to the request.
        """
        # Plain JSON, not SendMessage: only the session validates messages.
        message = {"customer_id": customer_id, "text": text, "signed_in": signed_in}
        path = session_path(session_id, handler)
        with self._sentences():
            submitted = await self._ingress.submit(path, message, ANSWER_TIMEOUT, idempotency_key, headers)
        return submitted.invocation_id

    async def reply(self, invocation_id: str) -> SendReply:
        """Wait for the reply to a submitted message. Survives broken connections and restarts of the mesh."""
        with self._sentences():
            content = await self._reply(invocation_id)
        return self._parse(SendReply, content)

    async def interrupt(self, session_id: str, customer_id: str) -> bool:
        """Stop the running turn; return False if no turn is running."""
        request = CustomerRequest(customer_id=customer_id)
        # Without a key, a retry after a lost answer could stop the next turn as well.
        key = uuid4().hex
        return (await self._call(session_path(session_id, "interrupt"), request, Interruption, key)).interrupted

    async def healthy(self) -> None:
        """Return when Restate answers at the address."""
        with self._sentences():
            await self._ingress.health(ANSWER_TIMEOUT)

    async def status(self, session_id: str, customer_id: str) -> SessionStatus:
        return await self._read(
            session_path(session_id, "status"), CustomerRequest(customer_id=customer_id), SessionStatus
        )

    async def turns(self, session_id: str, customer_id: str) -> list[TurnRecord]:
        """Return the whole transcript, oldest turn first."""
        turns: list[TurnRecord] = []
        for _ in range(PAGES_MAX):
            request = TranscriptRequest(
                customer_id=customer_id, after=turns[-1].turn if turns else 0, limit=TRANSCRIPT_PAGE_MAX_TURNS
            )
            page = await self._read(session_path(session_id, "transcript"), request, Transcript)
            turns += page.turns
            if not page.turns or page.turns[-1].turn >= page.turns_total:
                break
        return turns

    async def _call(self, path: str, request: BaseModel, answer: type[Answer], idempotency_key: str) -> Answer:
        with self._sentences():
            content = await self._ingress.call(path, request, ANSWER_TIMEOUT, idempotency_key)
        return self._parse(answer, content)

    async def _read(self, path: str, request: BaseModel, answer: type[Answer]) -> Answer:
        with self._sentences():
            content = await self._ingress.read(path, request, ANSWER_TIMEOUT)
        return self._parse(answer, content)

    async def _reply(self, invocation_id: str) -> bytes:
        try:
            async with asyncio.timeout(REPLY_TIMEOUT.total_seconds()):
                return await self._ingress.reply(invocation_id)
        except TimeoutError as error:
            minutes = REPLY_TIMEOUT / timedelta(minutes=1)
            raise TurnLost(
                f"No reply within {minutes:.0f} minutes. The message was accepted and may still be running: see "
                "`switchboard transcript`."
            ) from error

    def _parse(self, answer: type[Answer], content: bytes) -> Answer:
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise MeshUnavailable(
                f"The server at {self.url} is not a mesh of this version. Is the address right?"
            ) from None

    def _on_failure(self, error: Exception, failures: int) -> None:
        """Retry only after Restate has answered at the address, so that a wrong address fails at once."""
        if isinstance(error, IngressUnavailable):
            self._connected = self._connected or error.connected
        if not self._connected:
            raise error
        if failures == 1:
            self._notify(DISCONNECTED)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn errors of the ingress into MeshErrors with sentences for a person."""
        try:
            yield
            self._connected = True
        except IngressTimeout as error:
            raise MeshUnavailable(
                f"The mesh at {self.url} did not answer in time. It may still carry out the request: check "
                "`switchboard transcript` before you send a message again."
            ) from error
        except IngressUnavailable as error:
            if not (self._connected or error.connected):
                raise MeshUnavailable(f"No mesh answers at {self.url}; start one with `switchboard up`.") from error
            raise MeshUnavailable(
                f"The mesh at {self.url} is unavailable ({error}). Nothing that it accepted is lost: see `switchboard "
                "transcript` when it is back."
            ) from error
        except NotAMesh as error:
            raise MeshUnavailable(
                f"The server at {self.url} is not a mesh ({error}). Is the address right, and is `switchboard up` "
                "running?"
            ) from error
        except HandlerFailed as error:
            if error.status < SERVER_ERROR:
                raise Refused(error.message, error.status) from error
            raise TurnLost(
                f"The mesh accepted the request but could not finish it ({error.message}). Find the failed invocation "
                "in the Restate UI."
            ) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise Refused(f"{self.url!r} is not an address; give one such as http://127.0.0.1:8080.") from error
