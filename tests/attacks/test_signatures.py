"""Requests that reach Restate's ingress or a service without the gateway: unsigned, forged, stale and copied ones."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from switchboard.speaker import SPEAKER_HEADER, SpeakerKeys
from switchboard.testing import JSON, calls, says, scene
from tests.attacks.mesh import ATTACKER, SCENES, TO_PROBE, VICTIM, VICTIMS_SESSION, Attacked
from tests.gateway.desk import Desk
from tests.gateway.front import SECRET
from tests.laboratory import LONG_MS

HANDLERS = ("send", "confirm", "decline", "interrupt", "steer", "transcript", "status")
OTHER_KEY = SpeakerKeys(["a key that this mesh has never had"])


def body_for(attacked: Attacked, handler: str) -> bytes:
    """Return a request of the victim."""
    more: dict[str, JSON] = {
        "send": {"text": "yes"},
        "steer": {"text": "yes"},
        "confirm": {"held_id": attacked.held_id},
        "decline": {"held_id": attacked.held_id},
    }
    return json.dumps({"customer_id": VICTIM, **more.get(handler, {})}).encode()


async def post(attacked: Attacked, path: str, body: bytes, headers: Any = ()) -> tuple[int, str]:
    sent = [("content-type", "application/json"), *dict(headers).items()]
    async with attacked.laboratory.http.post(attacked.ingress_url + path, data=body, headers=sent) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("handler", HANDLERS)
async def test_unsigned_request_is_refused(attacked: Attacked, handler: str) -> None:
    async with attacked.nothing_changes():
        status, text = await post(attacked, f"/Session/{VICTIMS_SESSION}/{handler}", body_for(attacked, handler))
    assert status == 401
    assert "is not signed" in text
    assert attacked.held_id not in text


@pytest.mark.parametrize("handler", ["send", "confirm"])
async def test_unsigned_request_is_refused_when_nobody_waits_for_its_answer(attacked: Attacked, handler: str) -> None:
    async with attacked.nothing_changes():
        body = body_for(attacked, handler)
        status, text = await post(attacked, f"/Session/{VICTIMS_SESSION}/{handler}/send", body)
        assert status == 202
        url = f"{attacked.ingress_url}/restate/invocation/{json.loads(text)['invocationId']}/attach"
        async with attacked.laboratory.http.get(url) as response:
            assert response.status == 401


Forge = Callable[[Attacked, str, bytes], dict[str, str]]


def forge(attacked: Attacked, target: str, body: bytes, **header: Any) -> dict[str, str]:
    """Return a token with the mesh's own key and another header, as a holder of the key could not get it accepted."""
    (key,) = attacked.laboratory.mesh.speaker_environment.values()
    given = attacked.speaker.sign(target, body)[SPEAKER_HEADER]
    claims = jwt.decode(given, options={"verify_signature": False})
    algorithm = header.pop("alg", "HS256")
    kid = jwt.get_unverified_header(given)["kid"]
    secret = "" if algorithm == "none" else key
    return {SPEAKER_HEADER: jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid, **header})}


def token_of_customer() -> str:
    at = datetime.now(UTC)
    return jwt.encode({"sub": VICTIM, "exp": at + timedelta(minutes=5)}, SECRET, algorithm="HS256")


def signed(attacked: Attacked, target: str, body: bytes, **more: Any) -> dict[str, str]:
    return attacked.speaker.sign(target, body, **more)


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


