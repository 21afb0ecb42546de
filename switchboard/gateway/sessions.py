"""From a request to the Session object and back: what is handed in once, waited for, and said when it fails."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from switchboard.gateway.identity import Caller
from switchboard.gateway.ingress import Ingress
from switchboard.gateway.problems import Problem
from switchboard.gateway.spans import describe
from switchboard.ingress import HandlerFailed, IngressUnavailable, NotAMesh
from switchboard.messages import WireModel
from switchboard.session.contract import NO_AGENTS, QUESTION_CLOSED, QUESTION_EXPIRED, ClaimedKey
from switchboard.telemetry.spans import CANCELLATION_MESSAGE

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
RETRY_SOON_S = 1
RETRY_WITHOUT_AGENTS_S = 60

CODES = {400: "request_invalid", 403: "session_forbidden", 404: "session_unknown", 409: "nothing_to_decide"}
"""What the session's own refusals are called. Its sentence comes with them."""

DECIDED = (QUESTION_CLOSED, QUESTION_EXPIRED)
"""Of 409, these are the session's. Restate says 409 as well, of what an operator has killed."""

ATTEMPTS_MAX = 20
"""Under one key, while no agent can be found: with the pause that is asked for, half an hour of them."""

AWAY = (
    "The mesh cannot be reached just now. Send the same request again with the same Idempotency-Key; what was taken is "
    "not done twice."
)
GOES_ON = "It was taken and goes on. Send the same request again with the same Idempotency-Key, and its reply comes."
KEY_REUSED = "This Idempotency-Key was used for another request of this session. Send this one with a new key."
NO_MORE_ATTEMPTS = "No agent can be reached, and this was tried too often. Send it again with a new Idempotency-Key."
LEAVING = (
    "This gateway ends before the reply is there. What was taken goes on. Send the same request again with the same "
    "Idempotency-Key: another gateway has its reply."
)
LATE = "The reply takes longer than a request may wait. " + GOES_ON
NOT_READY = "The mesh is not ready yet. Try again in a few seconds."
STOPPED = "An operator has stopped this, and nothing of it was written down. Send it again with a new Idempotency-Key."
LOST = (
    "The mesh could not finish this. Look at the transcript for what was done before you send it again, with a new "
    "Idempotency-Key."
)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientDisconnected(Exception):
    """Whoever asked has left. What was handed in goes on."""


