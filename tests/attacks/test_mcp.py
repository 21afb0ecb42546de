"""Attacks on the MCP server: foreign sessions, forged answers and tokens, other origins, sizes. Nothing changes."""

import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from switchboard.gateway.mcp_api import METADATA_PATH
from switchboard.session_ids import make_session_id
from switchboard.testing import JSON, says, scene
from tests.attacks.mesh import ATTACKER, SCENES, VICTIM, VICTIMS_SESSION, VICTIMS_TEXT, Attacked
from tests.gateway.front import Visitor, guest_token
from tests.unit.gateway.test_identity import EC_KEY, HS_REFUSED, ISSUER, RS_REFUSED, claims

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
HELD = "the victim's held_id"
"""Stands for the id of the victim's question, which is not known before the mesh runs."""


def called(tool: str, arguments: JSON, **more: Any) -> JSON:
    """Return the body of a tool's call."""
    meta = {f"{PREFIX}protocolVersion": VERSION, f"{PREFIX}clientCapabilities": {"elicitation": {}}}
    params = {"name": tool, "arguments": arguments, "_meta": {**meta, **more.pop("meta", {})}, **more}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def headers_for(body: Any, token: str | None) -> dict[str, str]:
    sent = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": VERSION,
    }
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if isinstance(body, dict):
        sent |= {"mcp-method": str(body.get("method")), "mcp-name": str(body.get("params", {}).get("name"))}
    return sent


async def send(
    attacked: Attacked, body: Any, token: str | None, more: Mapping[str, str] | None = None, url: str = ""
) -> tuple[int, Any, Mapping[str, str]]:
    """Send a request, and return status, body and headers."""
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    headers = {**headers_for(body, token), **(more or {})}
    path = f"{url or attacked.gateway.ports.url}/v1/mcp"
    async with attacked.laboratory.http.post(path, data=content, headers=headers) as response:
        return response.status, await response.json(content_type=None), response.headers


def problem_of(body: JSON) -> tuple[int, str]:
    """Return status and code of a call that failed."""
    assert body["result"]["isError"], body
    problem = body["result"]["_meta"]["switchboard-mesh/problem"]
    return problem["status"], problem["code"]


ASK = called("ask", {"text": VICTIMS_TEXT, "session_id": VICTIMS_SESSION})
IN_VICTIMS_SESSION = {
    "ask": ASK,
    "confirm": called("confirm", {"session_id": VICTIMS_SESSION, "held_id": HELD}),
    "decline": called("decline", {"session_id": VICTIMS_SESSION, "held_id": HELD}),
    "status": called("status", {"session_id": VICTIMS_SESSION}),
    "transcript": called("transcript", {"session_id": VICTIMS_SESSION}),
    "forged answer of a person": called(
        "ask",
        {"text": "hi"},
        requestState=json.dumps({"session_id": VICTIMS_SESSION, "held_id": HELD}),
        inputResponses={HELD: {"action": "accept", "content": {"confirmed": True}}},
    ),
    "progress of the victim": called("ask", {"text": "hi", "session_id": VICTIMS_SESSION}, meta={"progressToken": "p"}),
}


@pytest.mark.parametrize("what", IN_VICTIMS_SESSION)
async def test_tool_is_refused_in_another_customers_session(attacked: Attacked, what: str) -> None:
    body = json.dumps(IN_VICTIMS_SESSION[what]).replace(HELD, attacked.held_id)
    headers = headers_for(json.loads(body), None)
    async with attacked.nothing_changes():
        status, answer, _ = await send(attacked, body, attacked.attacker().token, headers)
    assert (status, problem_of(answer)) == (200, (403, "session_forbidden"))
    assert "Bob" not in str(answer)


async def test_question_of_the_victim_cannot_be_answered_in_the_attackers_session(attacked: Attacked) -> None:
    attacker = attacked.attacker()
    assert (await attacker.says("hi")).status == 200
    for tool in ("confirm", "decline"):
        body = called(tool, {"session_id": attacker.session, "held_id": attacked.held_id})
        async with attacked.nothing_changes():
            _, answer, _ = await send(attacked, body, attacker.token)
        assert problem_of(answer) == (409, "nothing_to_decide")


