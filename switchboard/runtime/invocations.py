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


UNREAD = "Unable to parse an input argument."
"""How the SDK's error begins if anything fails while it reads the input."""

NOT_OF_INPUT = (OSError, ImportError, MemoryError)
"""What fails for want of files or memory, such as a module or data that a validator loads when it first needs them."""


@asynccontextmanager
async def refuse_bad_input() -> AsyncIterator[None]:
    """Replace the SDK's status 500 for invalid input with a 400 that names the field.

    The SDK also ends an invocation for good if its input cannot be read for want of files or memory. Then this raises
    the cause, so that Restate tries again: a call that a customer has confirmed must not be lost for that.
    """
    try:
        yield
    except restate.TerminalError as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            raise restate.TerminalError(explain(cause), status_code=400) from error
        if isinstance(cause, NOT_OF_INPUT) and error.message.startswith(UNREAD):
            raise cause from None
        raise
