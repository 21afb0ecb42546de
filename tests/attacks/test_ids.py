"""Foreign, forged and malformed ids, idempotency keys and bodies: each gets its status, and nothing changes."""

import json
from typing import Any

import pytest

from switchboard.session_ids import make_session_id
from switchboard.speaker import SpeakerKeys
from tests.attacks.mesh import ATTACKER, VICTIM, VICTIMS_TEXT, Attacked

OPERATIONS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("POST", "messages", {"text": "yes"}),
    ("POST", "messages", {"text": "yes", "interrupt": True}),
    ("POST", "confirm", {"held_id": "{held_id}"}),
    ("POST", "decline", {"held_id": "{held_id}"}),
    ("POST", "interrupt", None),
    ("GET", "transcript", None),
    ("GET", "status", None),
)
NAMES = [f"{method} {path}{' interrupt' if body and 'interrupt' in body else ''}" for method, path, body in OPERATIONS]


def filled(attacked: Attacked, body: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if body is None else json.loads(json.dumps(body).replace("{held_id}", attacked.held_id))


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS, ids=NAMES)
async def test_session_of_another_customer_is_forbidden(
    attacked: Attacked, method: str, path: str, body: dict[str, Any] | None
) -> None:
    attacker = attacked.attacker(session=attacked.victim.session)
    async with attacked.nothing_changes():
        answer = await attacker.calls(method, path, json=filled(attacked, body))
    assert (answer.status, answer.body["code"]) == (403, "session_forbidden")
    assert VICTIMS_TEXT not in answer.text


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS, ids=NAMES)
async def test_customer_who_only_claims_to_be_the_victim_is_forbidden(
    attacked: Attacked, method: str, path: str, body: dict[str, Any] | None
) -> None:
    claimed = attacked.gateway.visitor(VICTIM, session=attacked.victim.session, signed_in=False)
    async with attacked.nothing_changes():
        answer = await claimed.calls(method, path, json=filled(attacked, body))
    assert (answer.status, answer.body["code"]) == (403, "session_not_issued")


FOREIGN_KEYS = SpeakerKeys(["the key of another mesh, 32 bytes and more"])


@pytest.mark.parametrize(
    "made",
    [
        lambda own: "s-1",
        lambda own: "guest-alice",
        lambda own: make_session_id(ATTACKER, own),
        lambda own: make_session_id(VICTIM, FOREIGN_KEYS),
        lambda own: make_session_id(VICTIM, None),
        lambda own: make_session_id(VICTIM, own)[:-1],
        lambda own: make_session_id(VICTIM, own).rpartition(".")[0],
        lambda own: make_session_id(VICTIM, own).swapcase(),
    ],
    ids=["chosen", "guessed", "another's", "another mesh", "no key", "cut", "no tag", "changed"],
)
async def test_session_before_sign_in_needs_an_id_of_the_gateway(attacked: Attacked, made: Any) -> None:
    guest = attacked.gateway.visitor(VICTIM, session=made(attacked.speaker), signed_in=False)
    async with attacked.nothing_changes():
        answer = await guest.says("hi")
    assert (answer.status, answer.body["code"]) == (403, "session_not_issued")


@pytest.mark.parametrize(
    "session",
    [".", "..", "%2e%2e", "%2E", "a%2Fb", "a%5Cb", "a%20b", "a%00b", "a%0d%0ab", "%F0%9F%92%A9", "x" * 65, "a;b", "%%"],
)
async def test_malformed_session_id_reaches_no_session(attacked: Attacked, session: str) -> None:
    attacker = attacked.attacker(session=session)
    async with attacked.nothing_changes():
        answer = await attacker.calls("POST", "messages", as_is=True, json={"text": "hi"})
    assert answer.status in (400, 404)
    assert answer.body["code"] in ("request_invalid", "not_found")


@pytest.mark.parametrize("path", ["send", "notify", "fold", "send_after_stop", "expire", "claim", "..%2fApprovals", ""])
async def test_paths_of_handlers_do_not_exist_at_the_gateway(attacked: Attacked, path: str) -> None:
    async with attacked.nothing_changes():
        answer = await attacked.attacker().calls("POST", path, as_is=True, json={"text": "hi"})
    assert answer.status in (404, 405)


