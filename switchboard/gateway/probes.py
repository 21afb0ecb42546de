"""Liveness and readiness probes for Kubernetes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastapi.responses import JSONResponse

from switchboard.gateway.problems import Problem, respond

CACHE_LIFETIME = timedelta(seconds=1)
"""However often probes come, Restate's health is checked only once in this time."""

LOOP_TIMEOUT = timedelta(seconds=5)
"""When the event loop counts as blocked. Longer than the timeout of Restate's health check."""

STUCK = f"The event loop has been blocked for {LOOP_TIMEOUT.total_seconds():.0f} s."


class Readiness:
    """Whether Restate is reachable and this process is not shutting down. `restate_healthy` checks Restate."""

    def __init__(self, restate_healthy: Callable[[], Awaitable[bool]]) -> None:
        self._restate_healthy = restate_healthy
        self._checking = asyncio.Lock()
        self._healthy: bool | None = None
        self._checked_at = 0.0
        self.stopping = False

    async def check(self) -> None:
        """Raises Problem 503 if this process should not receive requests."""
        if self.stopping:
            raise Problem(503, "stopping", "This process is shutting down.")
        if not await self._cached_restate_healthy():
            raise Problem(503, "restate_away", "Restate's ingress does not answer. Is RESTATE_INGRESS_URL right?")

    async def _cached_restate_healthy(self) -> bool:
        async with self._checking:
            if self._healthy is None or self._now() - self._checked_at >= CACHE_LIFETIME.total_seconds():
                self._healthy = await self._restate_healthy()
                self._checked_at = self._now()
            return self._healthy

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def health() -> None:
    """Do nothing: a process that answers is alive."""


def probe_pages(
    readiness: Readiness, loop: asyncio.AbstractEventLoop, others: WSGIApplication, within: timedelta = LOOP_TIMEOUT
) -> WSGIApplication:
    """Serve /health and /ready from another thread, by running them in the event loop; other paths go to `others`."""
    checks = {"/health": health, "/ready": readiness.check}

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        check = checks.get(environ["PATH_INFO"])
        if check is None:
            return others(environ, start_response)
        running = asyncio.run_coroutine_threadsafe(probe_response(check), loop)
        try:
            response = running.result(within.total_seconds())
        except TimeoutError:
            running.cancel()
            response = respond(Problem(503, "stuck", STUCK))
        status = HTTPStatus(response.status_code)
        start_response(f"{status.value} {status.phrase}", [("content-type", str(response.media_type))])
        return [bytes(response.body)]

    return page


async def probe_response(check: Callable[[], Awaitable[None]]) -> JSONResponse:
    try:
        await check()
    except Problem as problem:
        return respond(problem)
    return JSONResponse({"status": "ok"})
