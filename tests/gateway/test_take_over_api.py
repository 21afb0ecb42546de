"""The take-over at the gateway: keys, errors with a code, cases, and the command line."""

import asyncio
import json
import subprocess
from typing import Any
from uuid import uuid4

from switchboard.cli.text import visible
from switchboard.session.staffed import HANDED_BACK, STAFF_WILL_ANSWER, TAKEN_OVER
from switchboard.testing import says, scene
from tests.cli.conftest import OURS, without_meshes
from tests.gateway.desk import Desk, staff_token
from tests.gateway.front import Gateway, Visitor
from tests.gateway.test_sessions_api import problem
from tests.gateway.test_staff_api import open_case
from tests.parts import PROJECT

COMMAND_SECONDS = 180


async def visitor_with_session(gateway: Gateway) -> Visitor:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("and now?", says("here again")))
    visitor = gateway.visitor()
    assert (await visitor.says("hello")).status == 200
    return visitor


async def switchboard(gateway: Gateway, *arguments: str, typed: str = "", by: str = "mia") -> Any:
    """Run the command as a staff member. `typed` is its input."""
    token = {"SWITCHBOARD_GATEWAY_URL": gateway.ports.url, "SWITCHBOARD_STAFF_TOKEN": staff_token(by)}
    return await asyncio.to_thread(
        subprocess.run,
        [*OURS, *arguments],
        cwd=PROJECT,
        env=without_meshes(**token),
        input=typed,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


async def test_take_over_writes_once_under_a_key_and_names_who_has_the_session(gateway: Gateway) -> None:
    visitor = await visitor_with_session(gateway)
    mia, noah, path = Desk(gateway, "mia"), Desk(gateway, "noah"), f"sessions/{visitor.session}"
    assert problem(await mia.posts(f"{path}/messages", text="hi")) == (409, "not_taken_over")
    assert problem(await mia.posts(f"{path}/hand-back")) == (409, "not_taken_over")
    key = str(uuid4())
    first, again = await asyncio.gather(*(mia.posts(f"{path}/take-over", key) for _ in range(2)))
    assert (first.status, first.body["staff"]["by"]) == (200, "mia")
    assert again.body == first.body
    key = str(uuid4())
    written = await asyncio.gather(*(mia.posts(f"{path}/messages", key, text="Hello, I am Mia.") for _ in range(3)))
    assert {answer.body["turn"] for answer in written} == {first.body["turn"] + 1}
    assert problem(await mia.posts(f"{path}/messages", key, text="Other")) == (422, "key_reused")
    assert problem(await mia.posts(f"{path}/messages", text="\x00")) == (400, "request_invalid")
    assert problem(await mia.posts(f"{path}/messages", text="x" * 9_000)) == (413, "message_too_large")
    for refused in (await noah.posts(f"{path}/take-over"), await noah.posts(f"{path}/messages", text="me")):
        assert problem(refused) == (409, "taken_over")
        assert refused.text.startswith("mia answers in this session since ")
    assert problem(await noah.posts(f"{path}/take-over", **{"from": "someone-else"})) == (409, "taken_over")
    answer = await visitor.says("and now?")
    assert (answer.text, answer.body["staffed"]) == (STAFF_WILL_ANSWER, True)
    assert (await visitor.gets("status")).body["staff"]["by"] == "staff"
    assert (await mia.gets(f"{path}/status")).body["staff"]["waiting_since"]
    assert (await noah.posts(f"{path}/take-over", **{"from": "mia"})).body["staff"]["by"] == "noah"
    assert (await noah.posts(f"{path}/hand-back")).status == 200
    assert (await visitor.says("and now?")).text == "here again"
    assert problem(await mia.posts("sessions/unknown-session/take-over")) == (404, "record_unknown")


async def test_case_leads_to_its_session(gateway: Gateway) -> None:
    case_id, session = await open_case(gateway, "dave")
    shown = await switchboard(gateway, "cases", "show", case_id)
    assert session in shown.stdout
    assert f"take-over --case {case_id}" in " ".join(shown.stdout.split())
    typed = "Hello, how can I help?\n/note He called before\n/nonsense\n/back He wants a refund\n"
    chatted = await switchboard(gateway, "take-over", "--case", case_id, typed=typed)
    assert chatted.returncode == 0, chatted.stderr
    assert "Hello, how can I help?" in chatted.stdout
    assert f"You answer dave in session {session}" in chatted.stderr
    turns = (await Desk(gateway).gets(f"sessions/{session}/transcript?limit=50")).body["turns"]
    assert [(turn.get("act", ""), turn.get("note", ""), turn["reply"]) for turn in turns[-4:]] == [
        ("taken_over", "", TAKEN_OVER),
        ("", "", "Hello, how can I help?"),
        ("note", "He called before", ""),
        ("handed_back", "He wants a refund", HANDED_BACK),
    ]
    assert (await Desk(gateway).posts(f"cases/{case_id}/close", outcome="Refunded")).status == 200


async def test_command_says_who_has_the_session_and_that_it_stays_taken(gateway: Gateway) -> None:
    visitor = await visitor_with_session(gateway)
    kept = await switchboard(gateway, "take-over", visitor.session, typed="One moment.\n/quit\n")
    assert kept.returncode == 0, kept.stderr
    assert "still yours" in kept.stderr
    refused = await switchboard(gateway, "take-over", visitor.session, by="noah")
    assert (refused.returncode, "mia answers in this session since" in refused.stderr) == (2, True)
    taken = await switchboard(gateway, "take-over", visitor.session, "--from", "mia", typed="/back\n", by="noah")
    assert taken.returncode == 0, taken.stderr
    for arguments in ((), (visitor.session, "--case", "case-1")):
        assert (await switchboard(gateway, "take-over", *arguments)).returncode == 2


async def test_export_writes_each_session_as_a_line_of_json(gateway: Gateway) -> None:
    customer = f"exported-{uuid4()}"
    hidden = "hi \x1b[31m\x7f\u202e\u2028 ü"
    await gateway.laboratory.model.plays(scene("hello", says(hidden)))
    visitors = [gateway.visitor(customer) for _ in range(3)]
    for visitor in visitors:
        assert (await visitor.says("hello")).status == 200
    assert (await visitors[0].posts("turns/1/rating", rating="down", comment="No")).status == 200
    assert (await Desk(gateway).posts(f"sessions/{visitors[1].session}/take-over")).status == 200

    async def rated() -> bool:
        return "rating" in (await visitors[0].gets("transcript")).body["turns"][0]

    await gateway.laboratory.until(rated)
    written = await switchboard(gateway, "sessions", "export", "--customer", customer)
    assert (written.returncode, written.stderr) == (0, "3 sessions exported.\n")
    lines = {line["session_id"]: line for line in map(json.loads, written.stdout.splitlines())}
    assert set(lines) == {visitor.session for visitor in visitors}
    first, second, third = (lines[visitor.session] for visitor in visitors)
    assert [first["outcome"], second["outcome"], third["outcome"]] == ["answered", "staff", "answered"]
    assert (first["ratings_up"], first["ratings_down"], first["turns"][0]["rating"]["comment"]) == (0, 1, "No")
    assert second["turns"][-1]["by"] == "mia"
    assert {line["customer_id"] for line in lines.values()} == {customer}
    assert first["cost"] is not None
    assert third["turns"][0]["reply"] == hidden
    assert visible(written.stdout) == written.stdout
