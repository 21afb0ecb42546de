"""The calls of a running turn: by ids, in bounded time, and shared by polls that come at once."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.session.introspection import Introspection
from switchboard.session.queries import LOOK_TIMEOUT, SessionQueries
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Running

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNNING = Running(customer_id="alice", invocation_id="inv_message", stop_id="sign_1", since=SINCE)
SLOW_S = 60
POLLS = 20

CALLEES = {"inv_message": "inv_turn", "inv_turn": "inv_tool"}


class Tables:
    """A server that answers the queries as Restate does: each invocation has called another one."""

    def __init__(self, slow: bool = False) -> None:
        self.queries: list[str] = []
        self.slow = slow

    async def answer(self, request: web.Request) -> web.Response:
        sql = (await request.json())["query"]
        self.queries.append(sql)
        if self.slow:
            await asyncio.sleep(SLOW_S)
        ids = sql.partition("id IN (")[2].partition(")")[0].replace("'", "").split(", ")
        return web.json_response({"rows": [self.row(sql, each) for each in ids if each in (*CALLEES, "inv_tool")]})

    def row(self, sql: str, invocation: str) -> dict[str, Any]:
        if "sys_journal" in sql:
            callee = CALLEES.get(invocation)
            command = {"Call": {"invocation_id": callee}} if callee else {}
            return {"entry_lite_json": json.dumps({"Command": command})}
        return {"id": invocation, "target": invocation, "status": "running", "created_at": "", "since": str(SINCE)}


async def polls(tables: Tables, number: int) -> tuple[list[list[str]], float]:
    """Return the calls that polls at once see, and how long they took in seconds."""
    app = web.Application()
    app.router.add_post("/query", tables.answer)
    async with TestServer(app) as server:
        queries = SessionQueries(Introspection(str(server.make_url(""))), SessionSettings(), "Triage")
        began = time.monotonic()
        turns = await asyncio.gather(*(queries.running_turn(RUNNING) for _ in range(number)))
        took = time.monotonic() - began
    assert {turn.since for turn in turns} == {SINCE}
    return [[call.target for call in turn.calls] for turn in turns], took


async def test_status_reads_invocations_by_id_only() -> None:
    """A condition on another column would make Restate read the invocations of the whole mesh."""
    tables = Tables()
    assert (await polls(tables, 1))[0] == [["inv_turn", "inv_tool"]]
    assert len(tables.queries) == 4
    assert all("WHERE id IN ('inv_" in " ".join(sql.split()) for sql in tables.queries)


async def test_polls_at_once_share_a_look() -> None:
    tables = Tables()
    assert (await polls(tables, POLLS))[0] == [["inv_turn", "inv_tool"]] * POLLS
    assert len(tables.queries) == 4


async def test_status_is_answered_without_calls_when_restates_tables_are_slow() -> None:
    assert timedelta(0) < LOOK_TIMEOUT <= timedelta(seconds=1.5)
    calls, took = await polls(Tables(slow=True), POLLS)
    assert calls == [[]] * POLLS
    assert took < SLOW_S / 10