@pytest.mark.parametrize("key", ["x" * 129, "two words", "ä", "tab\there"])
async def test_malformed_idempotency_key_is_refused(attacked: Attacked, key: str) -> None:
    async with attacked.nothing_changes():
        answer = await attacked.attacker().says("hi", key)
    assert (answer.status, answer.body["code"]) == (400, "request_invalid")


async def test_key_of_the_victim_returns_nothing_to_another_customer(attacked: Attacked) -> None:
    key = "a-key-that-is-guessed"
    own = attacked.attacker(session="victims-other-session")
    victim = attacked.gateway.visitor(VICTIM, session=own.session)
    assert (await victim.says("hi", key)).text == "hello"
    async with attacked.nothing_changes():
        assert (await own.says("hi", key)).status == 403
        # Restate scopes keys by session, and the gateway by customer: no key of one reaches another.
        for spoofed in (f"{VICTIM}/signed-in/{own.session}/{key}", f"../{key}"):
            assert (await own.says("hi", spoofed)).status == 403


async def test_key_is_not_accepted_for_another_request(attacked: Attacked) -> None:
    attacker = attacked.attacker(session="attackers-key")
    assert (await attacker.says("hi", "k")).status == 200
    async with attacked.nothing_changes():
        for body in ({"text": VICTIMS_TEXT}, {"text": "hi", "seen": 0}, {"text": "hi", "interrupt": True}):
            answer = await attacker.posts("messages", "k", **body)
            assert (answer.status, answer.body["code"]) == (422, "key_reused")


DEEP = b'{"text":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
BODIES: dict[str, tuple[bytes, str]] = {
    "customer": (b'{"text": "hi", "customer_id": "alice"}', "request_invalid"),
    "signed in": (b'{"text": "hi", "signed_in": true}', "request_invalid"),
    "session": (b'{"text": "hi", "session_id": "victims-session"}', "request_invalid"),
    "prototype": (b'{"text": "hi", "__proto__": {}}', "request_invalid"),
    "array": (b'[{"text": "hi"}]', "request_invalid"),
    "text is a list": (b'{"text": ["hi"]}', "request_invalid"),
    "text is an object": (b'{"text": {"$ne": null}}', "request_invalid"),
    "text is null": (b'{"text": null}', "request_invalid"),
    "text is a number": (b'{"text": 7}', "request_invalid"),
    "seen is huge": (b'{"text": "hi", "seen": 1e400}', "request_invalid"),
    "seen is negative": (b'{"text": "hi", "seen": -1}', "request_invalid"),
    "interrupt is text": (b'{"text": "hi", "interrupt": "maybe"}', "request_invalid"),
    "lone surrogate": (b'{"text": "\\ud800"}', "request_invalid"),
    "no UTF-8": (b'{"text": "\xff\xfe"}', "request_invalid"),
    "two values": (b'{"text": "hi"}{"text": "ho"}', "request_invalid"),
    "deep": (DEEP, "request_invalid"),
    "no JSON": (b"text=hi", "request_invalid"),
    "XML": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "request_invalid"),
    "empty": (b"", "request_invalid"),
    "64 KiB": (b'{"text": "' + b"a" * 65_536 + b'"}', "content_too_large"),
    "9 KiB": (b'{"text": "' + b"a" * 9_000 + b'"}', "message_too_large"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_malformed_body_is_refused(attacked: Attacked, name: str) -> None:
    body, code = BODIES[name]
    async with attacked.nothing_changes():
        answer = await attacked.attacker().calls("POST", "messages", {"content-type": "application/json"}, data=body)
    assert (answer.status, answer.body["code"]) == ({"request_invalid": 400}.get(code, 413), code)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
    ids=["text", "form", "gzip"],
)
async def test_body_of_another_type_is_refused(attacked: Attacked, headers: dict[str, str]) -> None:
    """A page can send the first two types to another site without the browser's permission."""
    async with attacked.nothing_changes():
        answer = await attacked.attacker().calls("POST", "messages", headers, data=b"\x1f\x8b not gzip")
    assert (answer.status, answer.body["code"]) == (400, "request_invalid")