FORGED: dict[str, Forge] = {
    "empty": lambda attacked, target, body: {SPEAKER_HEADER: ""},
    "no token": lambda attacked, target, body: {SPEAKER_HEADER: "trust me"},
    "three dots": lambda attacked, target, body: {SPEAKER_HEADER: "..."},
    "long": lambda attacked, target, body: {SPEAKER_HEADER: "a" * 4_000},
    "another key": lambda attacked, target, body: OTHER_KEY.sign(target, body),
    "key of customers' tokens": lambda attacked, target, body: SpeakerKeys([SECRET]).sign(target, body),
    "a customer's token": lambda attacked, target, body: {SPEAKER_HEADER: token_of_customer()},
    "alg none": lambda attacked, target, body: forge(attacked, target, body, alg="none"),
    "alg HS512": lambda attacked, target, body: forge(attacked, target, body, alg="HS512"),
    "another kid": lambda attacked, target, body: forge(attacked, target, body, kid="../../../dev/null"),
    "another session": lambda attacked, target, body: signed(attacked, target.replace(VICTIMS_SESSION, "s"), body),
    "another handler": lambda attacked, target, body: signed(attacked, target.rpartition("/")[0] + "/status", body),
    "no handler": lambda attacked, target, body: signed(attacked, target.rpartition("/")[0], body),
    "another object": lambda attacked, target, body: signed(attacked, target.replace("Session", "Sessions"), body),
    "another body": lambda attacked, target, body: signed(attacked, target, body.replace(b"alice", b"mallory")),
    "the body with a space": lambda attacked, target, body: signed(attacked, target, body + b" "),
    "no body": lambda attacked, target, body: signed(attacked, target, b""),
    "two minutes old": lambda attacked, target, body: signed(attacked, target, body, at=ago(minutes=2)),
    "a day old": lambda attacked, target, body: signed(attacked, target, body, at=ago(days=1)),
    "from the future": lambda attacked, target, body: signed(attacked, target, body, at=ago(minutes=-2)),
}


@pytest.mark.parametrize("handler", ["send", "confirm", "transcript"])
@pytest.mark.parametrize("name", FORGED)
async def test_forged_or_stale_signature_is_refused(attacked: Attacked, name: str, handler: str) -> None:
    body, target = body_for(attacked, handler), f"Session/{VICTIMS_SESSION}/{handler}"
    async with attacked.nothing_changes():
        status, text = await post(attacked, f"/{target}", body, FORGED[name](attacked, target, body))
    assert status == 401, text
    assert attacked.held_id not in text


async def test_signature_of_one_customer_opens_no_session_of_another(attacked: Attacked) -> None:
    """The gateway signs the attacker's own request, and that is all that they can do with it."""
    body = json.dumps({"customer_id": ATTACKER, "text": "yes"}).encode()
    target = f"Session/{VICTIMS_SESSION}/send"
    async with attacked.nothing_changes():
        status, _ = await post(attacked, f"/{target}", body, attacked.speaker.sign(target, body))
    assert status == 403


async def test_copy_of_a_signed_request_is_not_carried_out_again(attacked: Attacked) -> None:
    session, key = f"copied-{uuid4()}", uuid4().hex
    body, target = json.dumps({"customer_id": VICTIM, "text": "hi"}).encode(), f"Session/{session}/send"
    proof = attacked.speaker.sign(target, body, key)
    first = await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key})
    assert first[0] == 200
    # Another spelling of the same signature: its last character has two bits that no decoder reads.
    token = proof[SPEAKER_HEADER]
    respelled = token[:-1] + chr(ord(token[-1]) + 1)
    async with attacked.nothing_changes():
        assert await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key}) == first
        for more in ({}, {"idempotency-key": "another"}):
            status, text = await post(attacked, f"/{target}", body, {**proof, **more})
            assert (status, "already accepted" in text) == (409, True)
        # A verifier may refuse the other spelling, or read it as the same signature.
        assert (await post(attacked, f"/{target}", body, {SPEAKER_HEADER: respelled}))[0] in (401, 409)
        steer = await post(attacked, f"/Session/{session}/steer", body, proof)
        assert steer[0] == 401


async def test_signed_message_that_stops_a_turn_is_carried_out_once(attacked: Attacked) -> None:
    """`steer` accepts it only under its own key, and calls a private handler, which remembers the signature as well."""
    session, key = f"steered-{uuid4()}", uuid4().hex
    body, target = json.dumps({"customer_id": VICTIM, "text": "hi"}).encode(), f"Session/{session}/steer"
    proof = attacked.speaker.sign(target, body, key)
    first = await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key})
    assert first[0] == 200
    async with attacked.nothing_changes():
        assert await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key}) == first
        for more in ({}, {"idempotency-key": "another"}):
            assert (await post(attacked, f"/{target}", body, {**proof, **more}))[0] == 401
        without_a_key = attacked.speaker.sign(target, body)
        assert (await post(attacked, f"/{target}", body, without_a_key))[0] == 401


