"""What the session reads from Restate's tables of invocations."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.session.introspection import Introspection

ASKED = {"id": "inv_1", "created_at": "2026-11-29T10:00:00Z", "completed_at": "2026-11-29T10:00:01Z"}
ANSWERED = {"id": "inv_2", "created_at": "2026-11-29T10:00:02Z"}


async def ended_before(rows: list[dict[str, Any]]) -> bool:
    app = web.Application()

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"rows": rows})

    app.router.add_post("/query", answer)
    async with TestServer(app) as server:
        return await Introspection(str(server.make_url(""))).ended_before("inv_1", "inv_2")


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
