"""Pages of a transcript, and the calls of a running turn: by ids, in bounded time, and shared by polls at once."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from switchboard.session import queries as session_queries
from switchboard.session.contract import Transcript, TurnRecord
from switchboard.session.introspection import Introspection
from switchboard.session.queries import LOOK_TIMEOUT, SessionQueries
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Head, Running
from switchboard.session.storage import turn_key

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
    assert took < SLOW_S / 2


class Stored:
    """The state of a session whose turns are, in order, hidden from customers or not. Counts reads."""

    def __init__(self, hidden: list[bool]) -> None:
        self.records = {
            turn_key(number): TurnRecord(
                turn=number,
                at=SINCE,
                agents=(),
                messages=(),
                reply="",
                by="sam" if each else "",
                act="note" if each else "",
            )
            for number, each in enumerate(hidden, start=1)
        }
        self.head = Head(customer_id="alice", active="Triage", turns_total=len(hidden))
        self.reads = 0

    async def get(self, key: str, type_hint: object) -> TurnRecord | None:
        self.reads += 1
        return self.records.get(key)


async def read_all(stored: Stored, limit: int, for_staff: bool, rule: "Rule") -> list[int]:
    """Read a transcript page by page, as clients with this rule do."""
    queries = SessionQueries(Introspection("http://restate"), SessionSettings(), "Triage")
    found, after = list[int](), 0
    for _ in range(len(stored.records) + 2):
        before = stored.reads
        page = await queries.page(stored, stored.head, after, limit, for_staff=for_staff)  # type: ignore[arg-type]
        assert stored.reads - before <= READS_MAX
        assert len(page.turns) <= limit
        found += [turn.turn for turn in page.turns]
        following = rule(page, after)
        if following is None:
            return found
        assert following > after
        after = following
    raise AssertionError("the pages do not end")


Rule = Callable[[Transcript, int], int | None]
READS_MAX = 12


def by_the_end(page: Transcript, after: int) -> int | None:
    end = page.end(after)
    return end if after < end < page.turns_total else None


def by_the_last_turn(page: Transcript, after: int) -> int | None:
    """The rule of clients before pages said where they end."""
    ended = not page.turns or page.turns[-1].turn >= page.turns_total
    return None if ended else page.turns[-1].turn


HIDDEN = st.lists(st.booleans(), max_size=60) | st.builds(
    lambda before, length, after: [*before, *[True] * length, *after],
    st.lists(st.booleans(), max_size=10),
    st.integers(0, 60),
    st.lists(st.booleans(), max_size=10),
)


@given(HIDDEN, st.integers(1, 20), st.booleans())
def test_pages_have_every_turn_once_however_many_are_hidden(hidden: list[bool], limit: int, for_staff: bool) -> None:
    wanted = [number for number, each in enumerate(hidden, start=1) if for_staff or not each]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_queries, "PAGE_READS_MAX", READS_MAX)
        assert asyncio.run(read_all(Stored(hidden), limit, for_staff, by_the_end)) == wanted
        if len(hidden) <= READS_MAX:
            assert asyncio.run(read_all(Stored(hidden), limit, for_staff, by_the_last_turn)) == wanted


@given(HIDDEN, st.integers(1, 20))
def test_pages_of_an_older_session_are_read_by_its_rule(hidden: list[bool], limit: int) -> None:
    def older(page: Transcript, after: int) -> int | None:
        return by_the_end(page.model_copy(update={"last": 0}), after)

    wanted = [number for number, each in enumerate(hidden, start=1) if not each]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_queries, "PAGE_READS_MAX", 1_000)
        patch.setitem(globals(), "READS_MAX", 1_000)
        assert asyncio.run(read_all(Stored(hidden), limit, False, older)) == wanted
