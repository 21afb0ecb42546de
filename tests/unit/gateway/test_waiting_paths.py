"""Which paths take one of their customer's places: those that wait for a turn, and no others."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from switchboard.gateway.identity import Caller
from switchboard.gateway.token import mint
from tests.unit.gateway.asgi import Answer, body, post
from tests.unit.gateway.test_middleware import SETTINGS
from tests.unit.gateway.test_openapi import PLACES, app

WAITING = ["/v1/sessions/s/messages", "/v1/sessions/s/confirm", "/v1/sessions/s/decline", "/v1/agui"]
AT_ONCE = ["/v1/sessions", "/v1/sessions/not an id/interrupt", "/v1/sessions/s/turns/1/rating"]


async def send_while_taken(path: str, taken: int) -> Answer:
    """Send a request with a wrong body, of a customer who has taken so many places."""
    created = app()
    token = mint(SETTINGS, "alice", timedelta(minutes=1), datetime.now(UTC))
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with ExitStack() as places:
        for _ in range(taken):
            places.enter_context(created.state.places.taken(Caller("alice", True)))
        return await post(created, path, headers, [body(b"[]")])


@pytest.mark.parametrize("path", WAITING)
async def test_path_that_waits_needs_a_free_place(path: str) -> None:
    refused = await send_while_taken(path, PLACES)
    assert (refused.status, refused.body["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "1"
    assert (await send_while_taken(path, PLACES - 1)).status == 400


@pytest.mark.parametrize("path", AT_ONCE)
async def test_path_that_answers_at_once_needs_no_place(path: str) -> None:
    assert (await send_while_taken(path, PLACES)).status != 429