@pytest.mark.parametrize(
    "session",
    ["chosen", VICTIMS_SESSION, make_session_id(ATTACKER, None)],
    ids=["chosen", "the victim's", "unsigned"],
)
async def test_guest_cannot_use_a_session_that_the_gateway_has_not_made(attacked: Attacked, session: str) -> None:
    guest = attacked.gateway.visitor(VICTIM, signed_in=False)
    async with attacked.nothing_changes():
        _, answer, _ = await send(attacked, called("ask", {"text": "hi", "session_id": session}), guest.token)
    assert problem_of(answer) == (403, "session_not_issued")


async def test_guests_session_follows_from_a_key_only_for_the_same_token(attacked: Attacked) -> None:
    """Others may claim to be the same customer, and guess the key."""
    keyed = called("ask", {"text": "hi"}, meta={f"{PREFIX}idempotencyKey": "guessed"})
    await attacked.laboratory.model.plays(*SCENES)
    tokens = [guest_token(VICTIM), guest_token(VICTIM), guest_token(ATTACKER)]
    made = []
    for token in (*tokens, tokens[0]):
        _, answer, _ = await send(attacked, keyed, token)
        made.append(answer["result"]["structuredContent"]["session_id"])
    assert made[3] == made[0]
    assert len(set(made)) == len(tokens)
    other = Visitor(attacked.gateway.ports.url, attacked.laboratory.http, "bob", made[0], signed_in=False)
    assert (await other.gets("status")).status == 403
    keyless = called("ask", {"text": "hi"})
    _, answer, _ = await send(attacked, keyless, tokens[0])
    assert answer["result"]["structuredContent"]["session_id"] not in made


@pytest.mark.parametrize("token", [row[1] for row in HS_REFUSED], ids=[row[0] for row in HS_REFUSED])
async def test_token_is_refused_with_a_shared_secret(attacked: Attacked, token: str) -> None:
    async with attacked.nothing_changes():
        status, body, _ = await send(attacked, ASK, token)
    assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("token", [row[1] for row in RS_REFUSED], ids=[row[0] for row in RS_REFUSED])
async def test_token_is_refused_with_an_identity_provider_that_the_answer_names(attacked: Attacked, token: str) -> None:
    async with attacked.nothing_changes():
        status, body, headers = await send(attacked, ASK, token, url=attacked.tokens_url)
    assert (status, body["code"]) == (401, "unauthorized")
    assert f'resource_metadata="{attacked.tokens_url}{METADATA_PATH}"' in headers["www-authenticate"]


@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Basic YWxpY2U6YWxpY2U=", "Digest x"])
async def test_request_without_a_token_learns_where_to_get_one(attacked: Attacked, authorization: str | None) -> None:
    more = {} if authorization is None else {"authorization": authorization}
    async with attacked.nothing_changes():
        status, _, headers = await send(attacked, ASK, None, more, attacked.tokens_url)
    assert status == 401
    found = headers["www-authenticate"].partition('resource_metadata="')[2].rstrip('"')
    async with attacked.laboratory.http.get(found) as response:
        metadata = await response.json()
    assert metadata["resource"] == f"{attacked.tokens_url}/v1/mcp"
    assert metadata["authorization_servers"] == [ISSUER]
    # A gateway with a shared secret has no authorization server to name.
    async with attacked.laboratory.http.get(f"{attacked.gateway.ports.url}{METADATA_PATH}") as response:
        assert response.status == 404
    assert "resource_metadata" not in (await send(attacked, ASK, None, more))[2]["www-authenticate"]


async def test_token_for_the_mcp_server_is_good_for_nothing_else(attacked: Attacked) -> None:
    resource = f"{attacked.tokens_url}/v1/mcp"
    token = jwt.encode(claims(sub="ivan", aud=resource, roles=["staff"]), EC_KEY, "ES256", {"kid": "ec"})
    status, body, _ = await send(attacked, called("status", {"session_id": "x"}), token, url=attacked.tokens_url)
    assert (status, problem_of(body)) == (200, (404, "session_unknown"))
    for path in ("sessions/x/status", "staff/cases"):
        headers = {"authorization": f"Bearer {token}"}
        async with attacked.laboratory.http.get(f"{attacked.tokens_url}/v1/{path}", headers=headers) as response:
            assert response.status == 401


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1", "http://localhost:{port}", "https://127.0.0.1:{port}"],
)
async def test_page_of_another_origin_is_refused(attacked: Attacked, origin: str) -> None:
    sent = {"origin": origin.format(port=attacked.gateway.ports.http)}
    async with attacked.nothing_changes():
        status, body, _ = await send(attacked, ASK, attacked.victim.token, sent)
    assert (status, body["code"]) == (403, "origin_refused")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost:{port}", "127.0.0.1", "127.0.0.1:1"]
)
async def test_request_for_another_host_is_refused(attacked: Attacked, host: str) -> None:
    sent = {"host": host.format(port=attacked.gateway.ports.http)}
    async with attacked.nothing_changes():
        status, body, _ = await send(attacked, ASK, attacked.victim.token, sent)
    assert (status, body["code"]) == (421, "host_refused")


