"""Tells Prometheus what only Restate's tables know: what is paused or failing, and what keeps old versions alive."""

import asyncio
import logging
from datetime import timedelta

import aiohttp
from prometheus_client import Gauge
from pydantic import BaseModel, ValidationError

from switchboard.session.introspection import Introspection

logger = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=15)
"""Between two looks: what is watched lasts for minutes."""

ATTEMPTS_MIN = 3
"""Whose attempts take long to fail is hardly ever seen between two of them: with this many it fails again and again."""

# Restate counts the attempts since the last that came further.
INVOCATIONS = f"""
SELECT service, status, count(*) AS total FROM (
  SELECT target_service_name AS service, CASE status WHEN 'paused' THEN 'paused' ELSE 'backing-off' END AS status
  FROM sys_invocation
  WHERE status IN ('paused', 'backing-off') OR (status = 'running' AND retry_count >= {ATTEMPTS_MIN})
) GROUP BY service, status
"""

# Of a service there may be several deployments; new invocations go to the one that the service names.
OLD = """
SELECT i.target_service_name AS service, count(*) AS total FROM sys_invocation i
JOIN sys_service s ON s.name = i.target_service_name
WHERE i.status <> 'completed' AND i.pinned_deployment_id IS NOT NULL AND i.pinned_deployment_id <> s.deployment_id
GROUP BY i.target_service_name
"""

UNHEALTHY_INVOCATIONS = Gauge(
    "switchboard_invocations", "Invocations that are paused or fail again and again, by service.", ["service", "status"]
)
OLD_INVOCATIONS = Gauge(
    "switchboard_old_deployment_invocations", "Invocations that keep an old deployment of a service alive.", ["service"]
)
WATCHED = Gauge("switchboard_restate_tables_readable", "1 while the tables could be read at the last look, else 0.")


class _Row(BaseModel):
    service: str
    status: str = ""
    total: int


class _Rows(BaseModel):
    rows: list[_Row]


async def watch(introspection: Introspection, interval: timedelta = INTERVAL) -> None:
    """Look now and then, until it is cancelled. Every replica says the same: read the maximum."""
    known = True
    while not asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
        readable = await look(introspection)
        if known and not readable:
            logger.warning("cannot read Restate's tables; what is paused or old is not known until they can be read")
        known = readable
        await asyncio.sleep(interval.total_seconds())


async def look(introspection: Introspection) -> bool:
    """Set the gauges; False when the tables cannot be read: then this process knows of nothing."""
    readable = True
    rows: tuple[list[_Row], list[_Row]] = ([], [])
    try:
        rows = (await rows_of(introspection, INVOCATIONS), await rows_of(introspection, OLD))
    except (aiohttp.ClientError, TimeoutError, ValidationError):
        readable = False
    # Also when nothing could be read: other replicas may, and what this one saw last must not outlive what they see.
    UNHEALTHY_INVOCATIONS.clear()
    OLD_INVOCATIONS.clear()
    unhealthy, old = rows
    for row in unhealthy:
        UNHEALTHY_INVOCATIONS.labels(row.service, row.status).set(row.total)
    for row in old:
        OLD_INVOCATIONS.labels(row.service).set(row.total)
    WATCHED.set(readable)
    return readable


async def rows_of(introspection: Introspection, sql: str) -> list[_Row]:
    return _Rows.model_validate_json(await introspection.query(sql)).rows
