"""The identity provider's public keys (RFC 7517): fetched, cached and refreshed."""

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

CACHE_LIFETIME = timedelta(minutes=10)
"""Cache lifetime; also the longest time that a revoked key stays accepted while the provider answers."""

STALE_KEYS_MAX_AGE = timedelta(hours=1)
"""How long cached keys stay accepted while the identity provider is unavailable."""

FETCH_INTERVAL_MIN = timedelta(seconds=10)
"""Minimum time between two fetches, however many tokens name unknown keys."""

FETCH_TIMEOUT = timedelta(seconds=3)
KEYS_MAX_BYTES = 256 * 1024
RSA_MIN_BITS = 2048

ALGORITHMS = ("RS256", "ES256")

TEXT_FIELDS = ("kty", "use", "kid", "alg", "crv", "n", "e", "x", "y")
"""Fields of a key that we or the library read. The library assumes that they are strings."""

UNAVAILABLE = "The identity provider's keys are temporarily unavailable. Retry in a few seconds."


class KeysUnreadable(Exception):
    """The identity provider is unavailable, or its answer is not a valid key set."""


class KeySet(BaseModel):
    """A JWK Set. Its keys are validated one by one, because keys of unknown kinds are skipped."""

    keys: list[dict[str, Any]]


class ProviderKeys:
    """The keys that a JWKS URL serves, by their ids."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, kid: str | None) -> PyJWK:
        """Return the key with this id, or for a token that names none the only key.

        Raises TokenRefused if there is no such key, and Problem (503) while no keys can be fetched.
        """
        # While another request refreshes the keys, known keys are still used.
        if self._needs_refresh(kid) and not (self._find(kid) and self._fetching.locked()):
            async with self._fetching:
                if self._needs_refresh(kid):
                    await self._refresh()
        found = self._find(kid)
        if found is not None and now() - self._fetched_at <= STALE_KEYS_MAX_AGE.total_seconds():
            return found
        if found is not None or not self._keys:
            raise Problem(
                503, "identity_provider_away", UNAVAILABLE, retry_after_s=round(FETCH_INTERVAL_MIN.total_seconds())
            )
        raise TokenRefused("is signed with a key that its issuer does not publish")

    def _find(self, kid: str | None) -> PyJWK | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _needs_refresh(self, kid: str | None) -> bool:
        stale = now() - self._fetched_at > CACHE_LIFETIME.total_seconds()
        return (stale or self._find(kid) is None) and now() - self._tried_at >= FETCH_INTERVAL_MIN.total_seconds()

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
                    raise KeysUnreadable(f"HTTP {response.status}")
                content = await response.content.read(KEYS_MAX_BYTES)
                while not response.content.at_eof() and len(content) < KEYS_MAX_BYTES:
                    content += await response.content.read(KEYS_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KeysUnreadable(type(error).__name__) from error
        return usable_keys(content)


def usable_keys(content: bytes) -> dict[str, PyJWK]:
    """Return the keys of a set that may sign tokens. Raises KeysUnreadable if it is no key set or has no such key."""
    try:
        listed = KeySet.model_validate_json(content).keys
    except ValidationError as error:
        raise KeysUnreadable("its answer is not a key set") from error
    found = [key for entry in listed if (key := usable(entry)) is not None]
    if not found:
        raise KeysUnreadable(f"none of its keys can be used for {' or '.join(ALGORITHMS)}")
    return {key.key_id or "": key for key in found}


def usable(entry: dict[str, Any]) -> PyJWK | None:
    """Return the entry as a key if it is a public signature key of sufficient length, else None."""
    if not all(isinstance(entry.get(name, ""), str) for name in TEXT_FIELDS):
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
    # If the entry publishes the private part, anyone who reads the URL could sign with it.
    return None if short or "d" in entry else key


def now() -> float:
    """Return the time of a monotonic clock, in seconds."""
    return asyncio.get_running_loop().time()
