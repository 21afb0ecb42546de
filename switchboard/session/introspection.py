"""Asks Restate's own tables what a running turn is doing: at no cost to the turn."""

from datetime import datetime, timedelta

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.session.contract import RunningCall, RunningTurn
from switchboard.session.state import Running

LOOKUP_TIMEOUT = timedelta(seconds=5)

# The turn of an agent is a child of the message's invocation, and its tools are children of the turn.
CALLS_UNDER_WAY = """
SELECT target, status, created_at AS since FROM sys_invocation
WHERE status <> 'completed' AND (invoked_by_id = '{id}'
  OR invoked_by_id IN (SELECT id FROM sys_invocation WHERE invoked_by_id = '{id}'))
ORDER BY created_at
"""


# Both times are Restate's own, so that no two clocks are compared.
TIMES = "SELECT id, created_at, completed_at FROM sys_invocation WHERE id IN ('{first}', '{second}')"

LOOKUP_FAILURES = (aiohttp.ClientError, TimeoutError, ValidationError)


class _Calls(BaseModel):
    rows: list[RunningCall]


class _Times(BaseModel):
    id: str
    created_at: datetime
    completed_at: datetime | None = None


class _TimesOf(BaseModel):
    rows: list[_Times]


class Introspection:
    """Restate's SQL, through the admin API."""

    def __init__(self, admin_url: str) -> None:
        self._url = f"{admin_url.rstrip('/')}/query"

    async def running_turn(self, running: Running) -> RunningTurn:
        """What is called just now for the message that is being answered. Raises one of LOOKUP_FAILURES."""
        answer = await self.query(CALLS_UNDER_WAY.format(id=running.invocation_id))
        return RunningTurn(since=running.since, calls=tuple(_Calls.model_validate_json(answer).rows))

    async def ended_before(self, first: str, second: str) -> bool:
        """Whether one invocation had ended when the other one arrived. Raises one of LOOKUP_FAILURES."""
        rows = _TimesOf.model_validate_json(await self.query(TIMES.format(first=first, second=second))).rows
        times = {row.id: row for row in rows}
        if first not in times or second not in times:
            return False
        ended = times[first].completed_at
        return ended is not None and ended <= times[second].created_at

    async def query(self, sql: str) -> bytes:
        """The answer as it comes. Raises one of LOOKUP_FAILURES."""
        timeout = aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds())
        headers = {"accept": "application/json"}
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(self._url, json={"query": sql}, headers=headers) as response,
        ):
            response.raise_for_status()
            return await response.read()
