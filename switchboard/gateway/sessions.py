"""Client of the Session object: submits a request once, waits for its reply, and turns failures into Problems."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Protocol

from switchboard.gateway.identity import Caller
from switchboard.gateway.ingress import Ingress
from switchboard.gateway.limits import limit_problem
from switchboard.gateway.problems import Problem
from switchboard.gateway.spans import set_attribute
from switchboard.ingress import (
    HandlerFailed,
    IngressUnavailable,
    InvocationUnknown,
    NotAMesh,
    NotReady,
    OutOfFiles,
)
from switchboard.messages import WireModel
from switchboard.runtime.speaker_check import NOT_SIGNED_STATUS
from switchboard.session.contract import (
    NO_AGENTS,
    QUESTION_CLOSED,
    QUESTION_EXPIRED,
    TASK_OVER,
    TURN_UNKNOWN,
    ClaimedKey,
    SendReply,
)
from switchboard.telemetry.spans import CANCELLATION_MESSAGE

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
RETRY_SOON_S = 1
RETRY_WITHOUT_AGENTS_S = 60

CODES = {
    400: "request_invalid",
    403: "session_forbidden",
    404: "session_unknown",
    409: "nothing_to_decide",
    410: "session_expired",
}
"""Codes of the session's own refusals, by status. The session's sentence becomes the detail."""

# Sessions of version 0.1.0 run during an upgrade, and Restate keeps their answers for a day.
NO_AGENTS_0_1 = "No agent can be reached just now. Nothing was done; please send your message again in a minute."
QUESTION_CLOSED_0_1 = "Nothing waits for this decision: it was confirmed, declined or dropped before."
QUESTION_EXPIRED_0_1 = "The question has expired. Ask again for what you need."

DECIDED = (QUESTION_CLOSED, QUESTION_EXPIRED, TASK_OVER, QUESTION_CLOSED_0_1, QUESTION_EXPIRED_0_1)
"""The session's own 409 messages. Restate also answers 409, for an invocation that an operator killed."""

ATTEMPTS_MAX = 20
"""Attempts under one key that did nothing. While no agent is available, the Retry-After that we send makes them last
over 20 minutes."""

UNAVAILABLE = (
    "The service is temporarily unavailable. Retry with the same Idempotency-Key: a request that was accepted is not "
    "carried out twice."
)
OUT_OF_FILES = (
    "This gateway has no free file descriptors. Retry with the same Idempotency-Key: another gateway may answer, and a "
    "request that was accepted is not carried out twice."
)
STILL_RUNNING = "The request was accepted and is still running. Retry with the same Idempotency-Key to get the reply."
KEY_REUSED = "This Idempotency-Key was used for a different request in this session. Send this request with a new key."
NO_MORE_ATTEMPTS = "Nothing was done, and this key has no attempts left. Retry with a new Idempotency-Key."
GATEWAY_STOPPING = (
    "This gateway is shutting down before the reply is ready. If the request was accepted, it is still running. Retry "
    "with the same Idempotency-Key: another gateway will return the reply."
)
REPLY_LATE = "The reply did not arrive in time. " + STILL_RUNNING
REFUSED_SIGNATURE = "the mesh refused our signature; is SWITCHBOARD_SPEAKER_KEYS the same here and at the services?"
"""For the log."""

NOT_READY = "The mesh is not ready yet. Retry in a few seconds."
STOPPED = "An operator stopped this request, and nothing was recorded. Retry with a new Idempotency-Key."
LOST = (
    "The mesh could not finish this request. Check the transcript to see what was done before you send the request "
    "again with a new Idempotency-Key."
)


class Found(Enum):
    """What Restate knows of a request."""

    UNKNOWN = auto()
    PENDING = auto()
    ANSWERED = auto()
    FAILED = auto()


Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
OnSubmitted = Callable[[str], None]


def ignore_submitted(invocation_id: str) -> None:
    """Do nothing with the id of a submitted request."""


class ClientDisconnected(Exception):
    """The client disconnected before the reply. A submitted request keeps running."""


class Replies(Protocol):
    """Where replies are also of use."""

    def awaiting(self, session_id: str) -> AbstractContextManager[None]:
        """Expect a reply of a session while the block runs."""
        ...

    def answered(self, session_id: str, caller: Caller, reply: SendReply) -> None:
        """Take the reply to a message of a caller."""
        ...