@pytest.mark.parametrize("handler", ["notify", "fold", "send_after_stop", "expire"])
async def test_private_handlers_are_closed_also_with_a_signature(attacked: Attacked, handler: str) -> None:
    body = json.dumps({"customer_id": VICTIM, "text": "You have won."}).encode()
    target = f"Session/{VICTIMS_SESSION}/{handler}"
    async with attacked.nothing_changes():
        status, text = await post(attacked, f"/{target}", body, attacked.speaker.sign(target, body))
    assert (status, "not public" in text) == (400, True)


async def test_unsigned_claim_changes_nothing(attacked: Attacked) -> None:
    async with attacked.nothing_changes():
        body = json.dumps({"digest": "0" * 64}).encode()
        status, text = await post(attacked, f"/Session/{VICTIMS_SESSION}/claim", body, {"idempotency-key": "guessed"})
    assert (status, json.loads(text)) == (200, {"digest": "0" * 64})


async def test_key_that_an_attacker_has_used_at_the_ingress_still_works(attacked: Attacked) -> None:
    """The attacker's refusal stays under the key for a day; the gateway takes the next one."""
    session, key = f"spoilt-{uuid4()}", "m-1"
    body = json.dumps({"customer_id": VICTIM, "text": "hi"}).encode()
    headers = {"idempotency-key": f"{VICTIM}/signed-in/{session}/{key}"}
    assert (await post(attacked, f"/Session/{session}/send", body, headers))[0] == 401
    answer = await attacked.gateway.visitor(VICTIM, session=session).says("hi", key)
    assert (answer.status, answer.text, answer.body["turn"]) == (200, "hello", 1)


async def test_claim_at_the_ingress_does_not_spoil_a_customers_key(attacked: Attacked) -> None:
    """The gateway claims a key under a name that only holders of the mesh's key can make."""
    session, key = f"claimed-{uuid4()}", "m-1"
    guessed = f"{VICTIM}/signed-in/{session}/{key}"
    body = json.dumps({"digest": "0" * 64}).encode()
    for name in (guessed, f"{guessed} ", f"{guessed} {OTHER_KEY.tag(guessed)}"):
        claimed = await post(attacked, f"/Session/{session}/claim", body, {"idempotency-key": name})
        assert claimed[0] == 200
    victim = attacked.gateway.visitor(VICTIM, session=session)
    assert (await victim.says("hi", key)).text == "hello"
    assert (await victim.says("hi", key)).body["turn"] == 1
    assert (await victim.says("hi again", key)).body["code"] == "key_reused"


async def test_unsigned_interrupt_does_not_spoil_a_customers_key(attacked: Attacked) -> None:
    session, key = f"unstopped-{uuid4()}", "stop-1"
    body = json.dumps({"customer_id": VICTIM}).encode()
    for name in (f"{VICTIM}/signed-in/{session}/{key}", f"{VICTIM}/signed-in/{session}/{key} 1"):
        assert (await post(attacked, f"/Session/{session}/interrupt", body, {"idempotency-key": name}))[0] == 401
    answer = await attacked.gateway.visitor(VICTIM, session=session).posts("interrupt", key)
    assert (answer.status, answer.body) == (200, {"interrupted": False})


async def test_requests_at_the_ingress_do_not_spoil_a_staff_members_key(attacked: Attacked) -> None:
    body = json.dumps({"by": "mia", "service": "Cases", "handler": "close", "request": {}}).encode()
    guessed = {"idempotency-key": "staff/mia/close-1"}
    assert (await post(attacked, "/StaffDoor/act", body, guessed))[0] == 401
    assert (await post(attacked, "/StaffDoor/claim", json.dumps({"digest": "0" * 64}).encode(), guessed))[0] == 200
    closed = await Desk(attacked.gateway, "mia").posts("cases/case-000000000000/close", "close-1", outcome="Refunded")
    assert (closed.status, closed.body["code"]) == (404, "record_unknown")


