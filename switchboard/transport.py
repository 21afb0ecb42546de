"""Requests to a mesh's gateway: retries with the same key, streams of events, and errors as sentences.

The clients of customers and of staff are built on this.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from switchboard.events import Numbered, Shown, read_event
from switchboard.retry import RetryPolicy
from switchboard.session.contract import TRANSCRIPT_PAGE_MAX_TURNS, SendReply, Transcript, TurnRecord

CONNECT_TIMEOUT = timedelta(seconds=3)
ANSWER_TIMEOUT = timedelta(seconds=40)
"""Of one attempt of a request that does not wait for a turn. Longer than the gateway waits for the mesh."""

QUIET_MAX = timedelta(seconds=45)
"""A stream without a byte for so long is broken: the gateway sends a heartbeat every 15 seconds."""

RETRIES = RetryPolicy(pause=timedelta(milliseconds=500), attempts_max=120)
"""Keep trying for a minute; a mesh needs a few seconds to restart."""

RETRY_AFTER_MAX = timedelta(seconds=10)
"""A longer pause that the gateway asks for is left to the caller, who is told about it."""

REPLY_TIMEOUT = timedelta(minutes=30)
"""A session answers one message at a time, and each may take ten minutes, so a message may have to wait."""

PAGES_MAX = 200
"""Pages of one transcript that are read at most."""

DISCONNECTED = "The connection broke. Nothing is lost; waiting up to a minute for the mesh to come back …"

UNAVAILABLE = (502, 503, 504)
"""Statuses after which the same request, with its key, is sent again."""

SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429
OK = 200

Token = str | Callable[[], str]
"""A token, or what returns one that is still valid. It is asked before every request."""

Answer = TypeVar("Answer", bound=BaseModel)
Result = TypeVar("Result")


class MeshError(Exception):
    """A request to the mesh failed; the message is one sentence for a person, with what to do."""


class MeshUnavailable(MeshError):
    """No mesh answers at the address, or the mesh did not answer in time."""


class TurnLost(MeshError):
    """The mesh accepted the message, but it failed or its reply did not come in time."""


class Refused(MeshError):
    """The mesh rejected the request.

    `status` is the HTTP status; 0 when no request was sent. `code` names the reason for programs, and `retry_after_s`
    is set when the same request may succeed later, in seconds.
    """

    def __init__(self, sentence: str, status: int = 0, code: str = "", retry_after_s: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Replied:
    """The last event of a message: its whole reply."""

    reply: SendReply


class GatewayProblem(BaseModel):
    """The fields of a problem (RFC 9457) that the client uses."""

    detail: str
    code: str = ""
    status: int = 0


class Broken(Exception):
    """The connection failed, or the gateway cannot answer at the moment. The same request can be sent again."""

    def __init__(self, why: str, pause: timedelta | None = None, answered: bool = False) -> None:
        super().__init__(why)
        self.pause = pause
        self.answered = answered


LAST_EVENT = "reply"
PROBLEM_EVENT = "problem"


@dataclass(frozen=True)
class Place:
    """After which event a stream goes on; without an id, from now on. `run` is the run of the event's turn, if known.

    With the run, the gateway sends a turn from its start if it was cancelled and has begun again meanwhile.
    """

    event_id: str = ""
    run: str = ""

    @property
    def params(self) -> dict[str, str]:
        return {"run": self.run} if self.run else {}

    def behind(self, sent: httpx2.ServerSentEvent) -> "Place":
        """Return the place after this event. A stream begins with its own place: an id without an event."""
        run = run_of(sent.data)
        if not sent.id or (sent.id == self.event_id and not run):
            return self
        return Place(sent.id, run)


FROM_NOW_ON = Place()


class Transport:
    """Requests to a gateway with a token: retries, and errors as sentences. Shared by the clients of both APIs."""

    def __init__(
        self, url: str, token: Token, notify: Callable[[str], None] = lambda _: None, wait_for_mesh: bool = False
    ) -> None:
        self.url = url.rstrip("/")
        self._wait_for_mesh = wait_for_mesh
        self._token = token
        self._notify = notify
        self._connected = False

    async def open(self) -> None:
        timeout = httpx2.Timeout(ANSWER_TIMEOUT.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds())
        self._http = httpx2.AsyncClient(timeout=timeout)

    async def close(self) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        body: Mapping[str, object] | None = None,
        key: str = "",
        params: Mapping[str, Any] | None = None,
        waits: bool = False,
    ) -> Answer:
        """Send a request, again after failures that pass, and return its answer.

        `waits` for as long as a turn may take. Raises MeshError.
        """
        timeout = httpx2.Timeout(
            None if waits else ANSWER_TIMEOUT.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds()
        )

        async def attempt() -> Answer:
            with broken_connections():
                response = await self._http.request(
                    method, self.url + path, json=body, headers=self._headers(key), params=params, timeout=timeout
                )
            raise_for_problem(response.status_code, response.content, response.headers)
            return self._parsed(answer, response.content)

        return await self._retried(attempt)

    async def turns(self, path: str, after: int = 0) -> list[TurnRecord]:
        """Return the transcript at a path behind turn number `after`, oldest turn first. Raises MeshError."""
        turns: list[TurnRecord] = []
        for _ in range(PAGES_MAX):
            params = {"after": after, "limit": TRANSCRIPT_PAGE_MAX_TURNS}
            page = await self.request("GET", path, Transcript, params=params)
            turns += page.turns
            before, after = after, page.end(after)
            if not before < after < page.turns_total:
                break
        return turns

    async def shown_until_reply(
        self, path: str, body: Mapping[str, object], key: str
    ) -> AsyncGenerator[Shown | Replied, None]:
        """Send a message and yield its events until the reply.

        After a broken connection, it is sent with its key again. Raises MeshError.
        """
        last = (0, 0)
        attempts = self._attempts()
        async for _ in attempts:
            try:
                async with aclosing(self._events("POST", path, key, body)) as events:
                    async for sent in events:
                        if sent.event == PROBLEM_EVENT:
                            raise_for_problem(status_of(sent.data), sent.data.encode(), {})
                        event = read_event(sent.event, sent.data)
                        if event is None or (isinstance(event, Numbered) and (event.turn, event.seq) <= last):
                            continue
                        last = (event.turn, event.seq) if isinstance(event, Numbered) else last
                        attempts.progress()
                        yield event
                        if sent.event == LAST_EVENT:
                            yield Replied(self._parsed(SendReply, sent.data.encode()))
                            return
                raise Broken("the stream ended before the reply", answered=True)
            except Broken as error:
                await attempts.failed(error)

    async def shown(self, path: str, after: str) -> AsyncGenerator[Shown, None]:
        """Yield a session's events, without end. After a broken connection, they go on behind the last event.

        Raises MeshError.
        """
        place = Place(after)
        attempts = Attempts(self, endless=True)
        async for _ in attempts:
            try:
                async with aclosing(self._events("GET", path, "", None, place)) as events:
                    async for sent in events:
                        event = read_event(sent.event, sent.data)
                        place = place.behind(sent)
                        attempts.progress()
                        if event is not None:
                            yield event
                raise Broken("the stream ended", answered=True)
            except Broken as error:
                await attempts.failed(error)

    async def _events(
        self, method: str, path: str, key: str, body: Mapping[str, object] | None, place: Place = FROM_NOW_ON
    ) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
        headers = {**self._headers(key), "accept": "text/event-stream"}
        if place.event_id:
            headers["last-event-id"] = place.event_id
        timeout = httpx2.Timeout(QUIET_MAX.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds())
        with broken_connections():
            async with self._http.stream(
                method, self.url + path, params=place.params, json=body, headers=headers, timeout=timeout
            ) as response:
                if response.status_code != OK:
                    raise_for_problem(response.status_code, await response.aread(), response.headers)
                self._connected = True
                async for sent in httpx2.EventSource(response):
                    yield sent

    def _headers(self, key: str) -> dict[str, str]:
        token = self._token() if callable(self._token) else self._token
        return {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})

    def _attempts(self) -> "Attempts":
        return Attempts(self)

    async def _retried(self, attempt: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        attempts = self._attempts()
        async for _ in attempts:
            try:
                result = await attempt()
            except Broken as error:
                await attempts.failed(error)
            else:
                self._connected = True
                return result
        raise AssertionError("attempts end with an error")

    def _parsed(self, answer: type[Answer], content: bytes) -> Answer:
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise MeshUnavailable(
                f"The server at {self.url} is not a gateway of this version. Is the address right?"
            ) from None


class Attempts:
    """The attempts of one request, with pauses between them. Without `wait_for_mesh`, a wrong address fails at once.

    An `endless` one has no deadline: after hours, its connection may break and be opened again.
    """

    def __init__(self, transport: Transport, endless: bool = False) -> None:
        self._transport = transport
        self._failures = 0
        self._deadline = math.inf if endless else time.monotonic() + REPLY_TIMEOUT.total_seconds()

    async def __aiter__(self) -> AsyncGenerator[None, None]:
        while self._failures < RETRIES.attempts_max:
            yield

    def progress(self) -> None:
        """Something has arrived, so that the next failure is a new one."""
        self._failures = 0

    async def failed(self, error: Broken) -> None:
        """Wait before the next attempt. Raises MeshError when there is none."""
        transport = self._transport
        transport._connected = transport._connected or error.answered
        if not (transport._connected or transport._wait_for_mesh):
            raise MeshUnavailable(
                f"No gateway answers at {transport.url} ({error}). Start a mesh with `switchboard up`, or correct the"
                " address."
            ) from error
        self._failures += 1
        if self._failures >= RETRIES.attempts_max or time.monotonic() > self._deadline:
            raise MeshUnavailable(
                f"The gateway at {transport.url} is unavailable ({error}). A message that it accepted is not lost: "
                "send it again with the same key, or read the transcript."
            ) from error
        if self._failures == 1:
            transport._notify(DISCONNECTED)
        await asyncio.sleep((error.pause or RETRIES.pause).total_seconds())


def raise_for_problem(status: int, content: bytes, headers: Mapping[str, str]) -> None:
    """Raises Broken for a failure that passes, Refused or TurnLost for any other."""
    if status < 300:
        return
    try:
        problem = GatewayProblem.model_validate_json(content)
    except ValidationError:
        problem = GatewayProblem(detail=f"The server answered HTTP {status}.")
    retry_after = seconds(headers.get("retry-after", ""))
    if status in UNAVAILABLE and retry_after <= RETRY_AFTER_MAX.total_seconds():
        raise Broken(problem.detail, timedelta(seconds=retry_after) or None, answered=True)
    if status in UNAVAILABLE:
        raise MeshUnavailable(problem.detail)
    if status >= SERVER_ERROR:
        raise TurnLost(problem.detail)
    raise Refused(problem.detail, status, problem.code, retry_after)


def run_of(data: str) -> str:
    """Return the run that an event belongs to; empty if it names none."""
    try:
        return str(json.loads(data).get("run", ""))
    except (ValueError, AttributeError):
        return ""


def status_of(data: str) -> int:
    """Return the HTTP status of a problem that came within a stream."""
    try:
        return GatewayProblem.model_validate_json(data).status or SERVER_ERROR
    except ValidationError:
        return SERVER_ERROR


def seconds(text: str) -> int:
    return int(text) if text.isdecimal() else 0


@contextmanager
def broken_connections() -> Iterator[None]:
    """Turn errors of the connection into Broken, and of the address into Refused."""
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise Refused(
            f"This is not an address of a gateway: {error}. Give one such as http://127.0.0.1:8000."
        ) from error
    except httpx2.ConnectError as error:
        raise Broken(str(error) or "no connection") from error
    except httpx2.HTTPError as error:
        raise Broken(
            str(error) or type(error).__name__, answered=not isinstance(error, httpx2.ConnectTimeout)
        ) from error
