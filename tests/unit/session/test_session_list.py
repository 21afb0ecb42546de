"""The list of sessions: its limits, and answers of Restate that it cannot use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import restate
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.session import session_list
from switchboard.session.introspection import Introspection
from switchboard.session.session_list import SessionList, conditions, escaped
from switchboard.session.staff_contract import SESSIONS_UNREADABLE, SessionQuery

Query = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def tables(answer: Query) -> AsyncIterator[SessionList]:
    """A list whose Restate answers queries in this way."""
    app = web.Application()
    app.router.add_post("/query", answer)
    async with TestServer(app) as server:
        yield SessionList(Introspection(str(server.make_url(""))), "EUR")


async def test_list_is_refused_when_restate_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    monkeypatch.setattr(session_list, "LIST_TIMEOUT", timedelta(milliseconds=50))
    async with tables(hang) as listing:
        refused = await asyncio.gather(
            *(listing.page_or_refusal(SessionQuery()) for _ in range(3)),
            listing.key_of("g-12345678"),
            return_exceptions=True,
        )
        never.set()
    assert [(type(each), str(each)) for each in refused] == [(restate.TerminalError, SESSIONS_UNREADABLE)] * 4


@pytest.mark.parametrize("response", [web.Response(status=500), web.Response(text="no JSON"), web.json_response({})])
async def test_list_is_refused_when_restate_answers_something_else(response: web.Response) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=response.status, body=response.body, content_type=response.content_type)

    async with tables(answer) as listing:
        with pytest.raises(restate.TerminalError, match=SESSIONS_UNREADABLE):
            await listing.page_or_refusal(SessionQuery())


async def test_one_list_is_made_at_a_time() -> None:
    """Each goes through the state of all sessions."""
    running = most = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return web.json_response({"rows": []})

    async with tables(answer) as listing:
        pages = await asyncio.gather(*(listing.page(SessionQuery()) for _ in range(5)))
    assert most == 1
    assert [(page.sessions, page.more, page.currency) for page in pages] == [((), False, "EUR")] * 5


def test_filters_are_quoted() -> None:
    query = SessionQuery.model_construct(customer_id="a' OR '1'='1", text=None)
    assert "= 'a'' OR ''1''=''1'" in conditions(query)
    assert escaped("o'neill") == "o''neill"
