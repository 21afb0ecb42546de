"""Lists the mesh's sessions from their state, which Restate's SQL reads without calling a session.

A query goes through the state of all sessions, so a process makes one list at a time, and its time is limited.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import restate
from pydantic import BaseModel, Json

from switchboard.session.contract import SESSION, AgentSpending
from switchboard.session.hops import RUNNING
from switchboard.session.introspection import LOOKUP_FAILURES, LOOKUP_TIMEOUT, Introspection
from switchboard.session.staff_contract import (
    SESSIONS_UNREADABLE,
    SEVERAL_SESSIONS,
    SessionPage,
    SessionQuery,
    SessionSummary,
)
from switchboard.session.storage import HEAD
from switchboard.session_ids import MADE_ID, public_part
from switchboard.telemetry.logs import private

logger = logging.getLogger(__name__)

LIST_TIMEOUT = timedelta(seconds=10)
"""Timeout of a list with its two queries, and with the lists before it. Shorter than the gateway waits for it."""

SESSIONS = f"FROM state WHERE service_name = '{SESSION}' AND key IN ('{HEAD}', '{RUNNING}')"

SHOWN_ID = rf"regexp_replace(service_key, '^{MADE_ID.pattern}$', '\1')"
"""The public part of an id, as `public_part` returns it."""

ACTIVE_AT = (
    f"CASE key WHEN '{HEAD}' THEN json_get_str(value_utf8, 'last_at') ELSE json_get_str(value_utf8, 'since') END"
)

# Times are compared as text. Those of one second may be in the wrong order, but always in the same one.
KEYS = f"""
SELECT service_key, max({ACTIVE_AT}) AS active_at {SESSIONS} {{conditions}}
GROUP BY service_key ORDER BY active_at DESC NULLS LAST, service_key LIMIT {{limit}} OFFSET {{offset}}
"""

# A head may have 100 KiB, most of it the conversation.
PARTS = f"""
SELECT service_key, key,
  json_get_str(value_utf8, 'customer_id') AS customer_id, json_get_bool(value_utf8, 'signed_in') AS signed_in,
  json_get_str(value_utf8, 'active') AS active, json_get_int(value_utf8, 'turns_total') AS turns_total,
  json_get_str(value_utf8, 'last_at') AS last_at, json_get_str(value_utf8, 'expired_at') AS expired_at,
  json_get_str(value_utf8, 'since') AS since,
  json_get_json(value_utf8, 'held') AS held, json_get_json(value_utf8, 'spending') AS spending,
  json_get_json(value_utf8, 'staff') AS staff
{SESSIONS} AND service_key IN ({{keys}})
"""


class _KeyRow(BaseModel):
    service_key: str


class _KeyRows(BaseModel):
    rows: list[_KeyRow]


class _HeldCall(BaseModel):
    question: str


class _Held(BaseModel):
    calls: tuple[_HeldCall, ...]
    expires_at: datetime


class _Staff(BaseModel):
    by: str


class _Parts(BaseModel):
    """The parts of a session's head, or of its running message, that a list shows."""

    service_key: str
    key: str
    customer_id: str
    signed_in: bool | None = None
    active: str | None = None
    turns_total: int | None = None
    last_at: datetime | None = None
    expired_at: datetime | None = None
    since: datetime | None = None
    held: Json[_Held | None] | None = None
    spending: Json[tuple[AgentSpending, ...]] | None = None
    staff: Json[_Staff | None] | None = None


class _PartsRows(BaseModel):
    rows: list[_Parts]


