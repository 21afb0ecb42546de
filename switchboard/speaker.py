"""Proof that a request to a handler comes from the gateway: a short-lived token (JWS, HS256) in a header.

The token is bound to the handler, its object's key and the bytes of the body. So a process that can reach Restate's
ingress but has no key can call nothing, and a token that it overhears is good for one request only.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote
from uuid import uuid4

import jwt

SPEAKER_HEADER = "x-switchboard-speaker"

ALGORITHM = "HS256"

KEY_MIN_BYTES = 32
"""Minimum length of a key (RFC 7518, 3.2); a shorter one can be guessed."""

LIFETIME = timedelta(seconds=60)
"""How long after it was signed a request may be sent. Retries are signed again."""

CLOCK_SKEW = timedelta(seconds=30)
"""How far the clocks of the gateway, of Restate and of the session may differ."""

KEY_ID_CHARS = 8
TAG_BYTES = 16
TOKEN_ID_CHARS = 12

CLAIMS = ("aud", "iat", "jti", "body")

UNSIGNED = "is not signed"


class SpeakerRefused(Exception):
    """A request is not proven to come from the gateway. The message completes a sentence: `The request …`."""


@dataclass(frozen=True)
class Proof:
    """A verified token: when it was signed, and for which idempotency key, if there was one."""

    signed_at: datetime
    request_id: str

    def in_time(self, sent_at: datetime) -> bool:
        """Return whether a request that was sent at this time was sent within the token's lifetime."""
        return self.signed_at - CLOCK_SKEW <= sent_at <= self.signed_at + LIFETIME + CLOCK_SKEW


class SpeakerKeys:
    """The keys of a mesh. The first one signs, all of them verify, so that keys can be replaced one by one."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("SpeakerKeys needs at least one key")
        self._keys = {key_id(key): key for key in keys}
        self._signing = keys[0]

    def sign(self, target: str, body: bytes, request_id: str = "", at: datetime | None = None) -> dict[str, str]:
        """Return the header that proves a request.

        `target` is `Service/handler` or `Object/key/handler`; `request_id` is the idempotency key, if there is one.
        """
        claims = {
            "aud": target,
            "iat": (at or datetime.now(UTC)).timestamp(),
            "jti": request_id or uuid4().hex,
            "body": digest(body),
        }
        token = jwt.encode(claims, self._signing, algorithm=ALGORITHM, headers={"kid": key_id(self._signing)})
        return {SPEAKER_HEADER: token}

    def verify(self, token: str, target: str, body: bytes) -> Proof:
        """Return the proof in a token, but do not check its time. Raises SpeakerRefused."""
        if not token:
            raise SpeakerRefused(UNSIGNED)
        try:
            key = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise SpeakerRefused("is signed with a key that is not of this mesh")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=target,
                # `in_time` compares with the time when the request was sent, which may be long ago.
                options={"require": list(CLAIMS), "verify_iat": False, "strict_aud": True},
            )
        except jwt.InvalidAudienceError as error:
            raise SpeakerRefused("is signed for another handler or session") from error
        except jwt.PyJWTError as error:
            raise SpeakerRefused("has an invalid signature") from error
        if claims["body"] != digest(body):
            raise SpeakerRefused("is signed for another body")
        try:
            return Proof(datetime.fromtimestamp(float(claims["iat"]), tz=UTC), str(claims["jti"]))
        except (TypeError, ValueError, OverflowError) as error:
            raise SpeakerRefused("has no valid time of its signature") from error

    def tag(self, text: str) -> str:
        """Return a tag that proves that a holder of a key has made this text: 22 characters for 128 bits."""
        return tag(text, self._signing)

    def tags(self, text: str) -> tuple[str, ...]:
        """Return the tags of all keys, so that holders of different keys know at least one in common."""
        return tuple(tag(text, key) for key in self._keys.values())

    def has_tag(self, text: str, given: str) -> bool:
        """Return whether any of the keys made the tag."""
        return any(hmac.compare_digest(tag(text, key), given) for key in self._keys.values())


def tag(text: str, key: str) -> str:
    content = hmac.digest(key.encode(), b"switchboard tag " + text.encode(), "sha256")[:TAG_BYTES]
    return urlsafe_b64encode(content).decode().rstrip("=")


def token_id(token: str) -> str:
    """Return a short id of a token. The part that is not signed does not change it."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()[:TOKEN_ID_CHARS] if token else ""


def target_of(path: str) -> str:
    """Return what a path of the ingress addresses, such as `Session/s-1/send`."""
    return unquote(path.strip("/"))


def key_id(key: str) -> str:
    """Return the public name of a key, so that a token can say which key has signed it."""
    return hashlib.sha256(b"switchboard speaker " + key.encode()).hexdigest()[:KEY_ID_CHARS]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
