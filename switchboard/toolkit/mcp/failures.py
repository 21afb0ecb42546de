"""What went wrong with a server, in words of our own: the messages of errors have other people's words."""

from datetime import timedelta

import httpx2
from mcp import MCPError
from mcp.client.auth import OAuthFlowError
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, PARSE_ERROR, REQUEST_TIMEOUT

ANSWER_MAX_BYTES = 2 * 1024 * 1024
"""Of one answer of a server, before it is read. A longer one is not read."""

UNREADABLE_CODES = frozenset({PARSE_ERROR, INVALID_REQUEST})


class TooLong(httpx2.TransportError):
    """An answer is longer than ANSWER_MAX_BYTES."""


class Refused(httpx2.TransportError):
    """The server refuses the credentials."""


class Redirected(httpx2.TransportError):
    """The server sends the request to another address, which is not followed."""


def singles(error: BaseException) -> list[BaseException]:
    """Return the errors in a group of errors, at any depth."""
    if isinstance(error, BaseExceptionGroup):
        return [single for each in error.exceptions for single in singles(each)]
    return [error]


def is_timeout(error: BaseException) -> bool:
    timed_out = isinstance(error, TimeoutError | httpx2.TimeoutException)
    return timed_out or (isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT)


def reason(error: BaseException, limit: timedelta) -> str:
    """Return in words of our own what a server did wrong."""
    found = singles(error)
    if any(is_timeout(each) for each in found):
        return f"did not answer within {limit.total_seconds():g} s"
    for kind, words in (
        (TooLong, f"sent an answer of more than {ANSWER_MAX_BYTES} bytes, which was not read"),
        (Refused, "refused the credentials"),
        (Redirected, "sent the request to another address, which was not followed"),
        (OAuthFlowError, "gave no access token"),
        (httpx2.ConnectError, "cannot be reached"),
        (FileNotFoundError, "cannot be reached"),
        (PermissionError, "cannot be reached"),
    ):
        if any(isinstance(each, kind) for each in found):
            return words
    codes = {each.code for each in found if isinstance(each, MCPError)}
    if CONNECTION_CLOSED in codes or any(isinstance(each, httpx2.TransportError | OSError) for each in found):
        return "ended the connection without an answer"
    # The SDK reports an answer that it cannot read as one of these errors.
    return "reported an error of its own" if codes - UNREADABLE_CODES else "sent an answer that cannot be read"


def kinds_of(error: BaseException) -> str:
    """Return the types of errors, for logs. Their messages may have other people's words."""
    return ", ".join(sorted({type(single).__name__ for single in singles(error)}))
