"""Forged, stale and confused tokens at the gateway: each gets a 401, and nothing changes."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from switchboard.gateway.identity import secret_key
from switchboard.testing import JSON
from tests.attacks.mesh import VICTIM, VICTIMS_TEXT, Attacked
from tests.gateway.front import SECRET
from tests.unit.gateway.test_identity import EC_KEY, HS_REFUSED, RS_REFUSED, claims


async def send(attacked: Attacked, url: str, headers: dict[str, str]) -> tuple[int, JSON]:
    """Send the victim's message with these headers."""
    path = f"{url}/v1/sessions/{attacked.victim.session}/messages"
    async with attacked.laboratory.http.post(path, json={"text": VICTIMS_TEXT}, headers=headers) as response:
        assert response.headers["content-type"] in ("application/problem+json", "application/json")
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize("token", [row[1] for row in HS_REFUSED], ids=[row[0] for row in HS_REFUSED])
async def test_token_is_refused_with_a_shared_secret(attacked: Attacked, token: str) -> None:
    async with attacked.nothing_changes():
        status, body = await send(attacked, attacked.gateway.ports.url, {"authorization": f"Bearer {token}"})
    assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("token", [row[1] for row in RS_REFUSED], ids=[row[0] for row in RS_REFUSED])
async def test_token_is_refused_with_an_identity_provider(attacked: Attacked, token: str) -> None:
    async with attacked.nothing_changes():
        status, body = await send(attacked, attacked.tokens_url, {"authorization": f"Bearer {token}"})
    assert (status, body["code"]) == (401, "unauthorized")


async def test_valid_token_of_the_identity_provider_is_accepted(attacked: Attacked) -> None:
    """The control: the rows above are refused for their fault, not for the way in which they are made."""
    token = jwt.encode(claims(sub="ivan"), EC_KEY, "ES256", {"kid": "ec"})
    url = f"{attacked.tokens_url}/v1/sessions/ivans/messages"
    async with (
        attacked.only_changes("ivans"),
        attacked.laboratory.http.post(
            url, json={"text": "hi"}, headers={"authorization": f"Bearer {token}"}
        ) as response,
    ):
        assert response.status == 200, await response.text()


def token_of(**more: object) -> str:
    at = datetime.now(UTC)
    payload = {"sub": VICTIM, "exp": at + timedelta(minutes=5), **more}
    return jwt.encode(payload, secret_key(SECRET), algorithm="HS256")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic YWxpY2U6YWxpY2U=", "Token abc", "Bearer a b", "bearer: x", "Digest x"],
)
async def test_header_without_a_token_is_refused(attacked: Attacked, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with attacked.nothing_changes():
        status, body = await send(attacked, attacked.gateway.ports.url, headers)
    assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("place", ["?access_token={}", "?token={}", "?authorization=Bearer%20{}"])
async def test_token_in_the_url_is_refused(attacked: Attacked, place: str) -> None:
    url = f"{attacked.gateway.ports.url}/v1/sessions/{attacked.victim.session}/status{place.format(token_of())}"
    async with attacked.nothing_changes(), attacked.laboratory.http.get(url) as response:
        assert response.status == 401


@pytest.mark.parametrize("header", ["cookie", "x-forwarded-user", "x-customer-id", "proxy-authorization"])
async def test_identity_in_another_header_is_refused(attacked: Attacked, header: str) -> None:
    async with attacked.nothing_changes():
        status, _ = await send(attacked, attacked.gateway.ports.url, {header: f"Bearer {token_of()}"})
    assert status == 401


@pytest.mark.parametrize("acr", ["0", 0, False, [], ["1"], {"acr": "1"}, 1, 1.5, True])
async def test_token_that_does_not_prove_sign_in_cannot_use_a_signed_in_session(
    attacked: Attacked, acr: object
) -> None:
    """`acr` that says 0, or that is no text, is from a customer who has only claimed who they are."""
    headers = {"authorization": f"Bearer {token_of(acr=acr)}"}
    async with attacked.nothing_changes():
        status, body = await send(attacked, attacked.gateway.ports.url, headers)
    assert (status, body["code"]) == (403, "session_not_issued")


async def test_key_of_the_mesh_signs_no_tokens_and_key_of_tokens_signs_no_requests(attacked: Attacked) -> None:
    (mesh_key,) = attacked.laboratory.mesh.speaker_environment.values()
    token = jwt.encode({"sub": VICTIM, "exp": datetime.now(UTC) + timedelta(minutes=5)}, mesh_key, algorithm="HS256")
    async with attacked.nothing_changes():
        status, _ = await send(attacked, attacked.gateway.ports.url, {"authorization": f"Bearer {token}"})
    assert status == 401
