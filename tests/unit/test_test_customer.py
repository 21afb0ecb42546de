"""The customer of tests sends reads again while Restate starts, and everything else once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.testing import Customer, customer

NOT_FOUND, UNAVAILABLE = 404, 503


@asynccontextmanager
async def asked(statuses: list[int], source: str = "ingress") -> AsyncIterator[tuple[Customer, list[str]]]:
    """A customer of a server that answers with these statuses, then with 200. Yields the handlers that it got, too."""
    handlers: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        handlers.append(request.path.rpartition("/")[2])
        return web.json_response({"turns": [], "source": source}, status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield Customer(str(server.make_url("")).rstrip("/"), http), handlers


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer, "READ_PAUSE", customer.READ_PAUSE * 0)


@pytest.mark.parametrize("handler", customer.READING_HANDLERS)
async def test_read_is_sent_again_while_the_session_cannot_answer(handler: str) -> None:
    async with asked([UNAVAILABLE, NOT_FOUND, 500]) as (alice, handlers):
        assert (await alice.asks(handler)).status == 200
        assert handlers == [handler] * 4


@pytest.mark.parametrize("status", [403, NOT_FOUND])
async def test_read_that_the_session_refuses_is_returned_at_once(status: int) -> None:
    async with asked([status], source="invocation") as (alice, handlers):
        assert (await alice.asks("status")).status == status
        assert handlers == ["status"]


async def test_refused_transcript_has_no_messages_but_an_error() -> None:
    async with asked([403]) as (alice, _):
        with pytest.raises(AssertionError, match=r"the transcript was refused: .*403"):
            await alice.messages()


async def test_read_that_always_fails_is_returned_in_the_end() -> None:
    async with asked([UNAVAILABLE] * customer.READS_MAX) as (alice, handlers):
        assert (await alice.asks("transcript")).status == UNAVAILABLE
        assert len(handlers) == customer.READS_MAX


async def test_message_and_stop_are_sent_once() -> None:
    async with asked([UNAVAILABLE, UNAVAILABLE]) as (alice, handlers):
        assert (await alice.says("hello")).status == UNAVAILABLE
        assert (await alice.asks("interrupt")).status == UNAVAILABLE
        assert handlers == ["send", "interrupt"]
