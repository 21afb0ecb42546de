"""For tests whose result a midnight would change: they keep the dates of their start, or run within one day."""

import asyncio
import os
from datetime import UTC, date, datetime, time, timedelta

from services.tools.airline.data.schedule import AIRLINE_ZONE

TODAY = date.fromisoformat(os.environ.setdefault("TESTS_TODAY", datetime.now(AIRLINE_ZONE).date().isoformat()))
"""The day on which the tests started, in the airline's time zone. Their services inherit it, and may start later."""

LONGEST_TEST = timedelta(minutes=2)


async def within_one_day() -> None:
    """Wait for the next day, in UTC, if it begins before such a test would end."""
    now = datetime.now(UTC)
    left = datetime.combine(now.date() + timedelta(days=1), time(), UTC) - now
    if left < LONGEST_TEST:
        await asyncio.sleep(left.total_seconds())
