"""Error responses (RFC 9457): a status, a code for programs and a sentence for people."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from switchboard.gateway.contract import ProblemDetails
from switchboard.gateway.spans import trace_id

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

EXPLANATION_MAX_CHARS = 500

DETAILS = {
    400: "The body cannot be read. Send JSON in UTF-8.",
    404: "This path does not exist. See /v1/openapi.json for all paths.",
    405: "This path does not support this method. See /v1/openapi.json for the methods of each path.",
}


class Problem(Exception):
    """Ends a request with an error response. `detail` is shown to the client: put no other customer's data into it."""

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}


def details_of(problem: Problem) -> ProblemDetails:
    return ProblemDetails(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        trace_id=trace_id(),
    )


def respond(problem: Problem) -> JSONResponse:
    """Return the response for a problem, as RFC 9457 defines it."""
    content = details_of(problem).model_dump()
    return JSONResponse(content, problem.status, problem.headers, media_type=PROBLEM_JSON)


async def on_problem(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return respond(problem)


async def on_invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that fails validation: name the fields and the faults, but do not quote values."""
    assert isinstance(error, RequestValidationError)
    return respond(Problem(400, "request_invalid", faults_of(error.errors())))


def faults_of(errors: Sequence[Any]) -> str:
    """Return what is wrong with a request, from the errors of its validation."""
    faults = "; ".join(
        f"{field_path(fault['loc'])}: {str(fault['msg']).removeprefix('Value error, ')}" for fault in errors
    )
    return f"Invalid request: {faults[:EXPLANATION_MAX_CHARS]}."


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that the framework refuses."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = DETAILS.get(error.status_code, f"{phrase}. See /v1/openapi.json for the API.")
    code = "request_invalid" if error.status_code == HTTPStatus.BAD_REQUEST else phrase.lower().replace(" ", "_")
    problem = Problem(error.status_code, code, detail)
    problem.headers.update(error.headers or {})  # A 405 names the methods that the path allows.
    return respond(problem)


async def on_unexpected_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that failed because of a bug. The log says where; the client can retry with the same key."""
    logger.error("a request failed with an unexpected error", exc_info=error)
    return respond(
        Problem(
            500, "internal_error", "The gateway failed to handle this request. Retry with the same Idempotency-Key."
        )
    )


def field_path(location: tuple[object, ...]) -> str:
    """Return a field's path as the client knows it: `text`, not `body.text`."""
    return ".".join(str(part) for part in location if part not in ("body", "path", "query", "header")) or "body"