class SessionClient:
    """The sessions, as the API calls them. Raises Problem when there is no answer to return.

    `replies` also gets each reply.
    """

    def __init__(self, ingress: Ingress, reply_timeout: timedelta, replies: Replies | None = None) -> None:
        self._ingress = ingress
        self._reply_timeout = reply_timeout
        self._replies = replies
        self._stopping = asyncio.Event()

    def stop_waiting(self) -> None:
        """Answer all waiting clients now, because this process is shutting down. Their requests keep running."""
        self._stopping.set()

    async def deliver(
        self,
        caller: Caller,
        session_id: str,
        handler: str,
        request: WireModel,
        key: str,
        receive: Receive,
        on_submitted: OnSubmitted = ignore_submitted,
        findable: bool = False,
    ) -> bytes:
        """Submit a request, wait for its reply and return it as JSON. Raises ClientDisconnected.

        The request is submitted before anything waits, so that a retry with the same key finds it even if this process
        was killed. `on_submitted` then gets the id of its invocation. `findable` requests can be looked up with `find`.
        """
        delivery = self._deliver(caller, session_id, handler, request, key, receive, on_submitted, findable)
        if self._replies is None:
            return await self._unless_stopping(delivery)
        with self._replies.awaiting(session_id):
            reply = await self._unless_stopping(delivery)
        self._replies.answered(session_id, caller, SendReply.model_validate_json(reply))
        return reply

    async def find(self, caller: Caller, session_id: str, handler: str, key: str) -> Found:
        """Look for a findable request by its key. Restate knows it until a day after it has ended."""
        found = Found.UNKNOWN
        for attempt_key in findable_keys(scoped_key(caller, session_id, key)):
            with problems_for_errors():
                try:
                    await self._unless_stopping(self._ingress.output(session_id, handler, attempt_key))
                except InvocationUnknown:
                    return found
                except NotReady:
                    return Found.PENDING
                except HandlerFailed as error:
                    found = Found.FAILED
                    if did_nothing(error):
                        continue
                    return found
                return Found.ANSWERED
        return found

    async def call(self, caller: Caller, session_id: str, handler: str, request: WireModel, key: str) -> bytes:
        """Call a handler that answers at once, under a key, and return its answer as JSON."""
        claimed_key = scoped_key(caller, session_id, key)
        await self._claim(session_id, handler, request, claimed_key)
        with problems_for_errors():
            answer = call_unspoilt(lambda key: self._ingress.call(session_id, handler, request, key), claimed_key)
            return await self._unless_stopping(answer)

    async def read(self, session_id: str, handler: str, request: WireModel) -> bytes:
        """Call a handler that answers at once and changes nothing, and return its answer as JSON."""
        with problems_for_errors():
            return await self._unless_stopping(self._ingress.read(session_id, handler, request))

    async def ready(self) -> bool:
        """Return whether Restate is reachable. Raises Problem if this process cannot tell."""
        with problems_for_errors():
            return await self._ingress.healthy()

    async def _deliver(
        self,
        caller: Caller,
        session_id: str,
        handler: str,
        request: WireModel,
        key: str,
        receive: Receive,
        on_submitted: OnSubmitted,
        findable: bool,
    ) -> bytes:
        claimed_key = scoped_key(caller, session_id, key)
        await self._claim(session_id, handler, request, claimed_key)
        for attempt_key in findable_keys(claimed_key) if findable else attempt_keys(claimed_key):
            with problems_for_errors():
                submitted = await self._ingress.submit(session_id, handler, request, attempt_key)
            set_attribute("restate.invocation.id", submitted.invocation_id)
            on_submitted(submitted.invocation_id)
            with problems_for_errors(STILL_RUNNING):
                try:
                    return await while_client_connected(self._reply(submitted.invocation_id), receive)
                except HandlerFailed as error:
                    # Restate keeps this failure under its key for a day. If it is a past attempt in which nothing was
                    # done, try again under the next key. An unsigned request by someone else may have used the key.
                    if not (did_nothing(error) and submitted.repeated):
                        raise
        raise Problem(503, "no_attempts", NO_MORE_ATTEMPTS, RETRY_SOON_S)

    async def _claim(self, session_id: str, handler: str, request: WireModel, key: str) -> None:
        """Reserve a key for this request. Raises Problem 422 if another request has it."""
        digest = hashlib.sha256(f"{handler} {request.model_dump_json()}".encode()).hexdigest()
        with problems_for_errors():
            if not await self._ingress.claim(session_id, ClaimedKey(digest=digest), key):
                raise Problem(422, "key_reused", KEY_REUSED)

    async def _unless_stopping(self, answer: Awaitable[bytes]) -> bytes:
        """Wait for an answer. Raises Problem when this process stops, so that the client gets the key to retry with."""
        waiting, stopping = asyncio.ensure_future(answer), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Problem(503, "stopping", GATEWAY_STOPPING, RETRY_SOON_S)
            return waiting.result()
        finally:
            waiting.cancel()
            stopping.cancel()

    async def _reply(self, invocation_id: str) -> bytes:
        try:
            async with asyncio.timeout(self._reply_timeout.total_seconds()):
                return await self._ingress.reply(invocation_id)
        except TimeoutError as error:
            raise Problem(504, "reply_late", REPLY_LATE) from error


