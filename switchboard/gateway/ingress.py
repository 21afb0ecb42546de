"""The gateway's requests to sessions, over Restate's ingress."""

from datetime import timedelta

import aiohttp

from switchboard.gateway.metrics import RECONNECTS
from switchboard.gateway.spans import trace_headers
from switchboard.ingress import (
    IngressUnavailable,
    NotAMesh,
    RestateIngress,
    Submitted,
    session_path,
)
from switchboard.messages import WireModel
from switchboard.retry import RetryPolicy
from switchboard.session.contract import ClaimedKey
from switchboard.speaker import SpeakerKeys

SUBMIT_TIMEOUT = timedelta(seconds=10)
"""Timeout of submitting a message, retries included. A Restate cluster needs seconds to replace a node that hangs."""

CALL_TIMEOUT = timedelta(seconds=10)
"""Timeout of handlers that answer at once, also while a turn is running. Retries included."""

HEALTH_TIMEOUT = timedelta(seconds=2)

RETRIES = RetryPolicy(pause=timedelta(milliseconds=250), attempts_max=120)
"""Keep trying for half a minute; a Restate server needs a few seconds to restart."""


def restate_ingress(
    urls: str, http: aiohttp.ClientSession, speaker: SpeakerKeys | None, short_attempts: bool = False
) -> RestateIngress:
    """Return the client of an ingress, with the gateway's retries, trace headers and signature."""
    return RestateIngress(
        urls,
        http,
        RETRIES,
        # Right after a restart, Restate does not know its services for a moment.
        retried=(IngressUnavailable, NotAMesh),
        on_failure=lambda error, failures: RECONNECTS.inc(),
        headers=trace_headers,
        speaker=speaker,
        short_attempts=short_attempts,
    )


class Ingress:
    """The sessions behind one Restate ingress. Its methods raise IngressError."""

    def __init__(self, urls: str, http: aiohttp.ClientSession, speaker: SpeakerKeys | None = None) -> None:
        self._restate = restate_ingress(urls, http, speaker, short_attempts=True)

    async def claim(self, session_id: str, key: ClaimedKey, idempotency_key: str) -> bool:
        """Reserve the key for this request. Return False if another request has reserved it before."""
        return await self._restate.claim(session_path(session_id, "claim"), key, SUBMIT_TIMEOUT, idempotency_key)

    async def submit(self, session_id: str, handler: str, request: WireModel, idempotency_key: str) -> Submitted:
        """Submit a message. The same key again is the same message, not a second one."""
        return await self._restate.submit(session_path(session_id, handler), request, SUBMIT_TIMEOUT, idempotency_key)

    async def call(self, session_id: str, handler: str, request: WireModel, idempotency_key: str) -> bytes:
        """Call a handler that answers at once and return its answer as JSON."""
        return await self._restate.call(session_path(session_id, handler), request, CALL_TIMEOUT, idempotency_key)

    async def read(self, session_id: str, handler: str, request: WireModel) -> bytes:
        """Call a handler that answers at once and changes nothing, and return its answer as JSON."""
        return await self._restate.read(session_path(session_id, handler), request, CALL_TIMEOUT)

    async def output(self, session_id: str, handler: str, idempotency_key: str) -> bytes:
        """Return the answer to a submitted message by its key. Raises NotReady or InvocationUnknown if it has none."""
        return await self._restate.output(session_path(session_id, handler), idempotency_key, CALL_TIMEOUT)

    async def reply(self, invocation_id: str) -> bytes:
        """Wait for the reply to a submitted message, as JSON. The caller sets the timeout."""
        return await self._restate.reply(invocation_id)

    async def healthy(self) -> bool:
        """Return whether Restate answers, without retries."""
        return await self._restate.healthy(HEALTH_TIMEOUT)
