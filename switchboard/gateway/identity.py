"""Authentication by bearer tokens (RFC 7519). Nothing else in a request says who the caller is."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import jwt
from jwt import PyJWK
from pydantic import TypeAdapter, ValidationError

from switchboard.gateway.settings import TokenSettings
from switchboard.session.contract import SUBJECT_RULE, CustomerId

CLOCK_SKEW = timedelta(seconds=30)
"""How far the identity provider's clock and ours may differ."""

TOKEN_MAX_BYTES = 8 * 1024

NOT_AUTHENTICATED_ACR = "0"
"""OpenID Connect, section 2: with this `acr` the user was not authenticated; deny access to monetary value."""

ASSURANCE_LEVELS = ("1", "2", "3", "4")
"""Levels of assurance of ISO/IEC 29115, to which OpenID Connect refers. The values that are known without a setting."""

SUBJECT = TypeAdapter[str](CustomerId)

STAFF_SUBJECT = "sub"
"""The claim that names a staff member. Staff records keep it as `by`."""

REASONS = {
    jwt.ExpiredSignatureError: "has expired; get a new one",
    jwt.ImmatureSignatureError: "is not valid yet; check the issuer's clock",
    jwt.InvalidIssuerError: "comes from an issuer that this gateway does not trust",
    jwt.InvalidAudienceError: "is for another audience, not for this gateway",
    jwt.InvalidAlgorithmError: "is signed with an unsupported algorithm",
    jwt.InvalidSignatureError: "has an invalid signature",
}


NEVER = datetime.max.replace(tzinfo=UTC)
"""When a token whose time is beyond the calendar expires."""


class TokenRefused(Exception):
    """A token is invalid. The message completes a sentence that starts with `The token`."""


class NotStaff(Exception):
    """A token is valid, but it does not say that a signed-in staff member has it."""


@dataclass(frozen=True)
class Caller:
    """The customer in a token. `signed_in` is False if its issuer says that the customer was not authenticated.

    Two tokens of a customer are the same caller, whenever they expire.
    """

    customer_id: str
    signed_in: bool
    expires_at: datetime = field(default=NEVER, compare=False)
    token_digest: str = field(default="", compare=False, repr=False)
    """SHA-256 of the token. Before sign-in, it is all that tells apart those who claim to be the same customer."""

    @property
    def standing(self) -> str:
        """The customer, and whether they have signed in: the beginning of all names that a client's ids lead to.

        What a signed-in customer was told is not for a caller who only claims to be that customer.
        """
        return f"{self.customer_id}/{'signed-in' if self.signed_in else 'claimed'}"


@dataclass(frozen=True)
class StaffMember:
    """The staff member in a token."""

    subject: str
    expires_at: datetime = field(default=NEVER, compare=False)


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

    def __init__(self, settings: TokenSettings, keys: Keys, also_for: str = "") -> None:
        """Accept tokens for the audience of the settings, if they name one, and then also for `also_for`."""
        self._settings = settings
        self._keys = keys
        audience = settings.jwt_audience
        self._audiences = [audience, *([also_for] if also_for else [])] if audience else None
        self._required = [
            "exp",
            *(["iss"] if settings.jwt_issuer else []),
            *(["aud"] if settings.jwt_audience else []),
        ]

    async def verify(self, token: str) -> Caller:
        """Return the customer in the token. Raises TokenRefused."""
        claim = self._settings.customer_claim
        caller = caller_of(await self._claims(token, claim), claim, self._settings.signed_in_acr)
        return replace(caller, token_digest=hashlib.sha256(token.encode()).hexdigest())

    async def verify_staff(self, token: str) -> StaffMember:
        """Return the staff member in the token. Raises TokenRefused, and NotStaff without the role."""
        claims = await self._claims(token, STAFF_SUBJECT)
        subject = subject_of(claims, STAFF_SUBJECT)
        if not is_signed_in(claims, self._settings.signed_in_acr):
            raise NotStaff
        if self._settings.staff_role not in roles(claims.get(self._settings.staff_claim)):
            raise NotStaff
        return StaffMember(subject, expiry(claims))

    async def _claims(self, token: str, user: str) -> dict[str, Any]:
        """Return the claims of a valid token; `user` is the claim that has to be there besides the fixed ones."""
        if len(token) > TOKEN_MAX_BYTES:
            raise TokenRefused(f"is longer than {TOKEN_MAX_BYTES} bytes")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.key(kid if isinstance(kid, str) else None)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.jwt_issuer,
                audience=self._audiences,
                leeway=CLOCK_SKEW,
                options={"require": [*self._required, user], "verify_aud": self._audiences is not None},
            )
        except jwt.MissingRequiredClaimError as error:
            raise TokenRefused(f"has no {error.claim} claim") from error
        except jwt.PyJWTError as error:
            raise TokenRefused(reason(error)) from error
        return claims


def reason(error: jwt.PyJWTError) -> str:
    return next((text for kind, text in REASONS.items() if isinstance(error, kind)), "is not a valid JWT")


def caller_of(claims: dict[str, Any], customer_claim: str, signed_in_acr: Sequence[str]) -> Caller:
    """Return the caller in the claims of a verified token. Raises TokenRefused if the customer's id is invalid."""
    return Caller(subject_of(claims, customer_claim), is_signed_in(claims, signed_in_acr), expiry(claims))


def expiry(claims: dict[str, Any]) -> datetime:
    """Return until when a verified token is accepted."""
    try:
        return datetime.fromtimestamp(float(claims["exp"]), tz=UTC) + CLOCK_SKEW
    except (OverflowError, ValueError):
        return NEVER


def subject_of(claims: dict[str, Any], claim: str) -> str:
    """Return the id that a claim holds. Raises TokenRefused."""
    try:
        return SUBJECT.validate_python(claims[claim], strict=True)
    except ValidationError as error:
        raise TokenRefused(f"has no valid id in {claim}: expected {SUBJECT_RULE}") from error


def roles(claim: object) -> Sequence[str]:
    """Return the roles in a claim: a list of texts, or one text with spaces between them. Anything else has none."""
    if isinstance(claim, str):
        return claim.split(" ")
    return [role for role in claim if isinstance(role, str)] if isinstance(claim, list) else ()


def is_signed_in(claims: dict[str, Any], signed_in_acr: Sequence[str]) -> bool:
    """Return whether the issuer says that it authenticated the user.

    An `acr` counts only if it is a string that we know: a value of the setting or, without the setting, a level of
    assurance. A token without `acr` counts unless the setting asks for one.
    """
    if "acr" not in claims:
        return not signed_in_acr
    acr = claims["acr"]
    return isinstance(acr, str) and acr != NOT_AUTHENTICATED_ACR and acr in (signed_in_acr or ASSURANCE_LEVELS)