async def test_own_origin_is_accepted(attacked: Attacked) -> None:
    """The control of the rows above."""
    status, body, _ = await send(
        attacked,
        called("status", {"session_id": VICTIMS_SESSION}),
        attacked.victim.token,
        {"origin": attacked.gateway.ports.url},
    )
    assert status == 200
    assert body["result"]["structuredContent"]["confirmation"]["held_id"] == attacked.held_id


NESTED = "[" * 20_000 + "]" * 20_000
BODIES: dict[str, tuple[Any, dict[str, str], tuple[int, ...]]] = {
    "too long": (called("ask", {"text": "x" * 70_000}), {}, (413,)),
    "no JSON": ("{", {}, (400,)),
    "no UTF-8": (b"\xff\xfe{}", {}, (400,)),
    "deep": (NESTED, {}, (400,)),
    "list of calls": ([ASK, ASK], {}, (400,)),
    "response": ({"jsonrpc": "2.0", "id": 1, "result": {}}, {}, (400,)),
    "id is null": ({**ASK, "id": None}, {}, (400,)),
    "form of a web page": (ASK, {"content-type": "text/plain"}, (400,)),
    "accepts nothing of ours": (ASK, {"accept": "text/html"}, (406,)),
    "unknown version": (ASK, {"mcp-protocol-version": "2099-01-01"}, (400,)),
    "names another tool in its header": (ASK, {"mcp-name": "status"}, (400,)),
    "names another method in its header": (ASK, {"mcp-method": "tools/list"}, (400,)),
    "unknown method": ({**ASK, "method": "tasks/list"}, {}, (400, 404)),
    "unknown tool": (called("pay", {"to": "me"}), {}, (400,)),
}


@pytest.mark.parametrize("what", BODIES)
async def test_malformed_request_is_refused(attacked: Attacked, what: str) -> None:
    body, more, statuses = BODIES[what]
    async with attacked.nothing_changes():
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {**headers_for(body, attacked.victim.token), **more}
        url = f"{attacked.gateway.ports.url}/v1/mcp"
        async with attacked.laboratory.http.post(url, data=content, headers=headers) as response:
            assert response.status in statuses, await response.text()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused(attacked: Attacked, method: str) -> None:
    """There is no stream that a client could hold open, and no session of the protocol to end."""
    headers = headers_for(None, attacked.victim.token)
    url = f"{attacked.gateway.ports.url}/v1/mcp"
    async with attacked.nothing_changes(), attacked.laboratory.http.request(method, url, headers=headers) as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")


async def test_words_names_and_traces_of_a_client_are_recorded_nowhere(attacked: Attacked) -> None:
    attacker, word = attacked.attacker(), "zanzibarquark"
    await attacked.laboratory.model.plays(scene(word, says(word)), *SCENES)
    trace = "c0ffee00" * 4
    meta = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "progressToken": word}
    asked = called("ask", {"text": word, "session_id": attacker.session}, meta=meta)
    status = await send_streamed(attacked, asked, attacker.token)
    assert status == 200
    for hostile in (called(word, {}), {**asked, "method": word}, {**asked, "id": word}, {**asked, "params": {}}):
        await send_streamed(attacked, hostile, attacker.token)
    session = attacker.session.encode()
    await attacked.laboratory.until(
        lambda: any(session in export and b"tools/call ask" in export for export in attacked.spans)
    )
    await attacked.laboratory.model.plays(*SCENES)
    spans = b"".join(attacked.spans)
    assert bytes.fromhex(trace) not in spans
    written = attacked.gateway.process.log.read_text() + await attacked.gateway.metrics()
    assert word not in written
    assert word.encode() not in spans


async def send_streamed(attacked: Attacked, body: JSON, token: str) -> int:
    """Send a request whose answer may be a stream."""
    url = f"{attacked.gateway.ports.url}/v1/mcp"
    async with attacked.laboratory.http.post(url, json=body, headers=headers_for(body, token)) as response:
        await response.read()
        return response.status
