"""Ratings of replies: who may give them, what becomes of them, and how they are counted."""

import asyncio
from uuid import uuid4

import pytest

from switchboard.session.contract import RATING_COMMENT_MAX_CHARS
from switchboard.testing import JSON, says, scene
from tests.gateway.desk import Desk
from tests.gateway.front import Gateway, Visitor
from tests.gateway.test_sessions_api import problem
from tests.laboratory import LONG_MS


async def visitor_with_reply(gateway: Gateway) -> Visitor:
    await gateway.laboratory.model.plays(
        scene("hello", says("hi")), scene("go", says("late") | {"latency_ms": LONG_MS})
    )
    visitor = gateway.visitor()
    assert (await visitor.says("hello")).status == 200
    return visitor


async def rating_of(visitor: Visitor, turn: int = 1) -> JSON:
    turns = (await visitor.gets(f"transcript?after={turn - 1}&limit=1")).body["turns"]
    rating: JSON = turns[0].get("rating", {})
    return rating


async def test_rating_is_stored_with_its_turn_and_can_be_changed(gateway: Gateway) -> None:
    visitor = await visitor_with_reply(gateway)
    before = await metric(gateway, "up"), await metric(gateway, "down")
    given = await visitor.posts("turns/1/rating", rating="down", comment="Too short,\x00 sorry")
    assert (given.status, given.body["rating"]["comment"]) == (200, "Too short, sorry")
    await gateway.laboratory.until(lambda: rated(visitor, "down"))
    key = str(uuid4())
    for _ in range(2):
        assert (await visitor.posts("turns/1/rating", key, rating="up")).status == 200
    await gateway.laboratory.until(lambda: rated(visitor, "up"))
    assert (await rating_of(visitor))["comment"] == ""
    staff_turns = (await Desk(gateway).gets(f"sessions/{visitor.session}/transcript")).body["turns"]
    assert staff_turns[0]["rating"] == await rating_of(visitor)
    assert (await metric(gateway, "up") - before[0], await metric(gateway, "down") - before[1]) == (1, 1)


async def rated(visitor: Visitor, rating: str) -> bool:
    return (await rating_of(visitor)).get("rating") == rating


async def metric(gateway: Gateway, rating: str) -> float:
    """Return how often replies of triage were rated so."""
    async with gateway.laboratory.http.get(f"{gateway.laboratory.mesh.addresses.service_url('triage')}/metrics") as got:
        lines = (await got.text()).splitlines()
    name = f'switchboard_ratings_total{{agent="Triage",rating="{rating}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def test_rating_does_not_wait_for_a_running_turn(gateway: Gateway) -> None:
    visitor = await visitor_with_reply(gateway)
    running = asyncio.create_task(visitor.says("go"))

    async def started() -> bool:
        return (await visitor.gets("status")).body["running"] is not None

    await gateway.laboratory.until(started)
    assert (await visitor.posts("turns/1/rating", rating="up")).status == 200
    assert not running.done()
    await visitor.posts("interrupt")
    assert (await running).body["interrupted"]
    await gateway.laboratory.until(lambda: rated(visitor, "up"))


async def test_only_the_sessions_customer_can_rate_a_reply(gateway: Gateway) -> None:
    visitor = await visitor_with_reply(gateway)
    other = gateway.visitor("mallory", session=visitor.session)
    assert problem(await other.posts("turns/1/rating", rating="down")) == (403, "session_forbidden")
    claimed = gateway.visitor(visitor.customer_id, session=visitor.session)
    claimed.signed_in = False
    assert (await claimed.posts("turns/1/rating", rating="down")).status == 403
    assert await rating_of(visitor) == {}


@pytest.mark.parametrize(
    ("turn", "body", "expected"),
    [
        ("2", {"rating": "up"}, (404, "turn_unknown")),
        ("999999", {"rating": "up"}, (404, "turn_unknown")),
        ("0", {"rating": "up"}, (400, "request_invalid")),
        ("1000000", {"rating": "up"}, (400, "request_invalid")),
        ("one", {"rating": "up"}, (400, "request_invalid")),
        ("1", {"rating": "good"}, (400, "request_invalid")),
        ("1", {}, (400, "request_invalid")),
        ("1", {"rating": "up", "comment": "x" * (RATING_COMMENT_MAX_CHARS + 1)}, (400, "request_invalid")),
        ("1", {"rating": "up", "customer_id": "bob"}, (400, "request_invalid")),
    ],
)
async def test_invalid_rating_is_refused(gateway: Gateway, turn: str, body: JSON, expected: tuple[int, str]) -> None:
    visitor = gateway.visitor(session="rated-and-refused")
    if (await visitor.gets("status")).status == 404:
        await gateway.laboratory.model.plays(scene("hello", says("hi")))
        assert (await visitor.says("hello")).status == 200
    assert problem(await visitor.posts(f"turns/{turn}/rating", **body)) == expected
    assert await rating_of(visitor) == {}


async def test_session_that_does_not_exist_cannot_be_rated(gateway: Gateway) -> None:
    answer = await gateway.visitor().posts("turns/1/rating", rating="up")
    assert problem(answer) == (404, "session_unknown")
