"""Whether this process answers and whether it should be sent customers, as Kubernetes asks it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastapi.responses import JSONResponse

from switchboard.gateway.problems import Problem, respond

FRESH_FOR = timedelta(seconds=1)
"""However often it is asked, Restate is asked no more often."""

TURNS_WITHIN = timedelta(seconds=5)
"""Longer than anybody may keep the event loop; longer than Restate is waited for, too."""

STUCK = f"The event loop has not turned for {TURNS_WITHIN.total_seconds():.0f} s."


class Readiness:
    """Whether Restate can be asked and this process goes on; `answers` asks Restate."""

    def __init__(self, answers: Callable[[], Awaitable[bool]]) -> None:
        self._answers = answers
        self._asking = asyncio.Lock()
        self._known: bool | None = None
        self._known_at = 0.0
        self.stopping = False

    async def check(self) -> None:
        """Raises Problem 503 when this process should be sent nothing."""
        if self.stopping:
            raise Problem(503, "stopping", "This process is about to end.")
        if not await self._restate_answers():
            raise Problem(503, "restate_away", "Restate's ingress does not answer; is RESTATE_INGRESS_URL right?")

    async def _restate_answers(self) -> bool:
        async with self._asking:
            if self._known is None or self._now() - self._known_at >= FRESH_FOR.total_seconds():
                self._known = await self._answers()
                self._known_at = self._now()
            return self._known

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def health() -> None:
    """This process answers."""


def probe_pages(
    readiness: Readiness, loop: asyncio.AbstractEventLoop, others: WSGIApplication, within: timedelta = TURNS_WITHIN
) -> WSGIApplication:
    """/health and /ready for a thread of its own, and the pages of `others`. They ask the loop that has the work."""
    asked = {"/health": health, "/ready": readiness.check}

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ask = asked.get(environ["PATH_INFO"])
        if ask is None:
            return others(environ, start_response)
        said = asyncio.run_coroutine_threadsafe(told(ask), loop)
        try:
            response = said.result(within.total_seconds())
        except TimeoutError:
            said.cancel()
            response = respond(Problem(503, "stuck", STUCK))
        status = HTTPStatus(response.status_code)
        start_response(f"{status.value} {status.phrase}", [("content-type", str(response.media_type))])
        return [bytes(response.body)]

    return page


async def told(ask: Callable[[], Awaitable[None]]) -> JSONResponse:
    """What a probe is answered."""
    try:
        await ask()
    except Problem as problem:
        return respond(problem)
    return JSONResponse({"status": "ok"})
