"""The HTTP API of sessions: authentication, idempotency keys, and errors with a reason."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from switchboard.gateway.contract import ProblemDetails
from switchboard.session.contract import MESSAGE_MAX_BYTES
from switchboard.testing import calls, says, scene
from tests.gateway.front import Answer, Gateway, open_gateway
from tests.laboratory import LONG_MS

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


def problem(answer: Answer) -> tuple[int, str]:
    """Return status and code of a response that must be a problem by RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json"
    details = ProblemDetails.model_validate(answer.body)
    assert details.status == answer.status
    assert details.detail.endswith(".")
    return details.status, details.code


def unique() -> str:
    return str(uuid4())


async def test_message_returns_its_reply(gateway: Gateway) -> None:
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


async def test_same_key_returns_the_same_reply(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor, key = gateway.visitor(), unique()
    first, again = await asyncio.gather(*(visitor.says("hello", key) for _ in range(2)))
    assert (first.status, first.headers["idempotency-key"]) == (200, key)
    assert again.body == first.body
    # A key that the gateway generated works in the same way.
    second = await visitor.says("hello")
    assert (await visitor.says("hello", second.headers["idempotency-key"])).body == second.body
    assert second.body["turn"] == 2
    assert (await visitor.gets("status")).body["turns_total"] == 2


async def test_key_is_refused_for_a_different_request(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("pay Bob", says("paid")))
    visitor, key = gateway.visitor(), unique()
    first = await visitor.says("hello", key)
    other = await visitor.says("pay Bob", key)
    assert problem(other) == (422, "key_reused")
    assert "new key" in other.text
    # For Restate, a key of `send` and the same key of `steer` are two messages.
    for path, body in (("messages", {"text": "hello", "interrupt": True}), ("messages", {"text": "hello", "seen": 0})):
        assert problem(await visitor.posts(path, key, **body)) == (422, "key_reused")
    assert problem(await visitor.posts("interrupt", key)) == (422, "key_reused")
    assert problem(await visitor.posts("decline", key, held_id="x")) == (422, "key_reused")
    assert (await visitor.says("hello", key)).body == first.body
    assert (await visitor.gets("status")).body["turns_total"] == 1


async def test_one_of_two_concurrent_messages_with_one_key_is_accepted(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("hey", says("hi")))
    visitor, key = gateway.visitor(), unique()
    answers = await asyncio.gather(visitor.says("hello", key), visitor.says("hey", key))
    assert sorted(answer.status for answer in answers) == [200, 422]
    assert (await visitor.gets("status")).body["turns_total"] == 1


async def test_equal_keys_of_two_customers_do_not_collide(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("for you alone")))
    alice, key = gateway.visitor(), unique()
    assert (await alice.says("hello", key)).status == 200
    # Restate answers a known key of a session before any handler checks who the caller is.
    mallory = await gateway.visitor("mallory", session=alice.session).says("hello", key)
    assert problem(mallory) == (403, "session_forbidden")
    elsewhere = await gateway.visitor("bob").says("hello", key)
    assert (elsewhere.status, elsewhere.body["turn"]) == (200, 1)


async def test_key_of_a_signed_in_customer_is_refused_to_an_unverified_caller(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("for you alone")))
    alice, key = gateway.visitor(), unique()
    assert (await alice.says("hello", key)).status == 200
    claimed = gateway.visitor(session=alice.session, signed_in=False)
    assert problem(await claimed.says("hello", key)) == (403, "session_not_issued")
    assert problem(await claimed.gets("transcript")) == (403, "session_not_issued")


async def test_session_is_for_signed_in_callers_once_its_customer_has_signed_in(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("my balance", says("5 EUR, for you alone")))
    guest = gateway.visitor(signed_in=False)
    assert (await guest.says("hello")).status == 200
    alice, key = gateway.visitor(session=guest.session), unique()
    assert (await alice.says("my balance", key)).text == "5 EUR, for you alone"
    assert problem(await guest.says("my balance", key)) == (403, "session_forbidden")
    assert problem(await guest.gets("transcript")) == (403, "session_forbidden")


