"""Reads Restate's tables of invocations. This costs a running turn nothing."""

from datetime import datetime, timedelta

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.session.contract import RunningCall, RunningTurn
from switchboard.session.state import Running

LOOKUP_TIMEOUT = timedelta(seconds=5)

# The message's invocation calls the agent's turn, and the turn calls the tools.
CALLS_IN_FLIGHT = """
SELECT target, status, created_at AS since FROM sys_invocation
WHERE status <> 'completed' AND (invoked_by_id = '{id}'
  OR invoked_by_id IN (SELECT id FROM sys_invocation WHERE invoked_by_id = '{id}'))
ORDER BY created_at
"""

# Both times come from Restate's clock, so that they can be compared.
TIMES = "SELECT id, created_at, completed_at FROM sys_invocation WHERE id IN ('{first}', '{second}')"

TIME = "SELECT id, created_at FROM sys_invocation WHERE id = '{id}'"

LOOKUP_FAILURES = (aiohttp.ClientError, TimeoutError, ValidationError)


class _Calls(BaseModel):
    rows: list[RunningCall]


class _Times(BaseModel):
    id: str
    created_at: datetime
    completed_at: datetime | None = None


class _TimesRows(BaseModel):
    rows: list[_Times]


class Introspection:
    """Sends SQL queries to Restate's admin API."""

    def __init__(self, admin_url: str) -> None:
        self._url = f"{admin_url.rstrip('/')}/query"

    async def running_turn(self, running: Running) -> RunningTurn:
        """Return the calls in flight for the running message. Raises one of LOOKUP_FAILURES."""
        answer = await self.query(CALLS_IN_FLIGHT.format(id=running.invocation_id))
        return RunningTurn(since=running.since, calls=tuple(_Calls.model_validate_json(answer).rows))

    async def ended_before(self, first: str, second: str) -> bool:
        """Return whether invocation `first` had ended when `second` arrived. Raises one of LOOKUP_FAILURES."""
        rows = _TimesRows.model_validate_json(await self.query(TIMES.format(first=first, second=second))).rows
        times = {row.id: row for row in rows}
        if first not in times or second not in times:
            return False
        ended = times[first].completed_at
        return ended is not None and ended <= times[second].created_at

    async def accepted_at(self, invocation_id: str) -> datetime | None:
        """Return when Restate accepted an invocation. Raises one of LOOKUP_FAILURES."""
        rows = _TimesRows.model_validate_json(await self.query(TIME.format(id=invocation_id))).rows
        return rows[0].created_at if rows else None

    async def query(self, sql: str) -> bytes:
        """Return the response's JSON. Raises one of LOOKUP_FAILURES."""
        timeout = aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds())
        headers = {"accept": "application/json"}
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(self._url, json={"query": sql}, headers=headers) as response,
        ):
            response.raise_for_status()
            return await response.read()