@pytest.mark.parametrize("handler", ["interrupt", "steer"])
async def test_copy_of_a_signed_stop_stops_no_later_turn(attacked: Attacked, handler: str) -> None:
    """The session runs it only under the key that it was signed for, and Restate answers that key from its table."""
    laboratory, name, key = attacked.laboratory, uuid4().hex, f"stop-{uuid4().hex}"
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow), *SCENES)
    customer = laboratory.customer(VICTIM)
    content = {"customer_id": VICTIM, **({"text": "hi"} if handler == "steer" else {})}
    body, target = json.dumps(content).encode(), f"Session/{customer.session}/{handler}"
    proof = attacked.speaker.sign(target, body, key)
    first = await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key})
    assert first[0] == 200
    running = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    assert await post(attacked, f"/{target}", body, {**proof, "idempotency-key": key}) == first
    for more in ({}, {"idempotency-key": "another"}, {"idempotency-key": f"{key} "}, {"idempotency-key": f"{key} 1"}):
        status, text = await post(attacked, f"/{target}", body, {**proof, **more})
        assert (status, "signed for another idempotency key" in text) in ((401, True), (200, False)), (more, text)
        if status == 200:
            assert text == first[1], "Restate answered the first key"
    assert (await customer.asks("status")).body["running"]
    assert (await customer.asks("interrupt")).body == {"interrupted": True}
    assert (await running).body["interrupted"]


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("triage", "/invoke/Session/send"),
        ("triage", "/invoke/Session/notify"),
        ("bank", "/invoke/Bank/take_turn"),
        ("tools", "/invoke/Accounts/get_balance"),
        ("tools", "/invoke/Approvals/approve"),
        ("tools", "/discover"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "unsigned", "v1"])
async def test_service_accepts_only_requests_of_its_restate(
    attacked: Attacked, service: str, path: str, scheme: str
) -> None:
    url = attacked.laboratory.mesh.addresses.service_url(service) + path
    token = jwt.encode({"aud": path, "exp": datetime.now(UTC) + timedelta(minutes=1)}, SECRET, algorithm="HS256")
    headers = {"content-type": "application/vnd.restate.invocation.v5"}
    if scheme:
        headers |= {"x-restate-signature-scheme": scheme, "x-restate-jwt-v1": token}
    async with attacked.nothing_changes(), attacked.laboratory.http.post(url, data=b"", headers=headers) as response:
        assert response.status == 401


async def test_turn_survives_a_rotation_after_which_its_key_is_refused(attacked: Attacked) -> None:
    """Restate replays the handler in a process that has only the new key. The signature was checked before."""
    laboratory, name = attacked.laboratory, uuid4().hex
    triage = laboratory.mesh.services["triage"]
    slow = calls(("hold", {"name": name}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow, says("it is done")), *SCENES)
    customer = laboratory.customer(VICTIM)
    running = asyncio.create_task(customer.says("go"))
    given = triage.environment
    try:
        await laboratory.until(lambda: laboratory.probed(f"start {name}"))
        await triage.stop()
        triage.environment = {**given, "SWITCHBOARD_SPEAKER_KEYS": "the only key after the rotation of 2026"}
        await triage.start()
        laboratory.release(name)
        assert (await running).text == "it is done"
        assert (await laboratory.customer(VICTIM).says("hi")).status == 401
    finally:
        await triage.stop()
        triage.environment = given
        await triage.start()
    assert (await laboratory.customer(VICTIM).says("hi")).status == 200


async def test_unsigned_interrupt_stops_no_turn(attacked: Attacked) -> None:
    laboratory, name = attacked.laboratory, uuid4().hex
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow), *SCENES)
    customer = laboratory.customer(VICTIM)
    running = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    body = json.dumps({"customer_id": VICTIM}).encode()
    for handler in ("interrupt", "steer"):
        assert (await post(attacked, f"/Session/{customer.session}/{handler}", body))[0] == 401
    assert (await customer.asks("status")).body["running"]
    assert (await customer.asks("interrupt")).body == {"interrupted": True}
    assert (await running).body["interrupted"]
