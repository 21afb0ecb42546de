"""Attacks on the take-over: the wrong role, another name, the ingress, and copies of signed requests."""

import json
from uuid import uuid4

import pytest

from switchboard.ingress import encode
from switchboard.session.staff_contract import HAND_BACK, STAFF_MESSAGE, STAFF_NOTE, TAKE_OVER
from switchboard.session.take_over import SILENCE, TAKE
from switchboard.testing import JSON, says, scene
from tests.gateway.desk import Desk, staff_token
from tests.gateway.front import Gateway, Visitor
from tests.gateway.test_sessions_api import problem

ACTS: tuple[tuple[str, JSON], ...] = (
    ("take-over", {}),
    ("messages", {"text": "I am of the bank"}),
    ("notes", {"text": "a note"}),
    ("hand-back", {"note": "pay them all"}),
)


async def visitor_with_session(gateway: Gateway) -> Visitor:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    assert (await visitor.says("hello")).status == 200
    return visitor


async def acts_of(gateway: Gateway, visitor: Visitor) -> list[JSON]:
    """Return the turns by staff."""
    turns = (await Desk(gateway).gets(f"sessions/{visitor.session}/transcript?limit=50")).body["turns"]
    return [turn for turn in turns if turn.get("by")]


@pytest.mark.parametrize(("path", "body"), ACTS)
async def test_customers_token_cannot_take_a_session_over(gateway: Gateway, path: str, body: JSON) -> None:
    visitor = await visitor_with_session(gateway)
    for token in (visitor.token, gateway.visitor("mallory").token, "x.y.z"):
        answer = await Desk(gateway, token=token).posts(f"sessions/{visitor.session}/{path}", **body)
        assert answer.status in (401, 403), answer.body
    assert await acts_of(gateway, visitor) == []


async def test_staff_token_cannot_write_as_the_customer(gateway: Gateway) -> None:
    visitor = await visitor_with_session(gateway)
    assert (await Desk(gateway, "mia").posts(f"sessions/{visitor.session}/take-over")).status == 200
    headers = {"authorization": f"Bearer {staff_token('mia')}"}
    for path, body in (
        ("messages", {"text": "yes"}),
        ("confirm", {"held_id": "h"}),
        ("turns/1/rating", {"rating": "up"}),
    ):
        answer = await visitor.calls("POST", path, headers, json=body)
        assert answer.status in (401, 403), (path, answer.body)
    turns = (await visitor.gets("transcript")).body["turns"]
    assert [message["text"] for turn in turns for message in turn["messages"] if message["kind"] == "user"] == ["hello"]


async def test_body_cannot_name_another_staff_member(gateway: Gateway) -> None:
    visitor = await visitor_with_session(gateway)
    for path, body in ACTS:
        for more in ({"by": "the director"}, {"session_id": "other"}):
            answer = await Desk(gateway).posts(f"sessions/{visitor.session}/{path}", **body, **more)
            assert problem(answer) == (400, "request_invalid")
    assert await acts_of(gateway, visitor) == []


@pytest.mark.parametrize("handler", [TAKE_OVER, TAKE, STAFF_MESSAGE, STAFF_NOTE, HAND_BACK, SILENCE, "record_rating"])
async def test_sessions_handlers_for_staff_are_private_at_the_ingress(gateway: Gateway, handler: str) -> None:
    mesh, http = gateway.laboratory.mesh, gateway.laboratory.http
    path, content = f"Session/s-{uuid4()}/{handler}", json.dumps({"by": "mia", "text": "x"}).encode()
    headers = {"content-type": "application/json", **mesh.speaker.sign(path, content)}
    async with http.post(f"{mesh.addresses.ingress_url}/{path}", data=content, headers=headers) as response:
        assert response.status == 400
        assert "not public" in await response.text()


async def test_copy_of_a_signed_act_of_staff_is_refused(gateway: Gateway) -> None:
    visitor = await visitor_with_session(gateway)
    mesh, http = gateway.laboratory.mesh, gateway.laboratory.http

    async def posts(handler: str, signed: dict[str, str], body: bytes) -> int:
        headers = {"content-type": "application/json", "idempotency-key": str(uuid4()), **signed}
        url = f"{mesh.addresses.ingress_url}/StaffDoor/{handler}"
        async with http.post(url, data=body, headers=headers) as response:
            return response.status

    named = {"by": "mia", "session_id": visitor.session}
    bodies = {"take_over": encode(named), "message": encode({**named, "text": "hi"}), "hand_back": encode(named)}
    signed = {handler: mesh.speaker.sign(f"StaffDoor/{handler}", body) for handler, body in bodies.items()}
    assert [await posts(handler, signed[handler], body) for handler, body in bodies.items()] == [200] * 3
    assert [await posts(handler, signed[handler], body) for handler, body in bodies.items()] == [409] * 3
    assert len(await acts_of(gateway, visitor)) == 3
    assert await posts("message", {}, bodies["message"]) == 401
