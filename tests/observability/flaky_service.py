"""A Restate service whose handlers fail, refuse or succeed, to test the metrics and traces of Restate itself."""

import asyncio
import sys
from datetime import timedelta

import restate
from granian.constants import Interfaces
from granian.server.embed import Server

PAUSE_SOON = restate.InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=10), max_attempts=2, on_max_attempts="pause"
)

flaky = restate.Service("Flaky", invocation_retry_policy=PAUSE_SOON)


@flaky.handler()
async def fail(ctx: restate.Context) -> None:
    """Fail in every attempt, until Restate pauses the invocation."""
    raise RuntimeError("always fails")


@flaky.handler()
async def refuse(ctx: restate.Context, words: str) -> None:
    """Fail with a terminal error that quotes the input."""
    raise restate.TerminalError(f"refused: {words}")


@flaky.handler()
async def end(ctx: restate.Context) -> None:
    """Return at once."""


if __name__ == "__main__":
    server = Server(
        restate.app([flaky]), address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.ASGINL, log_enabled=False
    )
    asyncio.run(server.serve())
