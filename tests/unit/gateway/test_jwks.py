"""The identity provider's keys from a real server: caching, refresh and rate limit."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from switchboard.gateway import jwks
from switchboard.gateway.identity import TokenRefused
from switchboard.gateway.jwks import (
    CACHE_LIFETIME,
    FETCH_INTERVAL_MIN,
    STALE_KEYS_MAX_AGE,
    KeysUnreadable,
    ProviderKeys,
    usable_keys,
)
from switchboard.gateway.problems import Problem

INTERVAL_S, LIFETIME_S, STALE_S = (
    span.total_seconds() for span in (FETCH_INTERVAL_MIN, CACHE_LIFETIME, STALE_KEYS_MAX_AGE)
)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def entry(kid: str, **more: Any) -> dict[str, Any]:
    return {**jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": kid, **more}


@dataclass
class Provider:
    """An identity provider, and the clock that its keys age by."""

    url: str = ""
    kids: list[str] = field(default_factory=lambda: ["first"])
    status: int = 200
    fetches: int = 0
    now: float = 1_000.0

    async def keys(self, _: web.Request) -> web.Response:
        self.fetches += 1
        await asyncio.sleep(0)
        return web.json_response({"keys": [entry(kid) for kid in self.kids]}, status=self.status)


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/keys", provider.keys)
    server = TestServer(app)
    await server.start_server()
    provider.url = str(server.make_url("/keys"))
    monkeypatch.setattr(jwks, "now", lambda: provider.now)
    yield provider
    await server.close()


@pytest.fixture
async def keys(provider: Provider) -> AsyncIterator[ProviderKeys]:
    async with aiohttp.ClientSession() as http:
        yield ProviderKeys(provider.url, http)


async def test_concurrent_requests_share_one_fetch(provider: Provider, keys: ProviderKeys) -> None:
    found = await asyncio.gather(*(keys.key("first") for _ in range(20)))
    assert {key.key_id for key in found} == {"first"}
    assert provider.fetches == 1


async def test_token_without_a_kid_uses_the_only_key(provider: Provider, keys: ProviderKeys) -> None:
    assert (await keys.key(None)).key_id == "first"
    provider.kids, provider.now = ["first", "second"], provider.now + LIFETIME_S + 1
    with pytest.raises(TokenRefused):
        await keys.key(None)


async def test_refresh_finds_a_new_key_and_drops_a_removed_one(provider: Provider, keys: ProviderKeys) -> None:
    await keys.key("first")
    provider.kids, provider.now = ["second"], provider.now + INTERVAL_S
    assert (await keys.key("second")).key_id == "second"
    with pytest.raises(TokenRefused, match="a key that its issuer does not publish"):
        await keys.key("first")


async def test_unknown_keys_are_fetched_at_a_limited_rate(provider: Provider, keys: ProviderKeys) -> None:
    for attempt in range(100):
        with pytest.raises(TokenRefused):
            await keys.key(f"invented-{attempt}")
    assert provider.fetches == 1
    provider.now += INTERVAL_S
    for attempt in range(100):
        with pytest.raises(TokenRefused):
            await keys.key(f"invented-{attempt}")
    assert provider.fetches == 2


async def test_revoked_key_is_refused_after_the_cache_lifetime(provider: Provider, keys: ProviderKeys) -> None:
    await keys.key("first")
    provider.kids = ["second"]
    provider.now += LIFETIME_S
    assert await keys.key("first")
    provider.now += 1
    with pytest.raises(TokenRefused):
        await keys.key("first")


async def test_cached_keys_stay_accepted_while_the_provider_is_down(provider: Provider, keys: ProviderKeys) -> None:
    await keys.key("first")
    provider.status = 500
    provider.now += STALE_S
    assert await keys.key("first")
    provider.now += 1
    with pytest.raises(Problem) as unavailable:
        await keys.key("first")
    assert (unavailable.value.status, unavailable.value.headers["retry-after"]) == (503, "10")
    provider.status, provider.now = 200, provider.now + INTERVAL_S
    assert await keys.key("first")


async def test_provider_that_never_answered_is_a_503_and_not_a_401(provider: Provider, keys: ProviderKeys) -> None:
    provider.status = 404
    for _ in range(2):
        with pytest.raises(Problem, match="temporarily unavailable") as unavailable:
            await keys.key("first")
        assert unavailable.value.code == "identity_provider_away"
    assert provider.fetches == 1


WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
UNFIT = {
    "for encryption": entry("x", use="enc"),
    "a secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
    "short": {**jwt.algorithms.RSAAlgorithm.to_jwk(WEAK_RSA.public_key(), as_dict=True), "kid": "x"},
    "another curve": {
        **jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True),
        "kid": "x",
    },
    "private": {**jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY, as_dict=True), "kid": "x"},
    "broken": {"kty": "EC", "kid": "x", "crv": "P-256", "x": "?", "y": "?"},
    "numbers": entry("x", x=1),
    "declared for HMAC": entry("x", alg="HS256"),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_only_public_signature_keys_are_used(unfit: dict[str, Any]) -> None:
    assert list(usable_keys(json.dumps({"keys": [entry("good"), unfit]}).encode())) == ["good"]
    with pytest.raises(KeysUnreadable, match="none of its keys"):
        usable_keys(json.dumps({"keys": [unfit]}).encode())


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"keys": 1}', b'{"keys": ["x"]}', b"{}"])
def test_invalid_key_set_is_unreadable(content: bytes) -> None:
    with pytest.raises(KeysUnreadable, match="not a key set"):
        usable_keys(content)
