"""Authentication by bearer tokens (RFC 7519). Nothing else in a request says who the caller is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import jwt
from jwt import PyJWK
from pydantic import TypeAdapter, ValidationError

from switchboard.gateway.settings import TokenSettings
from switchboard.session.contract import CustomerId

CLOCK_SKEW = timedelta(seconds=30)
"""How far the identity provider's clock and ours may differ."""

TOKEN_MAX_BYTES = 8 * 1024

NOT_AUTHENTICATED_ACR = "0"
"""OpenID Connect, section 2: with this `acr` the user was not authenticated; deny access to monetary value."""

CUSTOMER = TypeAdapter[str](CustomerId)

REASONS = {
    jwt.ExpiredSignatureError: "has expired; get a new one",
    jwt.ImmatureSignatureError: "is not valid yet; check the issuer's clock",
    jwt.InvalidIssuerError: "comes from an issuer that this gateway does not trust",
    jwt.InvalidAudienceError: "is for another audience, not for this gateway",
    jwt.InvalidAlgorithmError: "is signed with an unsupported algorithm",
    jwt.InvalidSignatureError: "has an invalid signature",
}


class TokenRefused(Exception):
    """A token is invalid. The message completes a sentence that starts with `The token`."""


@dataclass(frozen=True)
class Caller:
    """The customer in a token. `signed_in` is False if its issuer says that the customer was not authenticated."""

    customer_id: str
    signed_in: bool


class Keys(Protocol):
    """The keys that may sign tokens."""

    async def key(self, kid: str | None) -> PyJWK:
        """Return the key with this id. Raises TokenRefused if there is none."""


class SharedSecret:
    """One HS256 key, shared with the system that issues tokens."""

    def __init__(self, secret: str) -> None:
        self._key = secret_key(secret)

    async def key(self, kid: str | None) -> PyJWK:
        return self._key


def secret_key(secret: str) -> PyJWK:
    """Return a key that works with HS256 only."""
    encoded = jwt.utils.base64url_encode(secret.encode()).decode()
    return PyJWK({"kty": "oct", "k": encoded}, algorithm="HS256")


class TokenVerifier:
    """Verifies tokens. The key, not the token, chooses the algorithm: no `none`, no public key used as a secret."""

    def __init__(self, settings: TokenSettings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        claims = ["exp", settings.customer_claim]
        self._required = [
            *claims,
            *(["iss"] if settings.jwt_issuer else []),
            *(["aud"] if settings.jwt_audience else []),
        ]

    async def verify(self, token: str) -> Caller:
        """Return the caller in the token. Raises TokenRefused."""
        if len(token) > TOKEN_MAX_BYTES:
            raise TokenRefused(f"is longer than {TOKEN_MAX_BYTES} bytes")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.key(kid if isinstance(kid, str) else None)
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                leeway=CLOCK_SKEW,
                options={"require": self._required, "verify_aud": self._settings.jwt_audience is not None},
            )
        except jwt.MissingRequiredClaimError as error:
            raise TokenRefused(f"has no {error.claim} claim") from error
        except jwt.PyJWTError as error:
            raise TokenRefused(reason(error)) from error
        return caller_of(claims, self._settings.customer_claim, self._settings.signed_in_acr)


def reason(error: jwt.PyJWTError) -> str:
    return next((text for kind, text in REASONS.items() if isinstance(error, kind)), "is not a valid JWT")


def caller_of(claims: dict[str, Any], customer_claim: str, signed_in_acr: Sequence[str]) -> Caller:
    """Return the caller in the claims of a verified token. Raises TokenRefused if the customer's id is invalid."""
    try:
        customer_id = CUSTOMER.validate_python(claims[customer_claim], strict=True)
    except ValidationError as error:
        raise TokenRefused(
            f"has no valid customer id in {customer_claim}: expected 1 to 64 letters, digits, '.', '_', '@' or '-'"
        ) from error
    acr = str(claims.get("acr", ""))
    return Caller(customer_id, acr in signed_in_acr if signed_in_acr else acr != NOT_AUTHENTICATED_ACR)
