"""Why a request is not done: each such error is a status, a word for programs and a sentence for people."""

import logging
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from switchboard.gateway.contract import ProblemDetails
from switchboard.gateway.spans import trace_id

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

EXPLANATION_MAX_CHARS = 500

WHAT_TO_DO = {
    404: "There is nothing at this address; /v1/openapi.json lists what there is.",
    405: "This address does not take this method; /v1/openapi.json lists what it takes.",
}


class Problem(Exception):
    """Ends a request. `detail` is shown to whoever asked, so nothing of another customer's is in it."""

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}


def respond(problem: Problem) -> JSONResponse:
    """The problem as RFC 9457 has it."""
    details = ProblemDetails(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        trace_id=trace_id(),
    )
    return JSONResponse(details.model_dump(), problem.status, problem.headers, media_type=PROBLEM_JSON)


async def on_problem(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return respond(problem)


async def on_invalid(_: Request, error: Exception) -> JSONResponse:
    """A request that does not fit: what, where, and without the words of whoever sent it."""
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(
        f"{place(fault['loc'])}: {str(fault['msg']).removeprefix('Value error, ')}" for fault in error.errors()
    )
    return respond(Problem(400, "request_invalid", f"The request does not fit: {faults[:EXPLANATION_MAX_CHARS]}."))


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """What the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = WHAT_TO_DO.get(error.status_code, f"{phrase}. See /v1/openapi.json for what can be asked.")
    return respond(Problem(error.status_code, phrase.lower().replace(" ", "_"), detail))


async def on_defect(_: Request, error: Exception) -> JSONResponse:
    """A defect of ours. The log has its place; the client can go on with the same key."""
    logger.error("a request has failed by a defect", exc_info=error)
    return respond(
        Problem(500, "internal_error", "The gateway has failed at this. Send it again with the same Idempotency-Key.")
    )


def place(where: tuple[object, ...]) -> str:
    """`body.text` without the `body`: as whoever wrote the request knows it."""
    return ".".join(str(part) for part in where if part not in ("body", "path", "query", "header")) or "body"
