"""The middleware around the API: limits concurrent requests, and records a span, a metric and a log line for each."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from opentelemetry.trace import Span

from switchboard.gateway.metrics import ACTIVE, REQUESTS
from switchboard.gateway.problems import Problem, respond
from switchboard.gateway.spans import record_response, request_span, trace_id

logger = logging.getLogger(__name__)

PROBES = ("/health", "/ready")
"""Kubernetes' probes: neither counted nor limited."""

METHODS = ("GET", "POST")
"""Metrics and spans record other methods as _OTHER, as the semantic conventions do: clients can invent names."""

IDEMPOTENCY_KEY = "idempotency-key"
"""The header, and the entry of a request's scope that holds the key."""

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
    """An ASGI application around the API. Set `stopping` to refuse new requests; `idle` waits for running ones."""

    def __init__(self, app: App, requests_max: int) -> None:
        self._app = app
        self._requests_max = requests_max
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        self._active += 1
        self._idle.clear()
        ACTIVE.inc()
        try:
            await self._observed(scope, receive, send)
        finally:
            ACTIVE.dec()
            self._active -= 1
            if self._active == 0:
                self._idle.set()

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
            if self._active > self._requests_max:
                raise Problem(503, "busy", BUSY, RETRY_SOON_S)
        except Problem as problem:
            await respond(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _response_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Headers of every response: not cacheable, and the key to retry with."""
        headers = [(b"cache-control", b"no-store")]
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
                event["headers"] = [*event.get("headers", ()), *self._response_headers(scope)]
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


def route_of(scope: Scope) -> str:
    """Return the path's pattern, never the path itself, to keep cardinality low; empty if no route matches."""
    return str(getattr(scope.get("route"), "path", ""))
