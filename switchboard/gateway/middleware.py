"""The middleware around the API: limits concurrent requests, and records a span, a metric and a log line for each."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

from opentelemetry.trace import Span

from switchboard.gateway.client_address import Network, forwarded_holder
from switchboard.gateway.connections import Peer
from switchboard.gateway.headers import refuse_ambiguous_headers
from switchboard.gateway.metrics import ACTIVE, REQUESTS
from switchboard.gateway.places import Places
from switchboard.gateway.problems import Problem, respond
from switchboard.gateway.spans import record_response, request_span, trace_id

logger = logging.getLogger(__name__)

PROBES = ("/health", "/ready")
"""Kubernetes' probes: neither counted nor limited."""

METHODS = ("GET", "POST")
"""Metrics and spans record other methods as _OTHER, as the semantic conventions do: clients can invent names."""

IDEMPOTENCY_KEY = "idempotency-key"
"""The header, and the entry of a request's scope that holds the key."""

RELEASE = "switchboard.release"
"""Entry of a request's scope: a function that frees its place among the concurrent requests, for an event stream."""

CLIENT_CLOSED_REQUEST = 499
"""Status that proxies log for a client that disconnects before its response."""

BUSY = "The gateway is at its limit of concurrent requests. Retry in a second with the same Idempotency-Key."
STOPPING = "This gateway is shutting down. Send the same request again; another gateway will handle it."
RETRY_SOON_S = 1

# ASGI's own types are no narrower than this.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestMiddleware:
    """An ASGI application around the API. Set `stopping` to refuse new requests; `idle` waits for running ones.

    `addresses` are the shares of the addresses whose requests come through known `proxies`.
    """

    def __init__(
        self, app: App, requests_max: int, addresses: Places | None = None, proxies: Sequence[Network] = ()
    ) -> None:
        self._app = app
        self._requests_max = requests_max
        self._addresses = addresses
        self._proxies = proxies
        self._peers: Counter[Peer] = Counter()
        self._active = 0
        self._streams = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        peer = peer_of(scope)
        self._peers[peer] += 1
        self._active += 1
        self._idle.clear()
        ACTIVE.inc()
        scope[RELEASE] = partial(self._release, scope)
        try:
            await self._observed(scope, receive, send)
        finally:
            ACTIVE.dec()
            del self._peers[peer]
            self._active -= 1
            self._streams -= scope.get(RELEASE) is None
            if self._active == 0:
                self._idle.set()

    def _release(self, scope: Scope) -> None:
        """Count a request as a stream from now on."""
        scope[RELEASE] = None
        self._streams += 1

    def busy_peers(self) -> Collection[Peer]:
        """Return the peers whose connections have a request."""
        return tuple(self._peers)

    async def idle(self, within: timedelta) -> bool:
        """Wait until no request is running; return False if the time is up first."""
        try:
            await asyncio.wait_for(self._idle.wait(), within.total_seconds())
        except TimeoutError:
            return False
        return True

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self.stopping:
                raise Problem(503, "stopping", STOPPING, RETRY_SOON_S)
            if self._active - self._streams > self._requests_max:
                raise Problem(503, "busy", BUSY, RETRY_SOON_S)
            refuse_ambiguous_headers(scope)
            with self._address_share(scope):
                await self._app(scope, receive, send)
        except Problem as problem:
            await respond(problem)(scope, receive, send)

    def _address_share(self, scope: Scope) -> AbstractContextManager[None]:
        """Take a place of the address that a known proxy forwards for. Raises Problem 429."""
        holder = forwarded_holder(scope, self._proxies) if self._proxies else None
        return nullcontext() if holder is None or self._addresses is None else self._addresses.taken(holder)

    def _response_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Headers of every response: the key to retry with, and the trace."""
        headers = []
        if key := scope.get(IDEMPOTENCY_KEY):
            headers.append((IDEMPOTENCY_KEY.encode(), key.encode()))
        if trace := trace_id():
            headers.append((b"x-trace-id", trace.encode()))
        if self.stopping:
            headers.append((b"connection", b"close"))
        return headers

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        status = CLIENT_CLOSED_REQUEST
        started = time.perf_counter()

        async def send_with_headers(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                own = list(event.get("headers", ()))
                if not any(name == b"cache-control" for name, _ in own):
                    own.append((b"cache-control", b"no-store"))
                event["headers"] = [*own, *self._response_headers(scope)]
            await send(event)

        with request_span(method) as span:
            try:
                await self._limited(scope, receive, send_with_headers)
            finally:
                self._record(span, method, route_of(scope), status, time.perf_counter() - started)

    def _record(self, span: Span, method: str, route: str, status: int, seconds: float) -> None:
        record_response(span, method, route, status)
        REQUESTS.labels(method, route, str(status)).observe(seconds)
        logger.info("%s %s %s in %.0f ms", method, route or "(unknown path)", status, seconds * 1000)


def peer_of(scope: Scope) -> Peer:
    """Return the address and port at the other end of the connection."""
    host, port = scope.get("client") or ("", 0)
    return (host, port)


def route_of(scope: Scope) -> str:
    """Return the path's pattern, never the path itself, to keep cardinality low; empty if no route matches."""
    return str(getattr(scope.get("route"), "path", ""))