class SessionClient:
    """The sessions, as the API asks them. Raises Problem when there is no answer to give."""

    def __init__(self, ingress: Ingress, reply_timeout: timedelta) -> None:
        self._ingress = ingress
        self._reply_timeout = reply_timeout
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Answer whoever waits, now: this process is about to end. What they wait for goes on."""
        self._leaving.set()

    async def deliver(
        self, caller: Caller, session_id: str, handler: str, request: WireModel, key: str, receive: Receive
    ) -> bytes:
        """Hand a request in and wait for its reply, as JSON. Raises ClientDisconnected when `receive` says so.

        It is taken before anything is waited for: killed after that, the same key finds it again.
        """
        return await self._unless_stopping(self._deliver(caller, session_id, handler, request, key, receive))

    async def call(self, caller: Caller, session_id: str, handler: str, request: Wire, key: str) -> bytes:
        """Call a handler that answers at once, under a key, and return its answer as JSON."""
        claimed_key = scoped_key(caller, session_id, key)
        await self._claim(session_id, handler, request, claimed_key)
        with told():
            return await self._unless_stopping(self._ingress.call(session_id, handler, request, claimed_key))

    async def read(self, session_id: str, handler: str, request: Wire) -> bytes:
        """Call a handler that answers at once and changes nothing, and return its answer as JSON."""
        with told():
            return await self._unless_stopping(self._ingress.read(session_id, handler, request))

    async def ready(self) -> bool:
        """Whether Restate can be asked."""
        return await self._ingress.answers()

    async def _deliver(
        self, caller: Caller, session_id: str, handler: str, request: WireModel, key: str, receive: Receive
    ) -> bytes:
        claimed_key = scoped_key(caller, session_id, key)
        await self._claim(session_id, handler, request, claimed_key)
        for sent_key in attempts(claimed_key):
            with told():
                submitted = await self._ingress.submit(session_id, handler, request, sent_key)
            describe("restate.invocation.id", submitted.invocation_id)
            with told(GOES_ON):
                try:
                    return await while_client_connected(self._reply(submitted.invocation_id), receive)
                except HandlerFailed as error:
                    # Kept under its key for a day, and nothing was done: the next attempt has a key of its own.
                    if not (no_agent_found(error) and submitted.repeated):
                        raise
        raise Problem(503, "no_agents", NO_MORE_ATTEMPTS, RETRY_WITHOUT_AGENTS_S)

    async def _claim(self, session_id: str, handler: str, request: WireModel, key: str) -> None:
        """Make sure that a key is for one request. Raises Problem 422 when another one has it."""
        digest = hashlib.sha256(f"{handler} {request.model_dump_json()}".encode()).hexdigest()
        with told():
            if not await self._ingress.claim(session_id, ClaimedKey(digest=digest), key):
                raise Problem(422, "key_reused", KEY_REUSED)

    async def _unless_stopping(self, answer: Awaitable[bytes]) -> bytes:
        """Wait for an answer until this process has to end. Raises Problem then, so that the key is told."""
        waiting, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(self._leaving.wait())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Problem(503, "stopping", LEAVING, RETRY_SOON_S)
            return waiting.result()
        finally:
            waiting.cancel()
            leaving.cancel()

    async def _reply(self, invocation_id: str) -> bytes:
        try:
            async with asyncio.timeout(self._reply_timeout.total_seconds()):
                return await self._ingress.reply(invocation_id)
        except TimeoutError as error:
            raise Problem(504, "reply_late", LATE) from error


def scoped_key(caller: Caller, session_id: str, key: str) -> str:
    """The key at Restate, which answers a repeated one before any handler has looked at who asks.

    So whose it is stands in it: neither a customer's nor a session id can hold a slash. So does what was proven, for
    what a signed-in customer was told is not for somebody who only says that they are the same.
    """
    return f"{caller.customer_id}/{'signed-in' if caller.signed_in else 'claimed'}/{session_id}/{key}"


def attempts(key: str) -> Iterator[str]:
    """The keys for one request, of which each is used only once no agent could be found under the one before."""
    # No key of a client has a space in it, so this is nobody else's.
    return (key if number == 0 else f"{key} {number}" for number in range(ATTEMPTS_MAX))


def no_agent_found(failed: HandlerFailed) -> bool:
    """Whether a message ended without an agent, and with nothing done."""
    return (failed.status, failed.message) == (503, NO_AGENTS)


async def while_client_connected(reply: Awaitable[bytes], receive: Receive) -> bytes:
    """Wait for a reply as long as somebody is there to get it. Raises ClientDisconnected."""
    waiting, leaving = asyncio.ensure_future(reply), asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientDisconnected
        return waiting.result()
    finally:
        waiting.cancel()
        leaving.cancel()


async def gone(receive: Receive) -> None:
    """Return when the client has left: the server says so where it would else say more of the request."""
    event = await receive()
    while event["type"] != "http.disconnect":
        event = await receive()


@contextmanager
def told(away: str = AWAY) -> Iterator[None]:
    """Turn what goes wrong at Restate into what the client is told; `away` is for a Restate that does not answer."""
    try:
        yield
    except IngressUnavailable as error:
        logger.warning("Restate's ingress does not answer")
        raise Problem(503, "restate_away", away, RETRY_AFTER_S) from error
    except NotAMesh as error:
        logger.error("Restate's ingress knows no sessions; are the mesh's services registered there?")
        raise Problem(503, "mesh_not_ready", NOT_READY, RETRY_AFTER_S) from error
    except HandlerFailed as error:
        raise problem_of(error) from error


def problem_of(failed: HandlerFailed) -> Problem:
    """What a handler has said. Its sentences are for customers; the words of a defect are not."""
    if failed.message == CANCELLATION_MESSAGE:
        return Problem(409, "stopped", STOPPED)
    if no_agent_found(failed):
        return Problem(503, "no_agents", failed.message, RETRY_WITHOUT_AGENTS_S)
    if failed.status < 500 and (failed.status != 409 or failed.message in DECIDED):
        return Problem(failed.status, CODES.get(failed.status, "refused"), failed.message)
    logger.error("a message could not be finished: status %s", failed.status)
    return Problem(500, "turn_lost", LOST)
