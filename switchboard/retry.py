"""Retries and polling for clients outside Restate. Handlers do not need them: Restate retries handlers itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

Result = TypeVar("Result")
Errors = tuple[type[Exception], ...]
OnFailure = Callable[[Exception, int], None]


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts_max` attempts, with the same pause between two of them."""

    pause: timedelta
    attempts_max: int

    @property
    def pauses(self) -> timedelta:
        """All pauses together."""
        return self.pause * self.attempts_max


def ignore_failure(error: Exception, failures: int) -> None:
    """Do nothing."""


async def retry(
    attempt: Callable[[], Awaitable[Result]],
    policy: RetryPolicy,
    retried: Errors,
    within: timedelta | None = None,
    on_failure: OnFailure = ignore_failure,
) -> Result:
    """Call `attempt` until it succeeds, raises an error that is not in `retried`, or the limits are reached.

    `within` is the time for all attempts together. `on_failure` gets each error and the number of failures so far; it
    ends the retries by raising. Raises the last error; TimeoutError when the first attempt did not end in time.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(within.total_seconds() if within else None):
            for failures in range(1, policy.attempts_max + 1):
                try:
                    return await attempt()
                except retried as error:
                    last = error
                    on_failure(error, failures)
                await asyncio.sleep(policy.pause.total_seconds())
    except TimeoutError as error:
        raise (last or error) from error
    assert last is not None, "a policy allows at least one attempt"
    raise last


async def poll(holds: Callable[[], Awaitable[bool]], interval: timedelta, within: timedelta) -> bool:
    """Check a condition until it holds, or the time is up. Return whether it held."""
    try:
        async with asyncio.timeout(within.total_seconds()) as limit:
            while not await holds():
                await asyncio.sleep(interval.total_seconds())
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True
