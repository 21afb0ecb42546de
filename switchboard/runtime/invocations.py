"""How Restate retries this mesh's invocations, and how a handler refuses input that does not fit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import restate
from pydantic import ValidationError

from switchboard.loop.decide import explain

# Recovery after a crash is as fast as the longest pause between two attempts, so that is short. An invocation that
# still fails after minutes is a defect that waiting does not mend: it is paused, never killed, for a killed saga would
# leave its steps uncompensated. The session stops waiting for it (see TURN_DEADLINE) and an operator resumes it.
RETRIES = restate.InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(seconds=1),
    max_attempts=600,
    on_max_attempts="pause",
)


@asynccontextmanager
async def refuse_bad_input() -> AsyncIterator[None]:
    """Turn the SDK's 500 for an input that does not fit into a 400 that names the field."""
    try:
        yield
    except restate.TerminalError as error:
        if isinstance(error.__cause__, ValidationError):
            raise restate.TerminalError(explain(error.__cause__), status_code=400) from error
        raise
