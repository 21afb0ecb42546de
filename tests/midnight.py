"""Tests of what is counted by the day run within one day."""

import asyncio
from datetime import UTC, datetime, time, timedelta

LONGEST_TEST = timedelta(minutes=2)


async def within_one_day() -> None:
    """Wait for the next day, in UTC, if it begins before such a test would end."""
    now = datetime.now(UTC)
    left = datetime.combine(now.date() + timedelta(days=1), time(), UTC) - now
    if left < LONGEST_TEST:
        await asyncio.sleep(left.total_seconds())
