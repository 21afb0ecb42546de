"""Retries and polling: which errors are retried, how often, and what is raised at the end."""

import asyncio
from datetime import timedelta

import pytest

from switchboard.retry import RetryPolicy, poll, retry

POLICY = RetryPolicy(pause=timedelta(milliseconds=1), attempts_max=3)


class Attempts:
    """Fails with these errors, one per attempt, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_retry_returns_the_first_success() -> None:
    attempts, failures = Attempts(OSError("1"), OSError("2")), []
    answer = await retry(
        attempts, POLICY, (OSError,), on_failure=lambda error, count: failures.append((str(error), count))
    )
    assert (answer, attempts.made, failures) == ("done", 3, [("1", 1), ("2", 2)])


async def test_retry_raises_the_last_error_after_the_last_attempt() -> None:
    attempts = Attempts(*(OSError(str(number)) for number in range(5)))
    with pytest.raises(OSError, match="2"):
        await retry(attempts, POLICY, (OSError,))
    assert attempts.made == 3


async def test_retry_does_not_pause_after_the_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(OSError, match="3"):
        await retry(Attempts(OSError("1"), OSError("2"), OSError("3")), POLICY, (OSError,))
    assert pauses == [0.001, 0.001]
    assert timedelta(seconds=sum(pauses)) == POLICY.pauses


async def test_retry_does_not_repeat_other_errors() -> None:
    attempts = Attempts(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await retry(attempts, POLICY, (OSError,))
    assert attempts.made == 1


async def test_retry_ends_when_on_failure_raises() -> None:
    attempts = Attempts(OSError("unavailable"))

    def give_up(error: Exception, failures: int) -> None:
        raise error

    with pytest.raises(OSError, match="unavailable"):
        await retry(attempts, POLICY, (OSError,), on_failure=give_up)
    assert attempts.made == 1


async def test_retry_raises_the_last_error_when_time_is_up() -> None:
    patient = RetryPolicy(pause=timedelta(seconds=60), attempts_max=3)
    with pytest.raises(OSError, match="unavailable"):
        await retry(Attempts(OSError("unavailable")), patient, (OSError,), within=timedelta(milliseconds=10))


async def test_retry_raises_timeout_when_nothing_failed_in_time() -> None:
    with pytest.raises(TimeoutError):
        await retry(asyncio.Event().wait, POLICY, (OSError,), within=timedelta(milliseconds=10))


async def test_retry_has_no_time_when_the_limit_is_zero() -> None:
    with pytest.raises(TimeoutError):
        await retry(asyncio.Event().wait, POLICY, (OSError,), within=timedelta(0))


async def test_poll_returns_whether_the_condition_held() -> None:
    answers = iter([False, False, True])

    async def holds() -> bool:
        return next(answers, False)

    assert await poll(holds, timedelta(milliseconds=1), timedelta(seconds=5))
    assert not await poll(holds, timedelta(milliseconds=1), timedelta(milliseconds=10))


async def test_poll_raises_a_timeout_of_the_condition() -> None:
    async def holds() -> bool:
        raise TimeoutError("of the condition")

    with pytest.raises(TimeoutError, match="of the condition"):
        await poll(holds, timedelta(milliseconds=1), timedelta(seconds=5))
