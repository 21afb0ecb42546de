"""The middleware and the buffering of bodies, also when the gateway has a bug or the client is slow."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from switchboard.gateway import body as bodies
from switchboard.gateway.api import create_app
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import SharedSecret, TokenVerifier
from switchboard.gateway.ingress import Ingress
from switchboard.gateway.middleware import RequestMiddleware
from switchboard.gateway.places import Places
from switchboard.gateway.probes import Readiness
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.settings import TokenSettings
from switchboard.gateway.token import mint
from switchboard.ingress import Submitted
from switchboard.messages import WireModel
from switchboard.session.contract import ClaimedKey
from switchboard.telemetry.logs import JsonFormatter
from tests.unit.gateway.asgi import Answer, body, post

SECRET = "a secret of the tests, long enough for HS256"
SETTINGS = TokenSettings.model_validate({"GATEWAY_JWT_SECRET": SECRET, "GATEWAY_JWKS_URL": ""})
WORD = "secret-4711"


class FaultyIngress(Ingress):
    """A client of Restate with a bug whose error quotes what a customer wrote."""

    def __init__(self) -> None:
        pass

    async def claim(self, session_id: str, key: ClaimedKey, idempotency_key: str) -> bool:
        return True

    async def submit(self, session_id: str, handler: str, request: WireModel, idempotency_key: str) -> Submitted:
        raise ValueError(f"cannot send {request}")


def middleware() -> RequestMiddleware:
    session_client = SessionClient(FaultyIngress(), timedelta(seconds=1))
    tokens, readiness = TokenVerifier(SETTINGS, SharedSecret(SECRET)), Readiness(session_client.ready)
    return RequestMiddleware(create_app(session_client, tokens, readiness, Places(10), Hub(ViewerLimits(1, 1, 1))), 10)


async def send(*chunks: bytes, ends: bool = True, kind: str = "application/json", token: str | None = None) -> Answer:
    """Send a body in these chunks; with `ends=False` it announces another one. The token is valid by default."""
    if token is None:
        token = mint(SETTINGS, "alice", timedelta(minutes=1), datetime.now(UTC))
    headers = {"authorization": f"Bearer {token}", "content-type": kind}
    events = [body(chunk, more=True) for chunk in chunks[:-1]] + [body(chunks[-1], more=not ends)]
    return await post(middleware(), "/v1/sessions/s/messages", headers, events)


async def test_gateway_hides_the_words_of_an_unexpected_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = await send(json.dumps({"text": WORD}).encode())
    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    # The client sent no key; it can retry with the one that the gateway generated.
    assert len(answer.headers["idempotency-key"]) == 32
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert any("ValueError at" in line for line in lines)
    assert WORD not in "".join(lines) + str(answer)


@pytest.mark.parametrize("chunks", [1, 2, 70])
async def test_gateway_joins_a_body_that_arrives_in_chunks(chunks: int) -> None:
    content = json.dumps({"text": "x", "pad": "y" * 1_000}).encode()
    size = len(content) // chunks + 1
    answer = await send(*(content[at : at + size] for at in range(0, len(content), size)))
    # The body was read completely: the refusal names the unknown field.
    assert (answer.status, "pad" in answer.body["detail"]) == (400, True)


async def test_gateway_times_out_a_body_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", timedelta(milliseconds=50))
    answer = await send(b'{"text": ', ends=False)
    assert (answer.status, answer.body["code"]) == (408, "request_timeout")


@pytest.mark.parametrize("token", ["", "x.y.z", mint(SETTINGS, "alice", timedelta(minutes=-9), datetime.now(UTC))])
async def test_gateway_does_not_wait_for_the_body_of_an_unauthenticated_client(token: str) -> None:
    """Otherwise unauthenticated clients could hold all slots for as long as a body may take."""
    answer = await send(b'{"text": ', ends=False, token=token)
    assert (answer.status, answer.body["code"]) == (401, "unauthorized")


async def test_gateway_does_not_read_a_body_beyond_the_limit() -> None:
    answer = await send(*(b" " * 64_000 for _ in range(100)))
    assert (answer.status, answer.body["code"]) == (413, "content_too_large")


async def test_gateway_refuses_a_body_of_another_content_type() -> None:
    answer = await send(b'{"text": "x"}', kind="text/plain")
    assert (answer.status, answer.body["code"]) == (400, "request_invalid")
