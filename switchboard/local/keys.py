"""The keys of a local mesh. Each is made at the first start and kept in a file that only its owner can read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SPEAKER_FILE = "speaker-key"
"""The key with which the gateway signs requests, SWITCHBOARD_SPEAKER_KEYS."""

IDENTITY_FILE = "restate-identity.pem"
"""The private key with which Restate signs its requests to the services."""

KEY_BYTES = 32
OWNER_ONLY = 0o600

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def stored_key(file: Path, make: Callable[[], str] = lambda: secrets.token_hex(KEY_BYTES)) -> str:
    """Return the content of a key file. The first call makes the key and the file."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        # Write a draft and rename it, so that the file is never incomplete, even if this process dies.
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "w", encoding="utf-8"
        ) as written:
            written.write(make())
        draft.rename(file)
    return file.read_text(encoding="utf-8")


def identity_pem() -> str:
    """Make a private key that Restate can sign with (Ed25519, PKCS 8)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def identity_public_key(pem: str) -> str:
    """Return the public key in Restate's format, `publickeyv1_` and base58, as RESTATE_IDENTITY_KEY expects it."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return f"publickeyv1_{base58(key.public_key().public_bytes_raw())}"


def base58(content: bytes) -> str:
    """Encode bytes with Bitcoin's alphabet: a number to the base 58, and a 1 for each leading zero byte."""
    number, digits = int.from_bytes(content, "big"), ""
    while number:
        number, digit = divmod(number, len(BASE58))
        digits = BASE58[digit] + digits
    return "1" * (len(content) - len(content.lstrip(b"\0"))) + digits
