"""A Restate service that is given up, that refuses, that ends: for what Restate itself counts and traces of each."""

import asyncio
import sys
from datetime import timedelta

import restate
from granian.constants import Interfaces
from granian.server.embed import Server

GIVE_UP_SOON = restate.InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=10), max_attempts=2, on_max_attempts="pause"
)

flaky = restate.Service("Flaky", invocation_retry_policy=GIVE_UP_SOON)


@flaky.handler()
async def fail(ctx: restate.Context) -> None:
    """It fails at each attempt, until Restate pauses it."""
    raise RuntimeError("it never works")


@flaky.handler()
async def refuse(ctx: restate.Context, words: str) -> None:
    """Refuses for good, repeating what it was asked."""
    raise restate.TerminalError(f"refused: {words}")


@flaky.handler()
async def end(ctx: restate.Context) -> None:
    """It ends at once."""


if __name__ == "__main__":
    server = Server(
        restate.app([flaky]), address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.ASGINL, log_enabled=False
    )
    asyncio.run(server.serve())
