"""Talks to a mesh through Restate's ingress: a message is submitted once, its reply is waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.builtin.approvals.contract import APPROVALS
from switchboard.local.problem import MeshAway, Refused, TurnLost
from switchboard.messages import Wire
from switchboard.session.contract import (
    SESSION,
    TRANSCRIPT_PAGE_MAX_TURNS,
    CustomerRequest,
    Interruption,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
    TurnRecord,
)

CONNECT_TIMEOUT = timedelta(seconds=3)
ANSWER_TIMEOUT = timedelta(seconds=10)
"""For everything but a reply: submitting, reading a transcript."""

REPLY_TIMEOUT = timedelta(minutes=30)
"""A message waits for the ones before it in its session, each of which may take its ten minutes."""

RECONNECT_PAUSE = timedelta(milliseconds=500)
RECONNECTS_MAX = 120
"""A minute: a Restate server is back from a restart within seconds."""

LOST = "The connection broke. Nothing is lost; waiting up to a minute for the mesh to come back …"

PAGES_MAX = 200

Result = TypeVar("Result")
Answer = TypeVar("Answer", bound=Wire)


class _Accepted(BaseModel):
    """Restate's answer to a message that it has taken."""

    invocationId: str  # noqa: N815  # Restate's name for it


class _Health(BaseModel):
    """Restate's answer to whether it is well."""


class _Refusal(BaseModel):
    """Restate's answer when it, or a handler, says no. `source` is `invocation` when it was the handler."""

    message: str
    source: str = ""


class _Interrupted(Exception):
    """The connection broke, or the server is just coming up: the same request may be sent again."""