async def test_gateway_makes_the_id_of_a_session_before_sign_in(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    http, url = gateway.laboratory.http, f"{gateway.ports.url}/v1/sessions"
    guest = gateway.visitor(signed_in=False)
    ids = set()
    for _ in range(3):
        async with http.post(url, headers={"authorization": f"Bearer {guest.token}"}) as response:
            assert response.status == 201
            guest.session = (await response.json())["session_id"]
        ids.add(guest.session)
        assert (await guest.says("hello")).status == 200
    assert len(ids) == 3
    async with http.post(url) as response:
        assert response.status == 401


async def test_session_knows_whether_the_customer_is_signed_in(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    guest, signed_in = gateway.visitor(signed_in=False), gateway.visitor()
    for visitor in (guest, signed_in):
        assert (await visitor.says("hello")).status == 200
        status = (await visitor.gets("status")).body
        assert (status["customer_id"], status["signed_in"]) == ("alice", visitor.signed_in)


@pytest.mark.parametrize("path", ["transcript", "status"])
async def test_session_of_another_customer_is_forbidden(gateway: Gateway, path: str) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    alice = gateway.visitor()
    await alice.says("hello")
    bob = gateway.visitor("bob", session=alice.session)
    answer = await bob.gets(path)
    assert problem(answer) == (403, "session_forbidden")
    assert answer.text == "This session belongs to another customer. Start one of your own."
    assert problem(await bob.posts("interrupt")) == (403, "session_forbidden")
    assert problem(await bob.posts("confirm", held_id="x")) == (403, "session_forbidden")


async def test_unknown_session_is_not_found(gateway: Gateway) -> None:
    visitor = gateway.visitor()
    for path in ("transcript", "status"):
        assert problem(await visitor.gets(path)) == (404, "session_unknown")
    assert problem(await visitor.posts("decline", held_id="x")) == (404, "session_unknown")


async def test_transcript_is_paged(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    for _ in range(3):
        await visitor.says("hello")
    page = (await visitor.gets("transcript?after=1&limit=1")).body
    assert ([turn["turn"] for turn in page["turns"]], page["turns_total"]) == ([2], 3)
    assert problem(await visitor.gets("transcript?limit=51")) == (400, "request_invalid")


async def test_interrupt_stops_the_running_turn(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    slow = calls(("wait", {"name": name, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow), scene("next", says("here")))
    visitor = gateway.visitor()
    message = asyncio.create_task(visitor.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    key = unique()
    assert (await visitor.posts("interrupt", key)).body == {"interrupted": True}
    assert (await message).body["interrupted"]
    # The retry returns the first answer and does not interrupt again.
    assert (await visitor.posts("interrupt", key)).body == {"interrupted": True}
    assert (await visitor.posts("interrupt")).body == {"interrupted": False}
    assert (await visitor.says("next")).text == "here"


async def test_message_with_interrupt_replaces_the_running_one(gateway: Gateway) -> None:
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


async def test_confirmation_acts_only_once(gateway: Gateway) -> None:
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


async def test_declined_action_is_not_carried_out(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(scene("pay", TO_PROBE, calls(("pay", {"to": name, "amount": "5"}))))
    visitor = gateway.visitor()
    question = await visitor.says("pay")
    answer = await visitor.posts("decline", held_id=question.body["confirmation"]["held_id"])
    assert (answer.status, answer.text) == (200, "Okay, I won't do that.")
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 0


async def test_yes_to_an_unseen_question_confirms_nothing(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(
        scene("pay", TO_PROBE, calls(("pay", {"to": name, "amount": "5"}))), scene("yes", says("yes to what?"))
    )
    visitor = gateway.visitor()
    await visitor.says("pay")
    assert (await visitor.says("yes", seen=0)).text == "yes to what?"
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 0


# The body, the expected status and code, and a word of the detail.
INVALID = [
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


@pytest.mark.parametrize(("body", "status", "code", "word"), INVALID)
async def test_invalid_body_is_refused_with_a_reason(
    gateway: Gateway, body: bytes, status: int, code: str, word: str
) -> None:
    visitor = gateway.visitor()
    answer = await visitor.calls("POST", "messages", {"content-type": "application/json"}, data=body)
    assert problem(answer) == (status, code)
    assert word in answer.text
    assert (await visitor.gets("status")).status == 404


async def test_message_of_exactly_8_kib_is_accepted(gateway: Gateway) -> None:
    text = "é" * (MESSAGE_MAX_BYTES // 2)
    await gateway.laboratory.model.plays(scene(text, says("long")))
    assert (await gateway.visitor().says(text)).text == "long"


async def test_chunked_body_is_limited_too(gateway: Gateway) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1_000

    answer = await gateway.visitor().calls("POST", "messages", {"content-type": "application/json"}, data=chunks())
    assert problem(answer) == (413, "content_too_large")


@pytest.mark.parametrize("session", ["a%20b", "a%2Fb", "x" * 65, "ä"])
async def test_invalid_session_id_is_refused(gateway: Gateway, session: str) -> None:
    answer = await gateway.visitor(session=session).says("hi")
    assert problem(answer) in ((400, "request_invalid"), (404, "not_found"))


@pytest.mark.parametrize("session", [".", "..", "%2e", "%2E%2E"])
async def test_session_id_of_dots_is_refused(gateway: Gateway, session: str) -> None:
    """`/v1/sessions/./messages`, as `curl --path-as-is` sends it, must not reach a session called `send`."""
    answer = await gateway.visitor(session=session).calls("POST", "messages", as_is=True, json={"text": "hi"})
    assert problem(answer) == (400, "request_invalid")
    assert "not '.' or '..' alone" in answer.text
    rows = await gateway.laboratory.query("SELECT id FROM sys_invocation WHERE target = 'Session/send/send'")
    assert rows == []


@pytest.mark.parametrize("key", ["x" * 129, "two words", "ä"])
async def test_invalid_idempotency_key_is_refused(gateway: Gateway, key: str) -> None:
    assert problem(await gateway.visitor().says("hi", key)) == (400, "request_invalid")


async def test_internal_headers_of_a_client_are_not_forwarded(gateway: Gateway) -> None:
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
    (message,) = await gateway.laboratory.query(
        f"SELECT id, trace_id FROM sys_invocation WHERE target = 'Session/{visitor.session}/send'"
    )
    assert "0123456789abcdef" not in str(message)
    assert (await visitor.gets("status")).body["customer_id"] == "alice"


async def test_request_without_a_valid_token_is_unauthorized(gateway: Gateway) -> None:
    visitor = gateway.visitor()
    url = f"{visitor.url}/v1/sessions/{visitor.session}"
    requests = [("POST", "messages"), ("POST", "confirm"), ("POST", "decline"), ("POST", "interrupt")]
    for method, path in (*requests, ("GET", "transcript"), ("GET", "status")):
        async with gateway.laboratory.http.request(method, f"{url}/{path}", json={"text": "hi"}) as response:
            assert response.status == 401, path
            assert response.headers["www-authenticate"] == 'Bearer realm="switchboard"'
            assert (await response.json(content_type=None))["code"] == "unauthorized"
    answer = await visitor.calls("GET", "status", {"authorization": "Bearer x.y.z"})
    assert problem(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="switchboard", error="invalid_token"'


async def test_other_restate_handlers_cannot_be_reached(gateway: Gateway) -> None:
    http = gateway.laboratory.http
    for path in ("/Session/s/send", "/restate/health", "/Approvals/list", "/v1/sessions/s/notify", "/metrics", "/docs"):
        async with http.post(f"{gateway.ports.url}{path}", json={}) as response:
            assert response.status == 404, path
            assert (await response.json(content_type=None))["detail"]


async def test_openapi_document_lists_all_operations(gateway: Gateway) -> None:
    async with gateway.laboratory.http.get(f"{gateway.ports.url}/v1/openapi.json") as response:
        document = await response.json()
    customers = [path for path in document["paths"] if not path.startswith("/v1/staff/")]
    assert sorted(path.removeprefix("/v1/sessions/{session_id}/") for path in customers) == [
        "/v1/agui",
        "/v1/sessions",
        "confirm",
        "decline",
        "events",
        "interrupt",
        "messages",
        "status",
        "transcript",
        "turns/{turn}/rating",
    ]


async def test_requests_above_the_limit_get_a_503(gateway: Gateway, tmp_path: Any) -> None:
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

        async def free_again() -> bool:
            """The place is free some time after the answer has come."""
            return (await visitor.gets("status")).status == 200

        await laboratory.until(free_again)


async def test_late_reply_is_returned_by_a_retry_with_the_same_key(gateway: Gateway, tmp_path: Any) -> None:
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


async def test_log_names_the_route_but_not_the_message(gateway: Gateway) -> None:
    word = f"secret-{uuid4().hex}"
    await gateway.laboratory.model.plays(scene(word, says(word)))
    visitor = gateway.visitor()
    await visitor.says(word)
    await visitor.calls("POST", "messages", {"content-type": "application/json"}, data=word.encode())
    await visitor.posts("messages", text=word, unknown=word)
    answered = "POST /v1/sessions/{session_id}/messages 200 in"
    # The gateway logs a request after its answer. The last of these is logged after the others.
    assert (await visitor.calls("POST", f"turns/{word}/rating", json={})).status == 400
    unrated = "POST /v1/sessions/{session_id}/turns/{turn}/rating 400 in"
    await gateway.laboratory.until(lambda: gateway.logged(answered) and gateway.logged(unrated))
    recorded = gateway.process.log.read_text() + await gateway.metrics()
    assert word not in recorded
    assert visitor.token not in recorded
