"""Only the console's own page, in a browser on this machine, gets a token from the gateway of a local mesh."""

import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from switchboard.gateway.identity import SharedSecret, TokenVerifier
from switchboard.gateway.local_sign_in import LIFETIME, add_local_sign_in
from switchboard.gateway.places import Places
from switchboard.gateway.problems import Problem, on_problem
from switchboard.gateway.settings import GatewaySettings
from tests.unit.gateway.asgi import Answer, body, post

SECRET = "a secret of the tests, long enough for HS256"
SETTINGS = {"GATEWAY_JWT_SECRET": SECRET, "GATEWAY_CONSOLE": "true", "GATEWAY_LOCAL_SIGN_IN": "alice,bob"}
OWN = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "content-type": "application/json"}


async def sign_in(headers: dict[str, str], person: Any, client: str = "127.0.0.1") -> Answer:
    settings = GatewaySettings.model_validate(SETTINGS)
    app = FastAPI()
    app.state.places = Places(10)
    app.add_exception_handler(Problem, on_problem)
    add_local_sign_in(app, settings)

    async def from_client(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": (client, 1)}, receive, send)

    return await post(from_client, "/console/token", headers, [body(json.dumps(person).encode())])


ALICE = {"role": "customer", "name": "alice"}


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("127.0.0.1:8000", {}),
        ("localhost:8000", {"sec-fetch-site": "same-origin"}),
        ("[::1]:8000", {}),
    ],
)
async def test_own_page_gets_a_token(host: str, more: dict[str, str]) -> None:
    answer = await sign_in({**OWN, "host": host, "origin": f"http://{host}", **more}, ALICE)
    assert answer.status == 200
    verifier = TokenVerifier(GatewaySettings.model_validate(SETTINGS), SharedSecret(SECRET))
    assert (await verifier.verify(answer.body["token"])).customer_id == "alice"


async def test_staff_token_is_one_of_staff_and_expires_soon() -> None:
    answer = await sign_in(OWN, {"role": "staff", "name": "mia"})
    verifier = TokenVerifier(GatewaySettings.model_validate(SETTINGS), SharedSecret(SECRET))
    claims = await verifier._claims(answer.body["token"], "sub")
    assert timedelta(seconds=claims["exp"] - claims["iat"]) == LIFETIME <= timedelta(hours=1)
    await verifier.verify_staff(answer.body["token"])


ATTACKS: dict[str, tuple[dict[str, str], str]] = {
    "a page of another site": ({"origin": "https://evil.example"}, "127.0.0.1"),
    "a page of another local port": ({"origin": "http://127.0.0.1:3000"}, "127.0.0.1"),
    "a page over TLS": ({"origin": "https://127.0.0.1:8000"}, "127.0.0.1"),
    "a sandboxed frame": ({"origin": "null"}, "127.0.0.1"),
    "a form of another site": ({"sec-fetch-site": "cross-site"}, "127.0.0.1"),
    "a page of a sibling site": ({"sec-fetch-site": "same-site"}, "127.0.0.1"),
    "a name that was pointed at this machine": (
        {"host": "evil.example:8000", "origin": "http://evil.example:8000"},
        "127.0.0.1",
    ),
    "a name that starts like an address": (
        {"host": "127.0.0.1.evil.example:8000", "origin": "http://127.0.0.1.evil.example:8000"},
        "127.0.0.1",
    ),
    "another machine": ({}, "192.0.2.7"),
    "a tunnel": ({"x-forwarded-for": "192.0.2.7"}, "127.0.0.1"),
    "a proxy": ({"forwarded": "for=192.0.2.7"}, "127.0.0.1"),
}


@pytest.mark.parametrize(("headers", "client"), ATTACKS.values(), ids=ATTACKS)
async def test_others_get_no_token(headers: dict[str, str], client: str) -> None:
    answer = await sign_in({**OWN, **headers}, ALICE, client)
    assert (answer.status, answer.body["code"]) == (403, "not_local")


async def test_request_without_an_origin_gets_no_token() -> None:
    answer = await sign_in({name: value for name, value in OWN.items() if name != "origin"}, ALICE)
    assert (answer.status, answer.body["code"]) == (403, "not_local")


@pytest.mark.parametrize(
    "environment",
    [
        {"HOST": "0.0.0.0", "SWITCHBOARD_SPEAKER_KEYS": "k" * 32},
        {"HOST": "::", "SWITCHBOARD_SPEAKER_KEYS": "k" * 32},
        {"GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8"},
        {
            "GATEWAY_JWT_SECRET": "",
            "GATEWAY_JWKS_URL": "https://login.example.com/keys",
            "GATEWAY_JWT_ISSUER": "https://login.example.com",
            "GATEWAY_JWT_AUDIENCE": "switchboard",
        },
    ],
)
def test_gateway_that_others_can_reach_refuses_to_start_with_local_sign_in(environment: dict[str, str]) -> None:
    GatewaySettings.model_validate(SETTINGS)
    with pytest.raises(ValueError, match="GATEWAY_LOCAL_SIGN_IN"):
        GatewaySettings.model_validate({**SETTINGS, **environment})
