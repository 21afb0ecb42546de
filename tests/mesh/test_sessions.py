"""Sessions: messages in one are answered in order, a thousand run in parallel, and each is private to its customer."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote

import pytest
from yarl import URL

from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory

SESSIONS, SESSIONS_AT_NIGHT = 100, 1_000


async def test_simultaneous_messages_are_answered_one_at_a_time(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("one", says("first")), scene("two", says("second")))
    customer = laboratory.customer()
    answers = await asyncio.gather(customer.says("one"), customer.says("two"))
    assert sorted(answer.body["turn"] for answer in answers) == [1, 2]
    spans = [(row["running_at"], row["completed_at"]) for row in await laboratory.invocations(customer.session, "send")]
    (_, first_end), (second_start, _) = sorted(spans)
    assert first_end <= second_start
    turns = (await customer.asks("transcript")).body["turns"]
    assert [len(turn["messages"]) for turn in turns] == [2, 2]


async def meet(laboratory: Laboratory, sessions: int) -> None:
    """The tool answers only when all turns are calling it at the same time."""
    meeting = {"name": f"party of {sessions}, {laboratory.replays}", "parties": sessions}
    await laboratory.model.plays(
        scene("meet", calls(("handoff_to_Probe", {"reason": "r"})), calls(("meet", meeting)), says("we met"))
    )
    answers = await asyncio.gather(*(laboratory.customer().says("meet") for _ in range(sessions)))
    assert {answer.text for answer in answers} == {"we met"}


async def test_hundred_sessions_run_in_parallel(laboratory: Laboratory) -> None:
    await meet(laboratory, SESSIONS)


# Not on the mesh that is always replaying, where each await costs a suspension.
@pytest.mark.slow
@pytest.mark.parametrize("laboratory", ["as it is"], indirect=True)
async def test_thousand_sessions_run_in_parallel(laboratory: Laboratory) -> None:
    await meet(laboratory, SESSIONS_AT_NIGHT)


async def test_session_does_not_see_messages_of_another_session(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("my code is 4711", says("noted")), scene("which code?", says("none")))
    first, second = laboratory.customer(), laboratory.customer()
    await first.says("my code is 4711")
    await second.says("which code?")
    assert "4711" not in str(await laboratory.model.requests(second.session))
    assert "4711" in str(await laboratory.model.requests(first.session))


async def test_session_rejects_another_customer(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    alice = laboratory.customer("alice")
    await alice.says("hello")
    mallory = laboratory.customer("mallory", session=alice.session)
    for attempt in (mallory.says("hello"), mallory.asks("transcript"), mallory.asks("status")):
        answer = await attempt
        assert (answer.status, answer.text) == (
            403,
            "This session belongs to another customer. Start one of your own.",
        )
    assert len((await alice.asks("transcript")).body["turns"]) == 1
    log = laboratory.mesh.log("triage").read_text()
    assert f"refused: customer mallory asked for session {alice.session} of another customer" in log


@pytest.mark.parametrize(
    ("customer_id", "text", "message"),
    [
        ("alice", "", "text: is empty; please write what you need"),
        ("alice", " \n ", "text: is empty"),
        ("alice", "x" * 8_193, "text: is 8193 bytes long, but the limit is 8192"),
        ("alice", 7, "text: Input should be a valid string"),
        ("alice", None, "text: Input should be a valid string"),
        ("", "hello", "customer_id: String should match pattern"),
        ("a b", "hello", "customer_id: String should match pattern"),
    ],
)
async def test_invalid_message_is_rejected_and_changes_nothing(
    laboratory: Laboratory, customer_id: str, text: Any, message: str
) -> None:
    customer = laboratory.customer(customer_id)
    answer = await customer.says(text)
    assert answer.status == 400
    assert message in answer.text
    customer.customer_id = "alice"
    assert (await customer.asks("status")).status == 404


async def test_unknown_field_is_rejected(laboratory: Laboratory) -> None:
    customer = laboratory.customer()
    answer = await customer.asks("send", text="hello", admin=True)
    assert (answer.status, answer.text) == (400, "admin: Extra inputs are not permitted")


@pytest.mark.parametrize("session", ["a%20b", ".", ".."])
async def test_invalid_session_id_is_rejected(laboratory: Laboratory, session: str) -> None:
    url = f"{laboratory.mesh.addresses.ingress_url}/Session/{session}/send"
    message = json.dumps({"customer_id": "alice", "text": "hello"}).encode()
    proof = laboratory.mesh.speaker.sign(f"Session/{unquote(session)}/send", message)
    headers = {"content-type": "application/json", **proof}
    # Already encoded, because the HTTP client would otherwise remove the dots.
    async with laboratory.http.post(URL(url, encoded=True), data=message, headers=headers) as response:
        assert response.status == 400
        assert "is not a valid session id" in (await response.json())["message"]


async def test_ingress_exposes_only_sessions_and_the_staff_door(laboratory: Laboratory) -> None:
    # Other tests on this mesh register services of their own.
    addresses = [laboratory.mesh.addresses.service_url(name) for name in laboratory.mesh.services]
    endpoints = ", ".join(f"'{address}/'" for address in addresses)
    served = f"(SELECT id FROM sys_deployment WHERE endpoint IN ({endpoints}))"
    rows = await laboratory.query(f"SELECT name FROM sys_service WHERE public AND deployment_id IN {served}")
    assert {row["name"] for row in rows} == {"AgentList", "Session", "StaffDoor", "TaskPush"}
    private = ("Bank/take_turn", "Accounts/alice/get_balance", "Outbox/alice/deliver", "ApprovalInbox/staff/decide")
    money = (
        "PaymentNetwork/p/submit",
        "Loans/alice/reduce_loan",
        "Cards/alice/unfreeze_card",
        "Transfers/carry_out_order",
    )
    checks = ("IdentityChecks/alice/verify_identity", "LoanApplication/LA-000000000000/decided", "ProbeTools/wait")
    staff = ("AirlineRecords/dump", "Approvals/approve", "Approvals/list", "Cases/close", "IdentityRecords/list")
    own = ("Session/s-1/staff_transcript", "Session/s-1/staff_status", "Session/s-1/notify")
    for path in (*private, *money, *checks, *staff, *own):
        async with laboratory.http.post(f"{laboratory.mesh.addresses.ingress_url}/{path}", json={}) as response:
            assert response.status == 400
            assert "not public" in await response.text()


async def test_repeated_idempotency_key_makes_one_turn(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer = laboratory.customer()
    first, second = await asyncio.gather(*(customer.says("hello", idempotency_key="once") for _ in range(2)))
    assert first == second
    assert (await customer.asks("status")).body["turns_total"] == 1


async def test_transcript_is_read_in_pages(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer = laboratory.customer()
    for _ in range(5):
        await customer.says("hello")
    page = (await customer.asks("transcript", after=1, limit=2)).body
    assert ([turn["turn"] for turn in page["turns"]], page["turns_total"]) == ([2, 3], 5)
    assert (await customer.asks("transcript", after=5)).body["turns"] == []
    assert (await customer.asks("transcript", limit=51)).status == 400
