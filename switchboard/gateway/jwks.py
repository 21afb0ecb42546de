"""The identity provider's public keys (RFC 7517): fetched, kept, and fetched again when they change."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ValidationError

from switchboard.gateway.identity import TokenRefused
from switchboard.gateway.metrics import KEY_FETCHES
from switchboard.gateway.problems import Problem

logger = logging.getLogger(__name__)

FRESH_FOR = timedelta(minutes=10)
"""Then they are fetched again: a key that was taken back is refused so much later at most."""

KEPT_FOR = timedelta(hours=1)
"""So long the last keys are good while the identity provider is away."""

FETCH_PAUSE = timedelta(seconds=10)
"""Between two fetches, however many tokens name keys that nobody knows."""

FETCH_TIMEOUT = timedelta(seconds=3)
KEYS_MAX_BYTES = 256 * 1024
RSA_MIN_BITS = 2048

ALGORITHMS = ("RS256", "ES256")

TEXTS = ("kty", "use", "kid", "alg", "crv", "n", "e", "x", "y")
"""What of a key is read here, or by the library, which takes for granted that it is text."""

AWAY = "The keys of the identity provider cannot be read just now. Try again in a few seconds."


class KeysUnreadable(Exception):
    """The identity provider is away, or what it answers is no set of keys."""


class KeySet(BaseModel):
    """A JWK Set; each key is looked at by itself, as those that we do not know are passed over."""

    keys: list[dict[str, Any]]


class ProviderKeys:
    """The keys behind an address, by their ids."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, kid: str | None) -> PyJWK:
        """The key of that id, or the only one there is for a token that names none.

        Raises TokenRefused when there is none, Problem (503) while no keys can be read.
        """
        # While keys are fetched again, those that are known are still good.
        if self._due(kid) and not (self._find(kid) and self._fetching.locked()):
            async with self._fetching:
                if self._due(kid):
                    await self._refresh()
        found = self._find(kid)
        if found is not None and now() - self._fetched_at <= KEPT_FOR.total_seconds():
            return found
        if found is not None or not self._keys:
            raise Problem(503, "identity_provider_away", AWAY, retry_after_s=round(FETCH_PAUSE.total_seconds()))
        raise TokenRefused("is signed with a key that its issuer does not name")

    def _find(self, kid: str | None) -> PyJWK | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _due(self, kid: str | None) -> bool:
        stale = now() - self._fetched_at > FRESH_FOR.total_seconds()
        return (stale or self._find(kid) is None) and now() - self._tried_at >= FETCH_PAUSE.total_seconds()

    async def _refresh(self) -> None:
        try:
            self._keys = await self._fetch()
            self._fetched_at = now()
            KEY_FETCHES.labels("ok").inc()
        except KeysUnreadable as error:
            logger.warning("cannot read the identity provider's keys: %s", error)
            KEY_FETCHES.labels("failed").inc()
        finally:
            self._tried_at = now()

    async def _fetch(self) -> dict[str, PyJWK]:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT.total_seconds())
        try:
            async with self._http.get(self._url, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise KeysUnreadable(f"it answers {response.status}")
                content = await response.content.read(KEYS_MAX_BYTES)
                while not response.content.at_eof() and len(content) < KEYS_MAX_BYTES:
                    content += await response.content.read(KEYS_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KeysUnreadable(type(error).__name__) from error
        return usable_keys(content)


def usable_keys(content: bytes) -> dict[str, PyJWK]:
    """The keys of a set that may sign tokens here. Raises KeysUnreadable when it is no set, or none of them may."""
    try:
        listed = KeySet.model_validate_json(content).keys
    except ValidationError as error:
        raise KeysUnreadable("what it answers is no set of keys") from error
    found = [key for entry in listed if (key := usable(entry)) is not None]
    if not found:
        raise KeysUnreadable(f"none of its keys is good for {' or '.join(ALGORITHMS)}")
    return {key.key_id or "": key for key in found}


def usable(entry: dict[str, Any]) -> PyJWK | None:
    """A public key for signatures, long enough; None for all others."""
    if not all(isinstance(entry.get(name, ""), str) for name in TEXTS):
        return None
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC"):
        return None
    try:
        key = PyJWK(entry)
    except PyJWTError:
        return None
    if key.algorithm_name not in ALGORITHMS:
        return None
    short = isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_MIN_BITS
    # With a private part anybody who reads the address could sign: that is nobody's proof.
    return None if short or "d" in entry else key


def now() -> float:
    """Seconds of a clock that never goes back."""
    return asyncio.get_running_loop().time()
