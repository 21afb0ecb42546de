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
    """At most `attempts_max` attempts, with the same pause before each retry."""

    pause: timedelta
    attempts_max: int

    @property
    def pauses(self) -> timedelta:
        """Total time of all pauses."""
        return self.pause * (self.attempts_max - 1)


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

    `within` limits the time of all attempts together. `on_failure` receives each error and the number of failures so
    far; it can raise to stop retrying. Raises the last error, or TimeoutError if the first attempt did not end in time.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(None if within is None else within.total_seconds()):
            for failures in range(1, policy.attempts_max + 1):
                try:
                    return await attempt()
                except retried as error:
                    last = error
                    on_failure(error, failures)
                if failures < policy.attempts_max:
                    await asyncio.sleep(policy.pause.total_seconds())
    except TimeoutError as error:
        raise (last or error) from error
    assert last is not None, "attempts_max must be at least 1"
    raise last


async def poll(holds: Callable[[], Awaitable[bool]], interval: timedelta, within: timedelta) -> bool:
    """Check a condition until it holds or the time is up. Return whether it held."""
    try:
        async with asyncio.timeout(within.total_seconds()) as limit:
            while not await holds():
                await asyncio.sleep(interval.total_seconds())
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True
