"""The HTTP API of staff: who may use it, who has decided, and what a mesh offers."""

import asyncio
from uuid import uuid4

import pytest

from switchboard.testing import calls, says, scene
from tests.gateway.desk import Desk, staff_token
from tests.gateway.front import Gateway
from tests.gateway.test_sessions_api import problem
from tests.mesh.booking_desk import DONE, TO_AIRLINE
from tests.mesh.lending import LARGE, apply_for_loan, outcome_notice, wait_for_inbox_item

SUBJECT = "auth0|507f1f77bcf86cd799439011"


async def open_case(gateway: Gateway, customer_id: str) -> tuple[str, str]:
    """Let a customer ask for staff. Returns the case's id and the session's."""
    call = ("transfer_to_human_agents", {"summary": "Wants a person"})
    await gateway.laboratory.model.plays(scene("help", TO_AIRLINE, calls(call), says(DONE)))
    visitor = gateway.visitor(customer_id)
    assert (await visitor.says("help")).status == 200
    cases = (await Desk(gateway).gets("cases?limit=100")).body["cases"]
    [case] = [case for case in cases if case["session_id"] == visitor.session]
    return case["case_id"], visitor.session


async def test_token_says_who_decided_an_approval(gateway: Gateway) -> None:
    carol, application = await apply_for_loan(gateway.laboratory, "carol", LARGE)
    await wait_for_inbox_item(gateway.laboratory, application)
    desk = Desk(gateway, SUBJECT)
    waiting = (await desk.gets("approvals?limit=100")).body["waiting"]
    assert application in {item["approval_id"] for item in waiting}
    named = await desk.posts(f"approvals/{application}/reject", why="Too much", by="the director")
    assert problem(named) == (400, "request_invalid")
    assert problem(await desk.posts(f"approvals/{application}/reject", why=" ")) == (400, "request_invalid")
    key = str(uuid4())
    first, repeated = await asyncio.gather(
        *(desk.posts(f"approvals/{application}/reject", key, why="Too much") for _ in range(2))
    )
    assert first.status == 200, first.body
    assert first.body == repeated.body
    assert (first.body["decision"]["by"], first.body["decision"]["approved"]) == (SUBJECT, False)
    assert problem(await desk.posts(f"approvals/{application}/reject", key, why="Another")) == (422, "key_reused")
    second = await desk.posts(f"approvals/{application}/approve", why="Why not")
    assert problem(second) == (409, "already_decided")
    assert f"was rejected by {SUBJECT}" in second.text
    unknown = await desk.posts("approvals/LA-000000000000/approve", why="Why not")
    assert problem(unknown) == (404, "record_unknown")
    notice = await outcome_notice(gateway.laboratory, carol)
    assert "was declined. Too much." in notice
    assert SUBJECT not in notice, "customers do not learn who decided"


async def test_staff_read_note_and_close_a_case(gateway: Gateway) -> None:
    case_id, session = await open_case(gateway, "dave")
    mia, noah = Desk(gateway, "mia"), Desk(gateway, "noah@example.com")
    noted = await mia.posts(f"cases/{case_id}/notes", text="Called back")
    assert [(note["by"], note["text"]) for note in noted.body["notes"]] == [("mia", "Called back")]
    assert problem(await mia.posts(f"cases/{case_id}/notes", text="Me", by="noah")) == (400, "request_invalid")
    assert (await noah.gets(f"cases/{case_id}")).body == noted.body
    closed = await noah.posts(f"cases/{case_id}/close", outcome="Refunded")
    assert (closed.status, closed.body["closed_by"], len(closed.body["notes"])) == (200, "noah@example.com", 1)
    assert problem(await mia.posts(f"cases/{case_id}/close", outcome="Again")) == (409, "already_decided")
    assert problem(await mia.posts(f"cases/{case_id}/notes", text="Late")) == (409, "already_decided")
    assert problem(await mia.gets("cases/case-000000000000")) == (404, "record_unknown")
    assert problem(await mia.gets("cases/open")) == (404, "record_unknown")
    transcript = (await mia.gets(f"sessions/{session}/transcript")).body
    assert transcript["turns_total"] == len(transcript["turns"]) >= 1
    assert "Called back" not in str(transcript), "a note is not for the customer"
    status = (await mia.gets(f"sessions/{session}/status")).body
    assert (status["customer_id"], status["session_id"]) == ("dave", session)
    assert problem(await mia.gets("sessions/nobodys/status")) == (404, "record_unknown")


async def test_staff_read_the_identity_checks_of_a_subject_of_any_provider(gateway: Gateway) -> None:
    desk = Desk(gateway)
    for customer in ("dave", "auth0%7C4711", "f:2f6a1c1e:ada", "a+b@c"):
        answer = await desk.gets(f"customers/{customer}/identity-checks")
        assert (answer.status, answer.body["tries"]) == (200, []) if customer != "dave" else answer.status == 200
    assert problem(await desk.gets("customers/a%2Fb/identity-checks"))[0] in (400, 404)


async def test_customer_with_a_provider_s_subject_can_chat_and_verify_nothing_of_others(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    for subject in (SUBJECT, "f:2f6a1c1e-6f0e-4bb3-9d7c-1a2b3c4d5e6f:ada", "a+b@c", "a" * 255):
        visitor = gateway.visitor(subject)
        answer = await visitor.says("hello")
        assert (answer.status, answer.text) == (200, "hi")
        assert (await visitor.gets("status")).body["customer_id"] == subject
        other = gateway.visitor(subject[:-1] + "x", session=visitor.session)
        assert problem(await other.gets("status")) == (403, "session_forbidden")


async def test_mesh_offers_the_staff_services_that_it_has(gateway: Gateway) -> None:
    desk = Desk(gateway)
    services = {service["name"]: service for service in (await desk.gets("services")).body["services"]}
    assert set(services) == {"AirlineRecords", "Approvals", "Cases", "IdentityRecords"}
    assert services["Cases"]["handlers"] == ["close", "list", "note", "read"]
    dumped = await desk.posts("services/AirlineRecords/dump", changed_only=True)
    assert set(dumped.body) == {"users", "reservations", "flights"}
    for path in ("services/Accounts/get_balance", "services/Nothing/list", "services/Cases/forget"):
        answer = await desk.posts(path)
        assert problem(answer) == (404, "not_offered"), path
    given = await desk.posts("services/Cases/close", case_id="case-1", outcome="x", by="somebody else")
    assert problem(given) == (400, "request_invalid")
    assert "comes from your token" in given.text
    invalid = await desk.posts("services/Cases/close", case_id="case-1", outcome="x", unknown="y")
    assert problem(invalid) == (400, "request_invalid")


@pytest.mark.parametrize("path", ["/v1/staff/services", "/v1/staff/approvals", "/v1/staff/cases"])
async def test_gateway_documents_the_staff_api(gateway: Gateway, path: str) -> None:
    async with gateway.laboratory.http.get(f"{gateway.ports.url}/v1/openapi.json") as response:
        operation = (await response.json())["paths"][path]["get"]
    assert {"401", "403", "503"} <= operation["responses"].keys()
    assert operation["security"] == [{"HTTPBearer": []}]


async def test_log_names_the_staff_member_and_the_service(gateway: Gateway) -> None:
    by = f"mia-{uuid4().hex[:8]}"
    assert (await Desk(gateway, by).gets("approvals")).status == 200
    logged = (gateway.laboratory.mesh.log("triage")).read_text()
    assert f"staff member {by} calls Approvals/list" in logged
    assert staff_token(by).rpartition(".")[2] not in logged