class MeshClient:
    """The sessions of one mesh. An async context manager.

    Raises MeshAway when nobody answers, Refused with the session's own sentence for a 4xx, TurnLost when a message
    failed inside the mesh. `tell` is given a sentence when the connection breaks and is waited for.
    """

    def __init__(self, ingress_url: str, tell: Callable[[str], None] = lambda _: None) -> None:
        self.url = ingress_url.rstrip("/")
        self._tell = tell
        self._reached = False

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT.total_seconds())
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
        """Hand a message in; the id of its invocation. The same key again is the same message, not a second one.

        `handler` is `send`, or `steer` to stop the running turn first. `headers` are sent with it.
        """
        # Plain JSON, not SendMessage: what a message may be is judged in one place, the session.
        message = {"customer_id": customer_id, "text": text, "signed_in": signed_in}
        path = f"/{SESSION}/{quote(session_id, safe='')}/{handler}/send"
        sent = {"idempotency-key": idempotency_key, **(headers or {})}
        return (
            await self._insist(lambda: self._request("POST", path, _Accepted, message, sent), ANSWER_TIMEOUT)
        ).invocationId

    async def reply(self, invocation_id: str) -> SendReply:
        """Wait for the reply to a message that was submitted, over broken connections and restarts of the mesh."""
        path = f"/restate/invocation/{invocation_id}/attach"
        return await self._insist(lambda: self._request("GET", path, SendReply), REPLY_TIMEOUT)

    async def interrupt(self, session_id: str, customer_id: str) -> bool:
        """Stop the turn that runs; False when none does."""
        request = CustomerRequest(customer_id=customer_id)
        return (await self._ask(session_id, "interrupt", request, Interruption)).interrupted

    async def healthy(self) -> None:
        """Return when somebody answers at the address."""
        await self._insist(lambda: self._request("GET", "/restate/health", _Health), ANSWER_TIMEOUT)

    async def status(self, session_id: str, customer_id: str) -> SessionStatus:
        return await self._ask(session_id, "status", CustomerRequest(customer_id=customer_id), SessionStatus)

    async def turns(self, session_id: str, customer_id: str) -> list[TurnRecord]:
        """The whole transcript, oldest turn first."""
        turns: list[TurnRecord] = []
        for _ in range(PAGES_MAX):
            request = TranscriptRequest(
                customer_id=customer_id, after=turns[-1].turn if turns else 0, limit=TRANSCRIPT_PAGE_MAX_TURNS
            )
            page = await self._ask(session_id, "transcript", request, Transcript)
            turns += page.turns
            if not page.turns or page.turns[-1].turn >= page.turns_total:
                break
        return turns

    async def approvals(
        self, handler: str, request: BaseModel, answer: type[Answer], idempotency_key: str | None = None
    ) -> Answer:
        """Ask the approvals, as staff. The same key again is the same decision, not a second one."""
        return await self.staff(APPROVALS, handler, request, answer, idempotency_key)

    async def staff(
        self, service: str, handler: str, request: BaseModel, answer: type[Answer], idempotency_key: str | None = None
    ) -> Answer:
        """Ask a service that is for staff. The same key again is the same request, not a second one."""
        path, body = f"/{service}/{handler}", request.model_dump(mode="json")
        headers = {"idempotency-key": idempotency_key} if idempotency_key else None
        return await self._insist(lambda: self._request("POST", path, answer, body, headers), ANSWER_TIMEOUT)

    async def _ask(self, session_id: str, handler: str, request: Wire, answer: type[Answer]) -> Answer:
        path = f"/{SESSION}/{quote(session_id, safe='')}/{handler}"
        body = request.model_dump(mode="json")
        return await self._insist(lambda: self._request("POST", path, answer, body), ANSWER_TIMEOUT)

    async def _insist(self, request: Callable[[], Awaitable[Result]], timeout: timedelta) -> Result:
        """Send a request that may be sent twice, until it is answered. Nobody there at the first go ends it at once."""
        try:
            async with asyncio.timeout(timeout.total_seconds() + RECONNECTS_MAX * RECONNECT_PAUSE.total_seconds()):
                for attempt in range(RECONNECTS_MAX):
                    try:
                        return await request()
                    except _Interrupted:
                        if not self._reached:
                            break
                        if attempt == 0:
                            self._tell(LOST)
                    await asyncio.sleep(RECONNECT_PAUSE.total_seconds())
        except TimeoutError:
            raise TurnLost(
                f"No answer from {self.url} in {timeout}. What was taken is not lost: see `switchboard transcript`."
            ) from None
        raise MeshAway(f"No mesh answers at {self.url}; start one with `switchboard up`.")

    async def _request(
        self,
        method: str,
        path: str,
        answer: type[Result],
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Result:
        try:
            async with self._http.request(method, self.url + path, json=body, headers=headers) as response:
                self._reached = True
                content = await response.read()
                status = response.status
        except aiohttp.ClientConnectorError as error:
            raise _Interrupted from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            self._reached = True
            raise _Interrupted from error
        except aiohttp.InvalidURL as error:
            raise Refused(f"{self.url!r} is not an address; give one such as http://127.0.0.1:8080.") from error
        if status < 300:
            return self._read(answer, content)
        raise self._refusal(status, content)

    def _read(self, answer: type[Result], content: bytes) -> Result:
        assert issubclass(answer, BaseModel)
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise MeshAway(f"What answers at {self.url} is not a mesh of this version; is the address right?") from None

    def _refusal(self, status: int, content: bytes) -> Exception:
        """Who said no, and what can be done about it."""
        try:
            refusal = _Refusal.model_validate_json(content)
        except ValidationError:
            return MeshAway(f"What answers at {self.url} is not a mesh (HTTP {status}); is the address right?")
        if refusal.source == "invocation":
            if status < 500:
                return Refused(refusal.message, status)
            return TurnLost(f"The mesh could not finish this ({refusal.message}); look at it in the Restate UI.")
        if status >= 500:
            return _Interrupted(refusal.message)
        return MeshAway(
            f"Restate at {self.url} has no mesh behind it ({refusal.message}); start one with `switchboard up`."
        )
