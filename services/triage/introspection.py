"""Asks Restate's own tables what a running turn is doing: at no cost to the turn."""

from datetime import timedelta

import aiohttp
from pydantic import BaseModel

from services.triage.contract import RunningCall, RunningTurn
from services.triage.state import Running

LOOKUP_TIMEOUT = timedelta(seconds=5)

# The turn of an agent is a child of the message's invocation, and its tools are children of the turn.
CALLS_UNDER_WAY = """
SELECT target, status, created_at AS since FROM sys_invocation
WHERE status <> 'completed' AND (invoked_by_id = '{id}'
  OR invoked_by_id IN (SELECT id FROM sys_invocation WHERE invoked_by_id = '{id}'))
ORDER BY created_at
"""


class _Rows(BaseModel):
    rows: list[RunningCall]


class Introspection:
    """Restate's SQL, through the admin API."""

    def __init__(self, admin_url: str) -> None:
        self._url = f"{admin_url.rstrip('/')}/query"

    async def running_turn(self, running: Running) -> RunningTurn:
        """What is called just now for the message that is being answered."""
        query = {"query": CALLS_UNDER_WAY.format(id=running.invocation_id)}
        timeout = aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds())
        headers = {"accept": "application/json"}
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(self._url, json=query, headers=headers) as response,
        ):
            response.raise_for_status()
            rows = _Rows.model_validate_json(await response.read()).rows
        return RunningTurn(since=running.since, calls=tuple(rows))
