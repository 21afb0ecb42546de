"""Problems of the gateway as errors of the A2A protocol."""

from collections.abc import Iterator
from contextlib import contextmanager

from a2a.utils.errors import A2AError, InternalError, InvalidParamsError, TaskNotFoundError, UnsupportedOperationError

from switchboard.gateway.problems import Problem

ERRORS: dict[int, type[A2AError]] = {
    400: InvalidParamsError,
    403: InvalidParamsError,
    404: TaskNotFoundError,
    409: UnsupportedOperationError,
    410: UnsupportedOperationError,
    413: InvalidParamsError,
    422: InvalidParamsError,
}
"""By the status of the Problem. All others are failures that pass, and the same message may be sent again."""


def error_of(problem: Problem) -> A2AError:
    """Return the error, with the Problem's code and the seconds after which to retry in its data."""
    data = {"code": problem.code}
    if retry_after := problem.headers.get("retry-after"):
        data["retryAfterSeconds"] = retry_after
    detail = problem.detail.replace("Idempotency-Key", "messageId")
    return ERRORS.get(problem.status, InternalError)(detail, data)


@contextmanager
def a2a_errors() -> Iterator[None]:
    """Turn Problems into A2AErrors."""
    try:
        yield
    except Problem as problem:
        raise error_of(problem) from problem
