"""Reads Restate's tables of invocations. This costs a running turn nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import aiohttp
from pydantic import BaseModel, Field, Json, ValidationError

from switchboard.addresses import ATTEMPT_TIMEOUT, Addresses
from switchboard.session.contract import RunningCall, RunningTurn
from switchboard.session.state import Running

LOOKUP_TIMEOUT = timedelta(seconds=5)

# Both queries name invocations by their ids, so that Restate reads only these. A condition on `invoked_by_id` would
# read every invocation of the mesh.
CALLEES = "SELECT entry_lite_json FROM sys_journal WHERE id IN ({ids}) AND entry_type = 'Command: Call'"
IN_FLIGHT = """
SELECT id, target, status, created_at AS since FROM sys_invocation
WHERE id IN ({ids}) AND status <> 'completed' ORDER BY created_at
"""

CALLS_DEPTH = 2
"""The message's invocation calls the agents' turns, and these call the tools."""

# Both times come from Restate's clock, so that they can be compared.
TIMES = "SELECT id, created_at, completed_at FROM sys_invocation WHERE id IN ('{first}', '{second}')"

TIME = "SELECT id, created_at FROM sys_invocation WHERE id = '{id}'"

KEY = "SELECT idempotency_key FROM sys_invocation WHERE id = '{id}'"

NOT_THERE_YET = "Restate's tables do not have the invocation yet"
"""Just after a start of Restate, the rows of a partition can be missing without an error."""

LOOKUP_FAILURES = (aiohttp.ClientError, TimeoutError, ValidationError)


class _Callee(BaseModel):
    invocation_id: str


class _Command(BaseModel):
    callee: _Callee | None = Field(None, alias="Call")


class _Entry(BaseModel):
    command: _Command = Field(_Command(), alias="Command")


class _JournalRow(BaseModel):
    """A journal entry without its payload."""

    entry_lite_json: Json[_Entry]


class _JournalRows(BaseModel):
    rows: list[_JournalRow]


class _Call(RunningCall):
    id: str


class _Calls(BaseModel):
    rows: list[_Call]


class _Times(BaseModel):
    id: str
    created_at: datetime
    completed_at: datetime | None = None


class _TimesRows(BaseModel):
    rows: list[_Times]


class _KeyRow(BaseModel):
    idempotency_key: str | None = None


class _KeyRows(BaseModel):
    rows: list[_KeyRow]


def quoted(ids: Sequence[str]) -> str:
    """Return the ids as an SQL list. They are Restate's, which need no escaping."""
    return ", ".join(f"'{each}'" for each in ids)


class Introspection:
    """Sends SQL queries to Restate's admin API."""

    def __init__(self, admin_url: str) -> None:
        self._addresses = Addresses(admin_url)

    async def running_turn(self, running: Running) -> RunningTurn:
        """Return the calls in flight for the running message. Raises one of LOOKUP_FAILURES."""
        calls: list[_Call] = []
        callers = [running.invocation_id]
        for _ in range(CALLS_DEPTH):
            found = await self._in_flight(await self._called_by(callers))
            calls += found
            callers = [call.id for call in found]
        calls.sort(key=lambda call: call.since)
        shown = tuple(RunningCall(target=call.target, status=call.status, since=call.since) for call in calls)
        return RunningTurn(since=running.since, calls=shown)

    async def _called_by(self, callers: Sequence[str]) -> list[str]:
        """Return the ids of the invocations that these have called."""
        if not callers:
            return []
        rows = _JournalRows.model_validate_json(await self.query(CALLEES.format(ids=quoted(callers)))).rows
        commands = [row.entry_lite_json.command for row in rows]
        return [command.callee.invocation_id for command in commands if command.callee is not None]

    async def _in_flight(self, ids: Sequence[str]) -> list[_Call]:
        if not ids:
            return []
        return _Calls.model_validate_json(await self.query(IN_FLIGHT.format(ids=quoted(ids)))).rows

    async def ended_before(self, first: str, second: str) -> bool:
        """Return whether invocation `first` had ended when `second` arrived.

        Raises one of LOOKUP_FAILURES, also if one of them is unknown: a partition that changes its node has no rows.
        """
        rows = _TimesRows.model_validate_json(await self.query(TIMES.format(first=first, second=second))).rows
        times = {row.id: row for row in rows}
        if first not in times or second not in times:
            raise TimeoutError("Restate's tables do not have both invocations")
        ended = times[first].completed_at
        return ended is not None and ended <= times[second].created_at

    async def accepted_at(self, invocation_id: str) -> datetime:
        """Return when Restate accepted an invocation. Raises one of LOOKUP_FAILURES, also for an unknown id."""
        rows = _TimesRows.model_validate_json(await self.query(TIME.format(id=invocation_id))).rows
        if not rows:
            raise TimeoutError(NOT_THERE_YET)
        return rows[0].created_at

    async def idempotency_key(self, invocation_id: str) -> str | None:
        """Return the key of a request; None without one. Raises one of LOOKUP_FAILURES, also for an unknown id."""
        rows = _KeyRows.model_validate_json(await self.query(KEY.format(id=invocation_id))).rows
        if not rows:
            raise TimeoutError(NOT_THERE_YET)
        return rows[0].idempotency_key

    async def query(self, sql: str, attempt_timeout: timedelta = ATTEMPT_TIMEOUT) -> bytes:
        """Return the response's JSON. Raises one of LOOKUP_FAILURES. Queries of whole tables need a longer timeout."""
        timeout = aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds())
        async with aiohttp.ClientSession(timeout=timeout) as http:

            async def ask(url: str) -> bytes:
                headers = {"accept": "application/json"}
                async with http.post(f"{url}/query", json={"query": sql}, headers=headers) as response:
                    response.raise_for_status()
                    return await response.read()

            return await self._addresses.first_answer(ask, LOOKUP_FAILURES, attempt_timeout)
