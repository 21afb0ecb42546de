"""The sessions over HTTP: for whoever the token proves, once under a key, and with a reason for every no."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from switchboard.gateway.contract import ProblemDetails
from switchboard.session.contract import MESSAGE_MAX_BYTES
from switchboard.testing import calls, says, scene
from tests.gateway.front import Answer, Gateway, open_gateway

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
LONG_MS = 60_000
"""Nobody waits for it: the test would fail long before."""


def problem(answer: Answer) -> tuple[int, str]:
    """The status and the code of what has to be a problem as RFC 9457 has it."""
    assert answer.headers["content-type"] == "application/problem+json"
    said = ProblemDetails.model_validate(answer.body)
    assert said.status == answer.status
    assert said.detail.endswith((".", "…`."))
    return said.status, said.code


def unique() -> str:
    return str(uuid4())


async def test_a_message_has_its_reply(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hello yourself")))
    answer = await gateway.visitor().says("hello")
    assert (answer.status, answer.text, answer.body["agent"], answer.body["turn"]) == (
        200,
        "hello yourself",
        "Triage",
        1,
    )
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["idempotency-key"]) == 32


async def test_the_same_key_is_the_same_message(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor, key = gateway.visitor(), unique()
    first, again = await asyncio.gather(*(visitor.says("hello", key) for _ in range(2)))
    assert (first.status, first.headers["idempotency-key"]) == (200, key)
    assert again.body == first.body
    # The key that the gateway has made is as good as one's own.
    second = await visitor.says("hello")
    assert (await visitor.says("hello", second.headers["idempotency-key"])).body == second.body
    assert second.body["turn"] == 2
    assert (await visitor.gets("status")).body["turns_total"] == 2


async def test_a_key_is_for_one_message(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("pay Bob", says("paid")))
    visitor, key = gateway.visitor(), unique()
    first = await visitor.says("hello", key)
    other = await visitor.says("pay Bob", key)
    assert problem(other) == (422, "key_reused")
    assert "new key" in other.text
    # Restate knows a key of `send` from one of `steer`: it would be a second message.
    for what, body in (("messages", {"text": "hello", "interrupt": True}), ("messages", {"text": "hello", "seen": 0})):
        assert problem(await visitor.posts(what, key, **body)) == (422, "key_reused")
    assert problem(await visitor.posts("interrupt", key)) == (422, "key_reused")
    assert problem(await visitor.posts("decline", key, held_id="x")) == (422, "key_reused")
    assert (await visitor.says("hello", key)).body == first.body
    assert (await visitor.gets("status")).body["turns_total"] == 1


async def test_of_two_messages_at_once_under_one_key_one_is_taken(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("hey", says("hi")))
    visitor, key = gateway.visitor(), unique()
    answers = await asyncio.gather(visitor.says("hello", key), visitor.says("hey", key))
    assert sorted(answer.status for answer in answers) == [200, 422]
    assert (await visitor.gets("status")).body["turns_total"] == 1


async def test_equal_keys_of_two_customers_do_not_meet(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("for you alone")))
    alice, key = gateway.visitor(), unique()
    assert (await alice.says("hello", key)).status == 200
    # Restate knows the key of that session and would answer before any handler has looked at who asks.
    mallory = await gateway.visitor("mallory", session=alice.session).says("hello", key)
    assert problem(mallory) == (403, "session_forbidden")
    elsewhere = await gateway.visitor("bob").says("hello", key)
    assert (elsewhere.status, elsewhere.body["turn"]) == (200, 1)


async def test_what_a_signed_in_customer_was_told_is_not_for_who_only_says_the_name(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("for you alone")))
    alice, key = gateway.visitor(), unique()
    assert (await alice.says("hello", key)).status == 200
    claimed = gateway.visitor(session=alice.session, signed_in=False)
    assert problem(await claimed.says("hello", key)) == (403, "session_forbidden")
    assert problem(await claimed.gets("transcript")) == (403, "session_forbidden")


async def test_who_is_not_signed_in_is_so_to_the_session(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    guest, signed_in = gateway.visitor(signed_in=False), gateway.visitor()
    for visitor in (guest, signed_in):
        assert (await visitor.says("hello")).status == 200
        status = (await visitor.gets("status")).body
        assert (status["customer_id"], status["signed_in"]) == ("alice", visitor.signed_in)


@pytest.mark.parametrize("what", ["transcript", "status"])
async def test_a_foreign_session_is_not_shown(gateway: Gateway, what: str) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    alice = gateway.visitor()
    await alice.says("hello")
    bob = gateway.visitor("bob", session=alice.session)
    answer = await bob.gets(what)
    assert problem(answer) == (403, "session_forbidden")
    assert answer.text == "This session belongs to another customer. Start one of your own."
    assert problem(await bob.posts("interrupt")) == (403, "session_forbidden")
    assert problem(await bob.posts("confirm", held_id="x")) == (403, "session_forbidden")


async def test_a_session_that_is_none_yet_is_not_found(gateway: Gateway) -> None:
    visitor = gateway.visitor()
    for what in ("transcript", "status"):
        assert problem(await visitor.gets(what)) == (404, "session_unknown")
    assert problem(await visitor.posts("decline", held_id="x")) == (404, "session_unknown")


async def test_the_transcript_is_read_page_by_page(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    for _ in range(3):
        await visitor.says("hello")
    page = (await visitor.gets("transcript?after=1&limit=1")).body
    assert ([turn["turn"] for turn in page["turns"]], page["turns_total"]) == ([2], 3)
    assert problem(await visitor.gets("transcript?limit=51")) == (400, "request_invalid")


async def test_a_turn_is_interrupted(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow), scene("next", says("here")))
    visitor = gateway.visitor()
    message = asyncio.create_task(visitor.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    key = unique()
    assert (await visitor.posts("interrupt", key)).body == {"interrupted": True}
    assert (await message).body["interrupted"]
    # The answer to an interrupt that is asked for again, and not a second one.
    assert (await visitor.posts("interrupt", key)).body == {"interrupted": True}
    assert (await visitor.posts("interrupt")).body == {"interrupted": False}
    assert (await visitor.says("next")).text == "here"


async def test_a_message_replaces_the_one_that_is_being_answered(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow), scene("rather this", says("this then")))
    visitor = gateway.visitor()
    message = asyncio.create_task(visitor.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    status = (await visitor.gets("status")).body
    assert status["running"]["since"]
    assert (await visitor.says("rather this", interrupt=True)).text == "this then"
    assert (await message).body["interrupted"]


async def test_a_yes_is_given_once(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    pay = calls(("pay", {"to": name, "amount": "5"}))
    await laboratory.model.plays(scene("pay", TO_PROBE, pay), scene("Yes.", says("never said"), says("paid")))
    visitor = gateway.visitor()
    question = await visitor.says("pay")
    held_id, key = question.body["confirmation"]["held_id"], unique()
    answers = await asyncio.gather(*(visitor.posts("confirm", key, held_id=held_id) for _ in range(2)))
    assert [(answer.status, answer.text) for answer in answers] == [(200, "paid")] * 2
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 1
    late = await visitor.posts("confirm", held_id=held_id)
    assert problem(late) == (409, "nothing_to_decide")


async def test_a_no_does_nothing(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(scene("pay", TO_PROBE, calls(("pay", {"to": name, "amount": "5"}))))
    visitor = gateway.visitor()
    question = await visitor.says("pay")
    answer = await visitor.posts("decline", held_id=question.body["confirmation"]["held_id"])
    assert (answer.status, answer.text) == (200, "Okay, I won't do that.")
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 0


async def test_a_yes_to_what_was_not_seen_is_none(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(
        scene("pay", TO_PROBE, calls(("pay", {"to": name, "amount": "5"}))), scene("yes", says("yes to what?"))
    )
    visitor = gateway.visitor()
    await visitor.says("pay")
    assert (await visitor.says("yes", seen=0)).text == "yes to what?"
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 0


# Each as it would be sent: the body, what it is called, and a word of the sentence.
UNFIT = [
    (b'{"text": "hi"', 400, "request_invalid", "JSON"),
    (b'{"text": "hi", "customer_id": "bob"}', 400, "request_invalid", "customer_id"),
    (b'{"text": "hi", "signed_in": true}', 400, "request_invalid", "signed_in"),
    (b"{}", 400, "request_invalid", "text"),
    (b'{"text": "  "}', 400, "request_invalid", "empty"),
    (b'{"text": "\\ud800"}', 400, "request_invalid", "half a character"),
    (b"", 400, "request_invalid", "body"),
    (json.dumps({"text": "é" * (MESSAGE_MAX_BYTES // 2 + 1)}).encode(), 413, "message_too_large", "8192"),
    (b'{"text": "' + b"a" * 200_000 + b'"}', 413, "content_too_large", "parts"),
]


@pytest.mark.parametrize(("body", "status", "code", "word"), UNFIT)
async def test_what_does_not_fit_is_refused_with_a_reason(
    gateway: Gateway, body: bytes, status: int, code: str, word: str
) -> None:
    visitor = gateway.visitor()
    answer = await visitor.calls("POST", "messages", {"content-type": "application/json"}, data=body)
    assert problem(answer) == (status, code)
    assert word in answer.text
    assert (await visitor.gets("status")).status == 404


async def test_a_message_of_just_8_kib_is_taken(gateway: Gateway) -> None:
    text = "é" * (MESSAGE_MAX_BYTES // 2)
    await gateway.laboratory.model.plays(scene(text, says("long")))
    assert (await gateway.visitor().says(text)).text == "long"


async def test_a_body_without_a_length_is_limited_as_well(gateway: Gateway) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1_000

    answer = await gateway.visitor().calls("POST", "messages", {"content-type": "application/json"}, data=chunks())
    assert problem(answer) == (413, "content_too_large")


@pytest.mark.parametrize("session", ["a%20b", "a%2Fb", "x" * 65, "ä"])
async def test_a_session_id_that_is_none_is_refused(gateway: Gateway, session: str) -> None:
    answer = await gateway.visitor(session=session).says("hi")
    assert problem(answer) in ((400, "request_invalid"), (404, "not_found"))


@pytest.mark.parametrize("session", [".", "..", "%2e", "%2E%2E"])
async def test_a_session_that_an_address_would_leave_out_is_refused(gateway: Gateway, session: str) -> None:
    """`/v1/sessions/./messages`, as `curl --path-as-is` sends it, is not a message to a session called `send`."""
    answer = await gateway.visitor(session=session).calls("POST", "messages", as_is=True, json={"text": "hi"})
    assert problem(answer) == (400, "request_invalid")
    assert "neither '.' nor '..'" in answer.text
    rows = await gateway.laboratory.mesh.admin.query("SELECT id FROM sys_invocation WHERE target = 'Session/send/send'")
    assert rows == []


@pytest.mark.parametrize("key", ["x" * 129, "two words", "ä"])
async def test_a_key_that_is_none_is_refused(gateway: Gateway, key: str) -> None:
    assert problem(await gateway.visitor().says("hi", key)) == (400, "request_invalid")


async def test_what_a_client_claims_in_headers_is_not_passed_on(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    claims = {
        "traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        "x-switchboard-sent-at": "1700000000000000000",
        "x-switchboard-call-id": "c-1",
        "x-restate-ingress-path": "/nowhere",
        "x-customer-id": "bob",
    }
    answer = await visitor.calls("POST", "messages", claims, json={"text": "hello"})
    assert answer.status == 200
    assert answer.body["trace_id"] != "0123456789abcdef0123456789abcdef"
    (message,) = await gateway.laboratory.mesh.admin.query(
        f"SELECT id, trace_id FROM sys_invocation WHERE target = 'Session/{visitor.session}/send'"
    )
    assert "0123456789abcdef" not in str(message)
    assert (await visitor.gets("status")).body["customer_id"] == "alice"


async def test_without_a_token_nobody_is_let_in(gateway: Gateway) -> None:
    visitor = gateway.visitor()
    url = f"{visitor.url}/v1/sessions/{visitor.session}"
    requests = [("POST", "messages"), ("POST", "confirm"), ("POST", "decline"), ("POST", "interrupt")]
    for method, what in (*requests, ("GET", "transcript"), ("GET", "status")):
        async with gateway.laboratory.http.request(method, f"{url}/{what}", json={"text": "hi"}) as response:
            assert response.status == 401, what
            assert response.headers["www-authenticate"] == 'Bearer realm="switchboard"'
            assert (await response.json(content_type=None))["code"] == "unauthorized"
    answer = await visitor.calls("GET", "status", {"authorization": "Bearer x.y.z"})
    assert problem(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="switchboard", error="invalid_token"'


async def test_nothing_else_of_restate_can_be_reached(gateway: Gateway) -> None:
    http = gateway.laboratory.http
    for path in ("/Session/s/send", "/restate/health", "/Approvals/list", "/v1/sessions/s/notify", "/metrics", "/docs"):
        async with http.post(f"{gateway.ports.url}{path}", json={}) as response:
            assert response.status == 404, path
            assert (await response.json(content_type=None))["detail"]


async def test_the_document_of_the_api_is_there(gateway: Gateway) -> None:
    async with gateway.laboratory.http.get(f"{gateway.ports.url}/v1/openapi.json") as response:
        document = await response.json()
    assert sorted(path.removeprefix("/v1/sessions/{session_id}/") for path in document["paths"]) == [
        "confirm",
        "decline",
        "interrupt",
        "messages",
        "status",
        "transcript",
    ]


async def test_more_requests_than_are_taken_are_told_to_come_back(gateway: Gateway, tmp_path: Any) -> None:
    laboratory, name = gateway.laboratory, unique()
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow))
    async with open_gateway(laboratory, tmp_path, {"GATEWAY_REQUESTS_MAX": "1"}) as small:
        visitor = small.visitor()
        message = asyncio.create_task(visitor.says("go"))
        await laboratory.until(lambda: laboratory.probed(f"start {name}"))
        busy = await visitor.gets("status")
        assert problem(busy) == (503, "busy")
        assert busy.headers["retry-after"] == "1"
        for probe in ("health", "ready"):
            async with laboratory.http.get(f"{small.ports.url}/{probe}") as response:
                assert response.status == 200
        await gateway.visitor(session=visitor.session).posts("interrupt")
        assert (await message).body["interrupted"]
        assert (await visitor.gets("status")).status == 200


async def test_a_reply_that_takes_too_long_comes_under_the_same_key(gateway: Gateway, tmp_path: Any) -> None:
    laboratory, name, key = gateway.laboratory, unique(), unique()
    meeting = calls(("meet", {"name": name, "parties": 2}))
    await laboratory.model.plays(
        scene("go", TO_PROBE, meeting, says("met")), scene("come", TO_PROBE, meeting, says(""))
    )
    async with open_gateway(laboratory, tmp_path, {"GATEWAY_REPLY_TIMEOUT": "PT1S"}) as hasty:
        visitor = hasty.visitor()
        late = await visitor.says("go", key)
        assert problem(late) == (504, "reply_late")
        assert late.headers["idempotency-key"] == key
        other = asyncio.create_task(hasty.visitor("bob").says("come"))
        assert (await gateway.visitor(session=visitor.session).says("go", key)).text == "met"
        await other


async def test_a_line_of_the_log_says_what_was_asked_and_not_what_was_said(gateway: Gateway) -> None:
    word = f"geheim-{uuid4().hex}"
    await gateway.laboratory.model.plays(scene(word, says(word)))
    visitor = gateway.visitor()
    await visitor.says(word)
    await visitor.calls("POST", "messages", {"content-type": "application/json"}, data=word.encode())
    await visitor.posts("messages", text=word, unknown=word)
    lines = [json.loads(line) for line in gateway.process.log.read_text().splitlines()]
    assert any(line["message"].startswith("POST /v1/sessions/{session_id}/messages 200 in") for line in lines)
    said = json.dumps(lines) + await gateway.metrics()
    assert word not in said
    assert visitor.token not in said
