"""Verification of tokens: form, lifetime, issuer, audience, algorithm and signature."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.utils import base64url_encode

from switchboard.gateway.identity import Caller, NotStaff, SharedSecret, TokenRefused, TokenVerifier
from switchboard.gateway.jwks import usable_keys
from switchboard.gateway.settings import TokenSettings
from switchboard.gateway.token import mint, mint_staff

SECRET = "a secret of the tests, long enough for HS256"
ISSUER, AUDIENCE = "https://login.example.com", "switchboard"

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())

JWKS = {
    "keys": [
        {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
        {**jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec", "alg": "ES256"},
    ]
}


def settings(**more: str) -> TokenSettings:
    return TokenSettings.model_validate({"GATEWAY_JWT_SECRET": SECRET, "GATEWAY_JWKS_URL": "", **more})


def provider() -> TokenSettings:
    return TokenSettings.model_validate(
        {
            "GATEWAY_JWT_SECRET": "",
            "GATEWAY_JWKS_URL": "https://login.example.com/keys",
            "GATEWAY_JWT_ISSUER": ISSUER,
            "GATEWAY_JWT_AUDIENCE": AUDIENCE,
        }
    )


class Listed:
    """The keys of the set above, without fetching them."""

    def __init__(self) -> None:
        self._keys = usable_keys(json.dumps(JWKS).encode())

    async def key(self, kid: str | None) -> jwt.PyJWK:
        if kid not in self._keys:
            raise TokenRefused("is signed with a key that its issuer does not publish")
        return self._keys[kid]


GOOD_FOR = timedelta(days=1)
"""Long, because some tokens are created when tests are collected, and a run of all tests takes a while."""


NULL = object()
"""Stands for a claim that is there and null."""


def claims(**more: Any) -> dict[str, Any]:
    """Return the claims of a valid token; None leaves a claim out."""
    all_of_them = {
        "sub": "alice",
        "exp": datetime.now(UTC) + GOOD_FOR,
        "iss": ISSUER,
        "aud": AUDIENCE,
        **more,
    }
    return {name: None if value is NULL else value for name, value in all_of_them.items() if value is not None}


def forged(header: dict[str, Any], payload: dict[str, Any], key: bytes | None) -> str:
    """Forge a token without any checks, signed by HMAC with these bytes, or unsigned."""
    parts = [
        base64url_encode(json.dumps(part, default=lambda at: at.timestamp()).encode()) for part in (header, payload)
    ]
    signed = b".".join(parts)
    signature = hmac.new(key, signed, hashlib.sha256).digest() if key is not None else b""
    return b".".join([signed, base64url_encode(signature)]).decode()


PEM = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
AGO, AHEAD = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + GOOD_FOR

HS_REFUSED = [
    ("expired", jwt.encode(claims(exp=AGO), SECRET, "HS256"), "has expired"),
    ("no exp", jwt.encode(claims(exp=None), SECRET, "HS256"), "has no exp"),
    ("exp is text", jwt.encode(claims(exp="tomorrow"), SECRET, "HS256"), "is not a valid JWT"),
    ("not yet", jwt.encode(claims(nbf=AHEAD), SECRET, "HS256"), "is not valid yet"),
    ("issued in the future", jwt.encode(claims(iat=AHEAD), SECRET, "HS256"), "is not valid yet"),
    ("no sub", jwt.encode(claims(sub=None), SECRET, "HS256"), "has no sub"),
    ("sub is a number", forged({"alg": "HS256"}, claims(sub=7), SECRET.encode()), "is not a valid JWT"),
    ("sub is empty", jwt.encode(claims(sub=""), SECRET, "HS256"), "has no valid id in sub"),
    ("sub is no id", jwt.encode(claims(sub="alice/../bob"), SECRET, "HS256"), "has no valid id in sub"),
    ("sub with a newline", jwt.encode(claims(sub="alice\n"), SECRET, "HS256"), "has no valid id in sub"),
    ("sub is long", jwt.encode(claims(sub="a" * 256), SECRET, "HS256"), "has no valid id in sub"),
    ("another's secret", jwt.encode(claims(), SECRET + "?", "HS256"), "invalid signature"),
    ("HS512", jwt.encode(claims(), SECRET * 2, "HS512"), "algorithm"),
    ("alg none", forged({"alg": "none"}, claims(), None), "algorithm"),
    ("alg None", forged({"alg": "None"}, claims(), None), "algorithm"),
    ("no alg", forged({}, claims(), SECRET.encode()), "algorithm"),
    ("unsigned", forged({"alg": "HS256"}, claims(), None), "invalid signature"),
    ("RS256", jwt.encode(claims(), RSA_KEY, "RS256"), "algorithm"),
    ("empty", "", "is not a valid JWT"),
    ("no JWT", "x.y.z", "is not a valid JWT"),
    ("long", "x" * 9_000, "is longer than 8192 bytes"),
]

RS_REFUSED = [
    ("expired", jwt.encode(claims(exp=AGO), RSA_KEY, "RS256", {"kid": "rsa"}), "has expired"),
    ("wrong issuer", jwt.encode(claims(iss="https://evil"), RSA_KEY, "RS256", {"kid": "rsa"}), "issuer"),
    ("no issuer", jwt.encode(claims(iss=None), RSA_KEY, "RS256", {"kid": "rsa"}), "has no iss"),
    ("wrong audience", jwt.encode(claims(aud="another"), RSA_KEY, "RS256", {"kid": "rsa"}), "audience"),
    ("no audience", jwt.encode(claims(aud=None), RSA_KEY, "RS256", {"kid": "rsa"}), "has no aud"),
    ("another key", jwt.encode(claims(), OTHER_RSA_KEY, "RS256", {"kid": "rsa"}), "invalid signature"),
    (
        "unknown kid",
        jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "another"}),
        "a key that its issuer does not publish",
    ),
    ("no kid", jwt.encode(claims(), RSA_KEY, "RS256"), "a key that its issuer does not publish"),
    ("kid is a list", forged({"alg": "RS256", "kid": ["rsa"]}, claims(), PEM), "is not a valid JWT"),
    ("RS512", jwt.encode(claims(), RSA_KEY, "RS512", {"kid": "rsa"}), "algorithm"),
    ("PS256", jwt.encode(claims(), RSA_KEY, "PS256", {"kid": "rsa"}), "algorithm"),
    ("the other kind of key", jwt.encode(claims(), EC_KEY, "ES256", {"kid": "rsa"}), "algorithm"),
    # The public key is public: a token signed with it as an HMAC secret proves nothing.
    ("the public key as a secret", forged({"alg": "HS256", "kid": "rsa"}, claims(), PEM), "algorithm"),
    ("alg none", forged({"alg": "none", "kid": "rsa"}, claims(), None), "algorithm"),
    (
        "a key of its own",
        jwt.encode(claims(), OTHER_RSA_KEY, "RS256", {"kid": "rsa", "jwk": JWKS["keys"][0], "jku": "https://evil"}),
        "invalid signature",
    ),
]


@pytest.mark.parametrize(("what", "token", "why"), HS_REFUSED, ids=[what for what, _, _ in HS_REFUSED])
async def test_verifier_with_shared_secret_refuses_token(what: str, token: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        await TokenVerifier(settings(), SharedSecret(SECRET)).verify(token)


@pytest.mark.parametrize(("what", "token", "why"), RS_REFUSED, ids=[what for what, _, _ in RS_REFUSED])
async def test_verifier_with_identity_provider_refuses_token(what: str, token: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        await TokenVerifier(provider(), Listed()).verify(token)


async def test_verifier_returns_the_customer_of_a_valid_token() -> None:
    secret = TokenVerifier(settings(), SharedSecret(SECRET))
    assert await secret.verify(jwt.encode(claims(), SECRET, "HS256")) == Caller("alice", signed_in=True)
    keys = TokenVerifier(provider(), Listed())
    assert await keys.verify(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "rsa"})) == Caller("alice", True)
    assert await keys.verify(jwt.encode(claims(aud=["x", AUDIENCE]), EC_KEY, "ES256", {"kid": "ec"})) == Caller(
        "alice", True
    )


async def test_verifier_tolerates_a_small_clock_skew() -> None:
    token = jwt.encode(claims(exp=datetime.now(UTC) - timedelta(seconds=5)), SECRET, "HS256")
    assert (await TokenVerifier(settings(), SharedSecret(SECRET)).verify(token)).customer_id == "alice"


async def test_verifier_with_shared_secret_checks_issuer_and_audience_if_set() -> None:
    tokens = TokenVerifier(settings(GATEWAY_JWT_ISSUER=ISSUER, GATEWAY_JWT_AUDIENCE=AUDIENCE), SharedSecret(SECRET))
    assert await tokens.verify(jwt.encode(claims(), SECRET, "HS256"))
    for wrong in (claims(iss="https://evil"), claims(aud="another"), claims(iss=None), claims(aud=None)):
        with pytest.raises(TokenRefused):
            await tokens.verify(jwt.encode(wrong, SECRET, "HS256"))


async def test_verifier_reads_the_customer_from_the_configured_claim() -> None:
    tokens = TokenVerifier(settings(GATEWAY_CUSTOMER_CLAIM="customer_number"), SharedSecret(SECRET))
    token = jwt.encode(claims(sub="auth0|4711", customer_number="C-17"), SECRET, "HS256")
    assert (await tokens.verify(token)).customer_id == "C-17"
    with pytest.raises(TokenRefused, match="has no customer_number"):
        await tokens.verify(jwt.encode(claims(), SECRET, "HS256"))


# The token's acr, the values that count as signed in, and whether the customer is signed in.
SIGNED_IN = [
    (None, "", True),
    ("0", "", False),
    (0, "", False),
    ("urn:mace:incommon:iap:silver", "", False),
    ("urn:mace:incommon:iap:silver", "urn:mace:incommon:iap:silver", True),
    ("1", "", True),
    ("4", "", True),
    ("1", "gold", False),
    ("0", "0, gold", False),
    ("00", "", False),
    ("", "", False),
    (1, "", False),
    (0.0, "", False),
    (False, "", False),
    (True, "", False),
    ({"gold": True}, "gold", False),
    (NULL, "", False),
    (NULL, "gold", False),
    (None, "gold", False),
    ("silver", "silver, gold", True),
    ("bronze", "silver, gold", False),
    (["gold"], "gold", False),
]


@pytest.mark.parametrize(("acr", "counts", "signed_in"), SIGNED_IN)
async def test_acr_decides_whether_the_customer_is_signed_in(acr: object, counts: str, signed_in: bool) -> None:
    tokens = TokenVerifier(settings(GATEWAY_SIGNED_IN_ACR=counts), SharedSecret(SECRET))
    assert (await tokens.verify(jwt.encode(claims(acr=acr), SECRET, "HS256"))).signed_in == signed_in


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("more", [{}, {"GATEWAY_JWT_ISSUER": ISSUER, "GATEWAY_JWT_AUDIENCE": AUDIENCE}])
@pytest.mark.parametrize("acr", ["", "gold"])
async def test_verifier_accepts_a_minted_token(signed_in: bool, more: dict[str, str], acr: str) -> None:
    chosen = settings(GATEWAY_SIGNED_IN_ACR=acr, **more)
    token = mint(chosen, "bob", timedelta(minutes=1), datetime.now(UTC), signed_in)
    assert await TokenVerifier(chosen, SharedSecret(SECRET)).verify(token) == Caller("bob", signed_in)


# Subjects that identity providers issue: Auth0's, Keycloak's for a federated user, an e-mail address with a tag.
SUBJECTS = ["alice", "auth0|507f1f77bcf86cd799439011", "f:2f6a1c1e-6f0e-4bb3-9d7c-1a2b3c4d5e6f:ada", "a+b@c", "a" * 255]


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_verifier_accepts_the_subjects_of_identity_providers(subject: str) -> None:
    tokens = TokenVerifier(settings(), SharedSecret(SECRET))
    assert (await tokens.verify(jwt.encode(claims(sub=subject), SECRET, "HS256"))).customer_id == subject
    member = jwt.encode(claims(sub=subject, roles=["staff"]), SECRET, "HS256")
    assert (await tokens.verify_staff(member)).subject == subject


STAFF = [
    ({"roles": ["staff"]}, True),
    ({"roles": ["clerk", "staff"]}, True),
    ({"roles": "clerk staff"}, True),
    ({}, False),
    ({"roles": []}, False),
    ({"roles": "staffing"}, False),
    ({"roles": ["Staff"]}, False),
    ({"roles": [["staff"]]}, False),
    ({"roles": {"staff": True}}, False),
    ({"roles": True}, False),
    ({"role": "staff"}, False),
    ({"roles": ["staff"], "acr": "0"}, False),
    ({"roles": ["staff"], "acr": "unheard of"}, False),
    ({"roles": ["staff"], "acr": 1}, False),
]


@pytest.mark.parametrize(("more", "accepted"), STAFF)
async def test_role_claim_decides_who_is_staff(more: dict[str, Any], accepted: bool) -> None:
    tokens = TokenVerifier(settings(), SharedSecret(SECRET))
    token = jwt.encode(claims(**more), SECRET, "HS256")
    if accepted:
        assert (await tokens.verify_staff(token)).subject == "alice"
        return
    with pytest.raises(NotStaff):
        await tokens.verify_staff(token)


@pytest.mark.parametrize("acr", ["", "gold"])
async def test_verifier_accepts_a_minted_staff_token(acr: str) -> None:
    more = {"GATEWAY_STAFF_CLAIM": "groups", "GATEWAY_STAFF_ROLE": "desk", "GATEWAY_CUSTOMER_CLAIM": "customer_number"}
    chosen = settings(GATEWAY_SIGNED_IN_ACR=acr, **more)
    token = mint_staff(chosen, "mia", timedelta(minutes=1), datetime.now(UTC))
    tokens = TokenVerifier(chosen, SharedSecret(SECRET))
    assert (await tokens.verify_staff(token)).subject == "mia"
    with pytest.raises(TokenRefused, match="has no customer_number"):
        await tokens.verify(token)


def test_mint_refuses_without_a_shared_secret() -> None:
    with pytest.raises(ValueError, match="without GATEWAY_JWT_SECRET"):
        mint(provider(), "bob", timedelta(minutes=1), datetime.now(UTC))
