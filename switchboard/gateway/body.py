"""The body of a request, whole and within bounds, before anything is done with it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from switchboard.gateway.problems import Problem

BODY_MAX_BYTES = 64 * 1024
"""A message of 8 KiB in JSON, each of its characters escaped, and room for the rest."""

DISCARDED_MAX_BYTES = 1024 * 1024
"""So much of what is too large is read all the same: most clients listen for an answer only once all is sent."""

SENT_WITHIN = timedelta(seconds=10)

TOO_LARGE = (
    f"The body of the request is too large, at most {BODY_MAX_BYTES} bytes are taken. Send the message in parts."
)
TOO_SLOW = f"The body of the request did not come within {SENT_WITHIN.total_seconds():.0f} s. Send it again."

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]


async def buffer_body(receive: Receive) -> Receive:
    """What hands over the body as one event, and then whatever comes after it. Raises Problem 413 or 408."""
    try:
        async with asyncio.timeout(SENT_WITHIN.total_seconds()):
            body = await read(receive)
    except TimeoutError as error:
        raise Problem(408, "request_timeout", TOO_SLOW) from error
    waiting = [body]

    async def hand_over() -> Event:
        return waiting.pop() if waiting else await receive()

    return hand_over


async def read(receive: Receive) -> Event:
    """The whole body as one event, or the event that the client has left. Raises Problem 413."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= DISCARDED_MAX_BYTES:
        event = await receive()
        if event["type"] != "http.request":
            return event
        chunk, more = event.get("body", b""), event.get("more_body", False)
        size += len(chunk)
        if size <= BODY_MAX_BYTES:
            chunks.append(chunk)
    if size > BODY_MAX_BYTES:
        raise Problem(413, "content_too_large", TOO_LARGE)
    return {"type": "http.request", "body": b"".join(chunks), "more_body": False}
