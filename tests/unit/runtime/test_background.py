"""Background tasks of a service process."""

import asyncio
import logging

import pytest

from switchboard.runtime.serve import start_background


async def test_failed_background_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def report() -> None:
        raise RuntimeError("no database")

    task = start_background(report)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([task])
        await asyncio.sleep(0)  # Callbacks of a task run in the next iteration of the event loop.
    (record,) = caplog.records
    assert "background task" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


async def test_cancelled_background_task_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run_forever() -> None:
        await asyncio.Event().wait()

    task = start_background(run_forever)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert caplog.records == []
