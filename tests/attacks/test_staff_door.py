"""Attacks on the staff's services: at Restate's ingress, and at the gateway with other people's tokens."""

import json
from typing import Any

import pytest

from switchboard.speaker import SpeakerKeys
from tests.gateway.desk import Desk
from tests.gateway.front import Gateway

CLOSE = {"by": "mallory", "service": "Cases", "handler": "close", "request": {"case_id": "case-1", "outcome": "x"}}
OTHER = {**CLOSE, "by": "the director"}
EVIL = {"origin": "https://evil.example"}


def signed(keys: SpeakerKeys, target: str, content: Any) -> dict[str, str]:
    return keys.sign(target, json.dumps(content).encode())


async def test_staff_door_refuses_requests_that_the_gateway_did_not_sign(gateway: Gateway) -> None:
    mesh, http = gateway.laboratory.mesh, gateway.laboratory.http
    rows = {
        "no signature": {},
        "no signature, from a web page": EVIL,
        "another mesh's key": signed(SpeakerKeys(["x" * 32]), "StaffDoor/act", CLOSE),
        "signed for another handler": signed(mesh.speaker, "StaffDoor/read", CLOSE),
        "signed for a session": signed(mesh.speaker, "Session/s-1/send", CLOSE),
        "signed for another body": signed(mesh.speaker, "StaffDoor/act", OTHER),
        "no token in the header": {"x-switchboard-speaker": "x.y.z"},
    }
    for what, headers in rows.items():
        sent = {"content-type": "application/json", **headers}
        url = f"{mesh.addresses.ingress_url}/StaffDoor/act"
        async with http.post(url, data=json.dumps(CLOSE).encode(), headers=sent) as response:
            assert response.status == (403 if what.endswith("web page") else 401), (what, await response.text())


@pytest.mark.parametrize(
    "path",
    ["Approvals/approve", "Cases/close", "IdentityRecords/list", "AirlineRecords/dump", "CaseInbox/staff/close_case"],
)
async def test_staff_services_are_private_at_the_ingress(gateway: Gateway, path: str) -> None:
    mesh, http = gateway.laboratory.mesh, gateway.laboratory.http
    content = json.dumps(CLOSE["request"]).encode()
    headers = {"content-type": "application/json", **mesh.speaker.sign(path, content)}
    async with http.post(f"{mesh.addresses.ingress_url}/{path}", data=content, headers=headers) as response:
        assert response.status == 400
        assert "not public" in await response.text()


async def test_customers_token_opens_no_staff_path(gateway: Gateway) -> None:
    customer = Desk(gateway, token=gateway.visitor("mia").token)
    for path in (
        "approvals",
        "cases",
        "services",
        "customers/alice/identity-checks",
        "sessions",
        "sessions/s-1/transcript",
    ):
        answer = await customer.gets(path)
        assert (answer.status, answer.body["code"]) == (403, "staff_only"), path
