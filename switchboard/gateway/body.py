"""Buffering of request bodies, with limits on size and time."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from switchboard.gateway.problems import Problem

BODY_MAX_BYTES = 64 * 1024
"""Fits a message of 8 KiB in JSON with every character escaped, plus the other fields."""

DISCARDED_MAX_BYTES = 1024 * 1024
"""How much of a body that is too large is still read: most clients read the response only after sending everything."""

BODY_TIMEOUT = timedelta(seconds=10)

TOO_LARGE = "The request body is too large. The limit is {max} bytes. Send the message in parts."
TOO_SLOW = f"The request body did not arrive within {BODY_TIMEOUT.total_seconds():.0f} s. Send it again."

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]


async def buffer_body(receive: Receive, max_bytes: int = BODY_MAX_BYTES) -> Receive:
    """Read the whole body and return a `receive` that replays it as one event. Raises Problem 413 or 408."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT.total_seconds()):
            body = await read(receive, max_bytes)
    except TimeoutError as error:
        raise Problem(408, "request_timeout", TOO_SLOW) from error
    buffered = [body]

    async def replay() -> Event:
        return buffered.pop() if buffered else await receive()

    return replay


async def read(receive: Receive, max_bytes: int) -> Event:
    """Return the whole body as one event, or the disconnect event. Raises Problem 413."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= max(DISCARDED_MAX_BYTES, max_bytes):
        event = await receive()
        if event["type"] != "http.request":
            return event
        chunk, more = event.get("body", b""), event.get("more_body", False)
        size += len(chunk)
        if size <= max_bytes:
            chunks.append(chunk)
    if size > max_bytes:
        raise Problem(413, "content_too_large", TOO_LARGE.format(max=max_bytes))
    return {"type": "http.request", "body": b"".join(chunks), "more_body": False}
