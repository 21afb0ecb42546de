"""Credentials of the mesh in what other servers say: they may repeat a token that they got, and texts are journaled."""

from collections.abc import Iterable, Sequence
from typing import Any

CREDENTIAL = "[credential]"
"""Stands in place of a credential that a server has repeated."""

CREDENTIAL_MIN_CHARS = 4
"""Of a header's value that is taken for a credential. Shorter ones would be found in many words."""


def credentials_in(values: Iterable[str]) -> tuple[str, ...]:
    """Return the credentials in the values of headers, each whole and without its scheme, the longest first."""
    parts = {part for value in values for part in (value, value.partition(" ")[2])}
    return tuple(sorted((part for part in parts if len(part) >= CREDENTIAL_MIN_CHARS), key=len, reverse=True))


def without_credentials(value: Any, credentials: Sequence[str]) -> Any:
    """Return a value of JSON, or bytes, with CREDENTIAL in place of each credential, also in names.

    `credentials` are as from `credentials_in`: a longer one comes before one that is a part of it.
    """
    match value:
        case str():
            for each in credentials:
                value = value.replace(each, CREDENTIAL)
        case bytes():
            for each in credentials:
                value = value.replace(each.encode(), CREDENTIAL.encode())
        case list():
            return [without_credentials(each, credentials) for each in value]
        case dict():
            return {
                without_credentials(name, credentials): without_credentials(each, credentials)
                for name, each in value.items()
            }
    return value
