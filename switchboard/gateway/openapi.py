"""The OpenAPI document: errors are problem details (RFC 9457), which FastAPI would document as plain JSON."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from switchboard.gateway.contract import ProblemDetails
from switchboard.gateway.problems import PROBLEM_JSON

FIRST_ERROR = 400

ERRORS = (400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 429, 500, 503, 504)
"""The statuses of errors that every operation may answer."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": HTTPStatus(status).phrase} for status in ERRORS
}


def document_problems(app: FastAPI) -> None:
    """Let the document say that errors have the media type of problem details."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        for path in document["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if status.isdecimal() and int(status) >= FIRST_ERROR:
                        response["content"] = {PROBLEM_JSON: next(iter(response["content"].values()))}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document
