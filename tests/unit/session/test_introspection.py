"""What the session reads from Restate's tables of invocations."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.session.introspection import Introspection
from switchboard.session.session import accepted_at

ASKED = {"id": "inv_1", "created_at": "2026-11-29T10:00:00Z", "completed_at": "2026-11-29T10:00:01Z"}
ANSWERED = {"id": "inv_2", "created_at": "2026-11-29T10:00:02Z"}


@asynccontextmanager
async def tables(*answers: Sequence[dict[str, Any]]) -> AsyncIterator[Introspection]:
    """Return what reads tables that answer with these rows, query by query, then always with the last."""
    app, left = web.Application(), list(answers)

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"rows": left.pop(0) if len(left) > 1 else left[0]})

    app.router.add_post("/query", answer)
    async with TestServer(app) as server:
        yield Introspection(str(server.make_url("")))


async def ended_before(rows: list[dict[str, Any]]) -> bool:
    async with tables(rows) as introspection:
        return await introspection.ended_before("inv_1", "inv_2")


@pytest.mark.parametrize(
    ("asked", "before"),
    [
        (ASKED, True),
        ({**ASKED, "completed_at": None}, False),
        ({**ASKED, "completed_at": "2026-11-29T10:00:03Z"}, False),
    ],
)
async def test_yes_comes_after_its_question_only_if_the_question_was_complete(
    asked: dict[str, Any], before: bool
) -> None:
    assert await ended_before([asked, ANSWERED]) is before


@pytest.mark.parametrize("rows", [[], [ASKED], [ANSWERED]])
async def test_invocation_that_the_tables_lack_is_looked_up_again(rows: list[dict[str, Any]]) -> None:
    """A partition that changes its node has no rows for a while. The failed run is retried."""
    with pytest.raises(TimeoutError, match="do not have both"):
        await ended_before(rows)


async def test_message_that_waited_for_restate_is_dated_although_its_tables_are_incomplete_at_first() -> None:
    """Otherwise its signature would count as too old, and the customer's message would be refused for good."""
    async with tables([], [], [ASKED]) as introspection:
        assert await accepted_at(introspection, "inv_1") == datetime(2026, 11, 29, 10, tzinfo=UTC)