class SessionList:
    """Reads pages of the list. `currency` is that of the costs."""

    def __init__(self, introspection: Introspection, currency: str) -> None:
        self._introspection = introspection
        self._currency = currency
        self._one_at_a_time = asyncio.Lock()

    async def page(self, query: SessionQuery) -> SessionPage:
        """Return a page of the sessions, newest activity first. Raises one of LOOKUP_FAILURES."""
        async with asyncio.timeout(LIST_TIMEOUT.total_seconds()), self._one_at_a_time:
            found = await self._keys(query)
            keys = found[: query.limit]
            rows = await self._parts(keys) if keys else []
        now = datetime.now(UTC)
        return SessionPage(
            sessions=tuple(summary for key in keys if (summary := summarize(key, rows, now)) is not None),
            more=len(found) > query.limit,
            currency=self._currency,
        )

    async def page_or_refusal(self, query: SessionQuery) -> SessionPage:
        """Return a page of the sessions. Raises TerminalError 503 if Restate's tables cannot be read in time."""
        try:
            return await self.page(query)
        except LOOKUP_FAILURES as error:
            logger.warning("cannot list the sessions: %s", private(error))
            raise restate.TerminalError(SESSIONS_UNREADABLE, status_code=503) from error

    async def key_of(self, shown: str) -> str:
        """Return the id of the session that the list shows under this id. Unknown ids are returned as they are.

        Raises TerminalError 400 if the list shows two sessions under it, and 503 if Restate's tables cannot be read.
        """
        try:
            async with asyncio.timeout(LIST_TIMEOUT.total_seconds()), self._one_at_a_time:
                content = await self._query(keys_shown_as(shown))
            keys = [row.service_key for row in _KeyRows.model_validate_json(content).rows]
        except LOOKUP_FAILURES as error:
            logger.warning("cannot look up a session: %s", private(error))
            raise restate.TerminalError(SESSIONS_UNREADABLE, status_code=503) from error
        if len(keys) > 1:
            raise restate.TerminalError(SEVERAL_SESSIONS, status_code=400)
        return keys[0] if keys else shown

    async def _keys(self, query: SessionQuery) -> list[str]:
        """Return the keys of a page, and one more if there is another page."""
        sql = KEYS.format(conditions=conditions(query), limit=query.limit + 1, offset=query.offset)
        return [row.service_key for row in _KeyRows.model_validate_json(await self._query(sql)).rows]

    async def _parts(self, keys: list[str]) -> list[_Parts]:
        listed = ", ".join(f"'{escaped(key)}'" for key in keys)
        return _PartsRows.model_validate_json(await self._query(PARTS.format(keys=listed))).rows

    async def _query(self, sql: str) -> bytes:
        return await self._introspection.query(sql, LOOKUP_TIMEOUT)


def keys_shown_as(shown: str) -> str:
    """Return the query for the sessions that the list shows under this id, two at most."""
    return f"SELECT DISTINCT service_key {SESSIONS} AND {SHOWN_ID} = '{escaped(shown)}' LIMIT 2"


def conditions(query: SessionQuery) -> str:
    """Return the query's filters in SQL."""
    of_customer = f"AND json_get_str(value_utf8, 'customer_id') = '{escaped(query.customer_id or '')}'"
    with_text = f"AND strpos({SHOWN_ID}, '{escaped(query.text or '')}') > 0"
    return " ".join((of_customer if query.customer_id else "", with_text if query.text else ""))


def escaped(text: str) -> str:
    """Return a text as it stands in quotes in SQL. The types of ids and filters admit no quote."""
    return text.replace("'", "''")


def summarize(key: str, rows: list[_Parts], now: datetime) -> SessionSummary | None:
    """Return the summary of a session; None if it was deleted meanwhile. Before its first reply it has no head."""
    head = next((row for row in rows if row.service_key == key and row.key == HEAD), None)
    running = next((row for row in rows if row.service_key == key and row.key == RUNNING), None)
    known = head or running
    if known is None:
        return None
    held = head.held if head and head.held and head.held.expires_at > now else None
    spending = (head.spending if head else None) or ()
    return SessionSummary(
        session_id=public_part(key),
        customer_id=known.customer_id,
        signed_in=known.signed_in is not False,
        active_agent=(head.active if head else None) or "",
        turns_total=(head.turns_total if head else None) or 0,
        last_at=head.last_at if head else None,
        running_since=running.since if running else None,
        questions=tuple(call.question for call in held.calls) if held else (),
        cost=sum((agent.cost for agent in spending), Decimal(0)),
        expired_at=head.expired_at if head else None,
        staff=head.staff.by if head and head.staff else "",
    )
