"""Who asks: what a bearer token (RFC 7519) proves, and nothing that a client says beside it."""

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
"""By how much the clocks of the identity provider and ours may differ."""

TOKEN_MAX_BYTES = 8 * 1024

NOT_AUTHENTICATED_ACR = "0"
"""OpenID Connect, section 2: with this `acr` nobody was authenticated, and nothing of monetary value is allowed."""

CUSTOMER = TypeAdapter[str](CustomerId)

WHY = {
    jwt.ExpiredSignatureError: "has expired; get a new one",
    jwt.ImmatureSignatureError: "is not valid yet; is the clock of its issuer right?",
    jwt.InvalidIssuerError: "is from an issuer that is not believed here",
    jwt.InvalidAudienceError: "is not for this gateway: its audience is another",
    jwt.InvalidAlgorithmError: "is signed with an algorithm that is not taken here",
    jwt.InvalidSignatureError: "has a signature that is not its issuer's",
}


class TokenRefused(Exception):
    """A token that proves nothing. The message goes on after `The token`."""


@dataclass(frozen=True)
class Caller:
    """Whom a token proves. `signed_in` is False when its issuer says itself that nobody was authenticated."""

    customer_id: str
    signed_in: bool


class Keys(Protocol):
    """The keys that a token may be signed with."""

    async def key(self, kid: str | None) -> PyJWK:
        """The key of that id. Raises TokenRefused when there is none."""


class SharedSecret:
    """One HS256 key, known to whoever signs customers in as well."""

    def __init__(self, secret: str) -> None:
        self._key = secret_key(secret)

    async def key(self, kid: str | None) -> PyJWK:
        return self._key


def secret_key(secret: str) -> PyJWK:
    """A key that is good for HS256 and for nothing else."""
    encoded = jwt.utils.base64url_encode(secret.encode()).decode()
    return PyJWK({"kty": "oct", "k": encoded}, algorithm="HS256")


class TokenVerifier:
    """Reads tokens. The algorithm is the key's, never the token's word: so no `none`, and no public key as a secret."""

    def __init__(self, settings: TokenSettings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        claims = ["exp", settings.customer_claim]
        self._required = [
            *claims,
            *(["iss"] if settings.jwt_issuer else []),
            *(["aud"] if settings.jwt_audience else []),
        ]

    async def caller(self, token: str) -> Caller:
        """Whom the token proves. Raises TokenRefused."""
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
            raise TokenRefused(f"has no {error.claim}") from error
        except jwt.PyJWTError as error:
            raise TokenRefused(why(error)) from error
        return caller_of(claims, self._settings.customer_claim, self._settings.signed_in_acr)


def why(error: jwt.PyJWTError) -> str:
    return next((text for kind, text in WHY.items() if isinstance(error, kind)), "is not a JWT that can be read")


def caller_of(claims: dict[str, Any], customer_claim: str, signed_in_acr: Sequence[str]) -> Caller:
    """The customer of a token that is believed. Raises TokenRefused when the claim is no customer's id."""
    try:
        customer_id = CUSTOMER.validate_python(claims[customer_claim], strict=True)
    except ValidationError as error:
        raise TokenRefused(
            f"names no customer in {customer_claim}: 1 to 64 letters, digits, '.', '_', '@' or '-' are one"
        ) from error
    acr = str(claims.get("acr", ""))
    return Caller(customer_id, acr in signed_in_acr if signed_in_acr else acr != NOT_AUTHENTICATED_ACR)
