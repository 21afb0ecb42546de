"""Restate's retry policy for this mesh, and the rejection of invalid input."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypedDict

import restate
from pydantic import ValidationError

from switchboard.loop.decide import explain

# Recovery after a crash takes at most the longest backoff, so that is short. An invocation that still fails after
# minutes has a bug that retries cannot fix. Restate then pauses it but never kills it, because a killed saga would not
# compensate its steps. The session stops waiting (see TURN_DEADLINE), and an operator resumes the invocation.
RETRIES = restate.InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(seconds=1),
    max_attempts=600,
    on_max_attempts="pause",
)


class Retention(TypedDict):
    """How long Restate keeps an invocation that has ended: its journal, and its answer."""

    journal_retention: timedelta
    idempotency_retention: timedelta


NOTHING_RETAINED = Retention(journal_retention=timedelta(0), idempotency_retention=timedelta(0))
"""For short handlers whose journals say nothing that the state does not, such as reads that clients poll. By default
Restate keeps each invocation for a day. It keeps the answer of a request from outside even without an idempotency
key."""


@asynccontextmanager
async def refuse_bad_input() -> AsyncIterator[None]:
    """Replace the SDK's status 500 for invalid input with a 400 that names the field."""
    try:
        yield
    except restate.TerminalError as error:
        if isinstance(error.__cause__, ValidationError):
            raise restate.TerminalError(explain(error.__cause__), status_code=400) from error
        raise
