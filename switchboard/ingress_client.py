"""Client of a mesh over Restate's ingress, without a gateway: for `switchboard demo` and for recordings."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

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
from switchboard.session.contract import SendReply
from switchboard.speaker import SpeakerKeys
from switchboard.transport import DISCONNECTED, MeshUnavailable, Refused, TurnLost

CONNECT_TIMEOUT = timedelta(seconds=3)
RETRIES = RetryPolicy(pause=timedelta(milliseconds=500), attempts_max=120)
"""Keep trying for a minute; a Restate server needs a few seconds to restart."""

ANSWER_TIMEOUT = timedelta(seconds=10) + RETRIES.pauses
"""Timeout of every request except waiting for a reply, retries included."""

REPLY_TIMEOUT = timedelta(minutes=30) + RETRIES.pauses
"""A session answers one message at a time, and each may take ten minutes, so a message may have to wait."""

Answer = TypeVar("Answer", bound=BaseModel)


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

    async def healthy(self) -> None:
        """Return when Restate answers at the address."""
        with self._sentences():
            await self._ingress.health(ANSWER_TIMEOUT)

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