def scoped_key(caller: Caller, session_id: str, key: str) -> str:
    """Return the key for Restate, which answers a repeated key before any handler checks who the caller is.

    So the key names the caller and the session; neither can contain a slash of its own.
    """
    return f"{caller.standing}/{session_id}/{key}"


def attempt_keys(key: str) -> Iterator[str]:
    """Yield the keys for one request. Each is used only after no agent was available under the key before."""
    # A client's key cannot contain a space, so these keys cannot collide with another one.
    return (key if number == 0 else f"{key} {number}" for number in range(ATTEMPTS_MAX))


def findable_keys(key: str) -> Iterator[str]:
    """Yield the keys for one request in characters with which Restate can look it up: see RestateIngress.output."""
    return (hashlib.sha256(each.encode()).hexdigest() for each in attempt_keys(key))


async def call_unspoilt(call: Callable[[str], Awaitable[bytes]], key: str) -> bytes:
    """Call under the key, or under the next one if a request that was not signed has used it.

    Restate keeps the refusal of such a request under its key for a day.
    """
    refused: HandlerFailed | None = None
    for attempt_key in attempt_keys(key):
        try:
            return await call(attempt_key)
        except HandlerFailed as error:
            if not not_signed(error):
                raise
            refused = error
    assert refused is not None
    raise refused


def no_agent_found(failed: HandlerFailed) -> bool:
    """Return whether a message ended because no agent was available, with nothing done."""
    return failed.status == 503 and failed.message in (NO_AGENTS, NO_AGENTS_0_1)


def not_signed(failed: HandlerFailed) -> bool:
    """Return whether a request was refused because of its signature, with nothing done."""
    return failed.status == NOT_SIGNED_STATUS


def did_nothing(failed: HandlerFailed) -> bool:
    """Return whether a message was refused for a reason that passes, so that the same message can be tried again."""
    return no_agent_found(failed) or not_signed(failed) or limit_problem(failed) is not None


async def while_client_connected(reply: Awaitable[bytes], receive: Receive) -> bytes:
    """Wait for a reply while the client is connected. Raises ClientDisconnected."""
    waiting, disconnected = asyncio.ensure_future(reply), asyncio.ensure_future(disconnect(receive))
    try:
        await asyncio.wait({waiting, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientDisconnected
        return waiting.result()
    finally:
        waiting.cancel()
        disconnected.cancel()


async def disconnect(receive: Receive) -> None:
    """Return when the client disconnects; the server reports it where it would report more of the body."""
    event = await receive()
    while event["type"] != "http.disconnect":
        event = await receive()


@contextmanager
def problems_for_errors(unavailable: str = UNAVAILABLE) -> Iterator[None]:
    """Turn errors of the ingress into Problems. `unavailable` is the detail when Restate does not answer."""
    try:
        yield
    except OutOfFiles as error:
        logger.error("out of file descriptors: raise the limit of open files, or lower GATEWAY_REQUESTS_MAX")
        raise Problem(503, "out_of_files", OUT_OF_FILES, RETRY_AFTER_S) from error
    except IngressUnavailable as error:
        logger.warning("Restate's ingress does not answer")
        raise Problem(503, "restate_away", unavailable, RETRY_AFTER_S) from error
    except NotAMesh as error:
        logger.error("Restate's ingress has no sessions; are the mesh's services registered there?")
        raise Problem(503, "mesh_not_ready", NOT_READY, RETRY_AFTER_S) from error
    except HandlerFailed as error:
        raise problem_of(error) from error


def problem_of(failed: HandlerFailed) -> Problem:
    """Return the Problem for a handler's error. Its refusals are written for customers; messages of bugs are hidden."""
    if failed.message == CANCELLATION_MESSAGE:
        return Problem(409, "stopped", STOPPED)
    if not_signed(failed):
        logger.error(REFUSED_SIGNATURE)
        return Problem(503, "mesh_not_ready", NOT_READY, RETRY_AFTER_S)
    if limited := limit_problem(failed):
        return limited
    if failed.message == TURN_UNKNOWN:
        return Problem(404, "turn_unknown", failed.message)
    if no_agent_found(failed):
        return Problem(503, "no_agents", failed.message, RETRY_WITHOUT_AGENTS_S)
    if failed.status < 500 and (failed.status != 409 or failed.message in DECIDED):
        return Problem(failed.status, CODES.get(failed.status, "refused"), failed.message)
    logger.error("a message could not be finished: status %s", failed.status)
    return Problem(500, "turn_lost", LOST)
