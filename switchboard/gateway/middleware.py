"""What every request of a customer goes through: a limit on how many there are, a span, a metric, a line in the log."""

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
"""Kubernetes' own questions: neither counted nor refused."""

METHODS = ("GET", "POST")
"""Of others, metrics and spans say _OTHER, as the semantic conventions do: anybody can invent them."""

IDEMPOTENCY_KEY = "idempotency-key"
"""A header, and what of a request's scope holds it."""

CLIENT_CLOSED_REQUEST = 499
"""How proxies note a client that has left before its answer."""

BUSY = "The gateway has as many requests as it can take. Try again in a second, with the same Idempotency-Key."
STOPPING = "This gateway is about to end. Send the same request again: another one takes it."
RETRY_SOON_S = 1

# ASGI's own types: what a server hands over has no narrower ones.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestMiddleware:
    """An ASGI application around the API. `stopping` refuses what is new, `idle` waits for what runs."""

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
        """Wait until no request runs; False when the time was up before."""
        try:
            await asyncio.wait_for(self._idle.wait(), within.total_seconds())
        except TimeoutError:
            return False
        return True

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self.stopping:
                raise Problem(503, "stopping", STOPPING, RETRY_SOON_S)
            if self._active > self._requests_max:
                raise Problem(503, "busy", BUSY, RETRY_SOON_S)
        except Problem as problem:
            await respond(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _own_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """What each answer says, good or bad: nothing of it is for a cache, and under which key it can be had again."""
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
        begun = time.perf_counter()

        async def noting(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event["headers"] = [*event.get("headers", ()), *self._own_headers(scope)]
            await send(event)

        with request_span(method) as span:
            try:
                await self._admitted(scope, receive, noting)
            finally:
                self._note(span, method, route_of(scope), status, time.perf_counter() - begun)

    def _note(self, span: Span, method: str, route: str, status: int, seconds: float) -> None:
        record_response(span, method, route, status)
        REQUESTS.labels(method, route, str(status)).observe(seconds)
        logger.info("%s %s %s in %.0f ms", method, route or "(no such address)", status, seconds * 1000)


def route_of(scope: Scope) -> str:
    """The pattern of the address, never the address: of those there are many. Empty when there is none."""
    return str(getattr(scope.get("route"), "path", ""))
