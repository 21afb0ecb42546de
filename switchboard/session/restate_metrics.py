"""Metrics from Restate's tables: paused and failing invocations, and invocations that keep old deployments alive."""

import asyncio
import logging
from datetime import timedelta

import aiohttp
from prometheus_client import Gauge
from pydantic import BaseModel, ValidationError

from switchboard.session.introspection import LOOKUP_TIMEOUT, Introspection

logger = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=15)
"""Between two reads. The states that are reported last for minutes."""

ATTEMPTS_MIN = 3
"""A running invocation with this many attempts counts as failing.

If its attempts are long, it is almost always running and hardly ever seen backing off.
"""

# Restate counts the attempts since the last one that made progress.
UNHEALTHY_SQL = f"""
SELECT service, status, count(*) AS total FROM (
  SELECT target_service_name AS service, CASE status WHEN 'paused' THEN 'paused' ELSE 'backing-off' END AS status
  FROM sys_invocation
  WHERE status IN ('paused', 'backing-off') OR (status = 'running' AND retry_count >= {ATTEMPTS_MIN})
) GROUP BY service, status
"""

# A service may have several deployments. New invocations go to the one in sys_service.
OLD_DEPLOYMENT_SQL = """
SELECT i.target_service_name AS service, count(*) AS total FROM sys_invocation i
JOIN sys_service s ON s.name = i.target_service_name
WHERE i.status <> 'completed' AND i.pinned_deployment_id IS NOT NULL AND i.pinned_deployment_id <> s.deployment_id
GROUP BY i.target_service_name
"""

UNHEALTHY_INVOCATIONS = Gauge(
    "switchboard_invocations", "Invocations that are paused or keep failing, by service.", ["service", "status"]
)
OLD_INVOCATIONS = Gauge(
    "switchboard_old_deployment_invocations", "Invocations that keep an old deployment of a service alive.", ["service"]
)
TABLES_READABLE = Gauge("switchboard_restate_tables_readable", "1 if the tables could be read last time, else 0.")


class _Row(BaseModel):
    service: str
    status: str = ""
    total: int


class _Rows(BaseModel):
    rows: list[_Row]


async def report_metrics(introspection: Introspection, interval: timedelta = INTERVAL) -> None:
    """Update the gauges periodically until cancelled. Every replica reports the same values, so use their maximum."""
    was_readable = True
    while not asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
        readable = await update_gauges(introspection)
        if was_readable and not readable:
            logger.warning(
                "cannot read Restate's tables; metrics of paused and old invocations are missing until they can be read"
            )
        was_readable = readable
        await asyncio.sleep(interval.total_seconds())


async def update_gauges(introspection: Introspection) -> bool:
    """Set the gauges. Returns False, and clears them, if the tables cannot be read."""
    readable = True
    rows: tuple[list[_Row], list[_Row]] = ([], [])
    try:
        rows = (await rows_of(introspection, UNHEALTHY_SQL), await rows_of(introspection, OLD_DEPLOYMENT_SQL))
    except (aiohttp.ClientError, TimeoutError, ValidationError):
        readable = False
    # Clear them also after a failed read: the maximum over the replicas must not include old values from this one.
    UNHEALTHY_INVOCATIONS.clear()
    OLD_INVOCATIONS.clear()
    unhealthy, old = rows
    for row in unhealthy:
        UNHEALTHY_INVOCATIONS.labels(row.service, row.status).set(row.total)
    for row in old:
        OLD_INVOCATIONS.labels(row.service).set(row.total)
    TABLES_READABLE.set(readable)
    return readable


async def rows_of(introspection: Introspection, sql: str) -> list[_Row]:
    return _Rows.model_validate_json(await introspection.query(sql, LOOKUP_TIMEOUT)).rows
