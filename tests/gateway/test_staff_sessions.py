"""The staff's list of sessions: what it shows, its filters and pages, and the sessions that it leads to."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from switchboard.session_ids import public_part
from switchboard.testing import calls, says, scene
from tests.attacks.mesh import TO_PROBE
from tests.gateway.desk import Desk
from tests.gateway.front import Gateway
from tests.gateway.test_sessions_api import problem
from tests.laboratory import LONG_MS

SCENES = (scene("hi", says("hello")), scene("pay Bob", TO_PROBE, calls(("pay", {"to": "Bob", "amount": "5"}))))


async def put_state(gateway: Gateway, session: str, **values: str) -> None:
    """Write a session's state, as an earlier version may have done."""
    body = {"object_key": session, "new_state": {name: list(value.encode()) for name, value in values.items()}}
    url = f"{gateway.laboratory.mesh.addresses.admin_url}/services/Session/state"
    async with gateway.laboratory.http.post(url, json=body) as response:
        assert response.status == 202, await response.text()


async def listed(gateway: Gateway, query: str) -> list[dict[str, Any]]:
    answer = await Desk(gateway).gets(f"sessions?{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.body["sessions"]
    return found


async def test_list_shows_a_customers_sessions_newest_first_in_pages(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(*SCENES)
    ada = f"ada-{uuid4().hex[:8]}"
    first, second, third = (gateway.visitor(ada, session=f"{ada}.{number}") for number in range(3))
    for visitor in (first, second, third, first):
        assert (await visitor.says("hi")).status == 200
    # Sessions of earlier versions have no time of their last turn.
    old = {"customer_id": ada, "active": "Bank", "turns_total": 7}
    await put_state(gateway, f"{ada}.old", head=json.dumps(old))
    await gateway.laboratory.until(lambda: listed(gateway, f"text={ada}.old"))
    rows = await listed(gateway, f"customer_id={ada}")
    order = [first.session, third.session, second.session, f"{ada}.old"]
    assert [row["session_id"] for row in rows] == order
    shown = {name: rows[0][name] for name in ("customer_id", "signed_in", "active_agent", "turns_total", "questions")}
    assert shown == {
        "customer_id": ada,
        "signed_in": True,
        "active_agent": "Triage",
        "turns_total": 2,
        "questions": [],
    }
    assert rows[0]["last_at"] > rows[1]["last_at"] > rows[2]["last_at"]
    assert (rows[3]["last_at"], rows[3]["turns_total"]) == (None, 7)
    assert rows[0]["cost"] == (await first.gets("status")).body["cost"]
    pages = [
        (await Desk(gateway).gets(f"sessions?customer_id={ada}&limit=2&offset={offset}")).body for offset in (0, 2)
    ]
    assert [row["session_id"] for page in pages for row in page["sessions"]] == order
    assert [page["more"] for page in pages] == [True, False]


async def test_list_shows_a_running_turn_and_a_question(gateway: Gateway) -> None:
    name = uuid4().hex
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await gateway.laboratory.model.plays(*SCENES, scene("go", TO_PROBE, slow))
    bob = f"bob-{name[:8]}"
    asked, busy = gateway.visitor(bob, session=f"{bob}.asked"), gateway.visitor(bob, session=f"{bob}.busy")
    answer = await asked.says("pay Bob")
    running = asyncio.create_task(busy.says("go"))
    await gateway.laboratory.until(lambda: gateway.laboratory.probed(f"start {name}"))
    newest, other = await listed(gateway, f"customer_id={bob}")
    # It has no state but the running message yet.
    assert (newest["session_id"], newest["turns_total"], newest["active_agent"]) == (busy.session, 0, "")
    assert newest["running_since"]
    assert other["questions"] == [call["question"] for call in answer.body["confirmation"]["calls"]]
    assert other["running_since"] is None
    assert (await busy.posts("interrupt")).body == {"interrupted": True}
    assert (await running).body["interrupted"]


async def test_list_finds_a_session_by_a_text_of_its_id(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(*SCENES)
    part = uuid4().hex[:8]
    found = gateway.visitor("alice", session=f"order_{part}-x")
    other = gateway.visitor("alice", session=f"order-{part}-x")
    for visitor in (found, other):
        assert (await visitor.says("hi")).status == 200
    # `_` and `%` are no wildcards.
    assert [row["session_id"] for row in await listed(gateway, f"text=r_{part}")] == [found.session]
    assert {row["session_id"] for row in await listed(gateway, f"text={part}")} == {found.session, other.session}
    assert await listed(gateway, f"text={part}&customer_id=bob") == []


async def test_secret_of_an_id_is_neither_shown_nor_found_and_its_session_can_be_read(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(*SCENES)
    desk, guest = Desk(gateway), gateway.visitor("carol", signed_in=False)
    assert (await guest.says("hi")).status == 200
    shown, secret = public_part(guest.session), guest.session.split(".")[1]
    [row] = await listed(gateway, f"text={shown}")
    assert (row["session_id"], row["customer_id"], row["signed_in"]) == (shown, "carol", False)
    for text in (secret, secret[:4], f"{shown}.{secret[0]}"):
        assert shown not in {row["session_id"] for row in await listed(gateway, f"text={text}")}
    assert secret not in json.dumps((await desk.gets("sessions?limit=100")).body)
    assert (await desk.gets(f"sessions/{shown}/transcript")).body["turns"][0]["reply"] == "hello"
    status = (await desk.gets(f"sessions/{shown}/status")).body
    assert (status["customer_id"], status["session_id"]) == ("carol", shown)
    assert problem(await desk.gets("sessions/g-00000000/status")) == (404, "record_unknown")
    # A signed-in customer may choose an id that looks the same. Staff are not led to the wrong one.
    twin = gateway.visitor("mallory", session=f"{shown}.{'x' * 22}.{'x' * 22}")
    assert (await twin.says("hi")).status == 200
    ambiguous = await desk.gets(f"sessions/{shown}/transcript")
    assert problem(ambiguous) == (400, "request_invalid")
    assert "Use the full id" in ambiguous.text


@pytest.mark.parametrize(
    "query",
    [
        "customer_id=a'%20OR%20'1'='1",
        "text=x')%20OR%201=1%20--",
        "text=%25",
        "text=",
        "customer_id=",
        "limit=0",
        "limit=101",
        "offset=-1",
        "offset=1e9",
    ],
)
async def test_list_refuses_filters_that_no_id_has(gateway: Gateway, query: str) -> None:
    assert problem(await Desk(gateway).gets(f"sessions?{query}")) == (400, "request_invalid")
