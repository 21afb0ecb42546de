"""Keys of a local mesh: made once, readable only by their owner, in the formats that Restate and the services read."""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from switchboard.local.keys import base58, identity_pem, identity_public_key, stored_key

PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIHsQM9W8ZpDdF0AIfK1Cz7tYq0jLk4B9Yv1TqWmX1cBO
-----END PRIVATE KEY-----
"""


def test_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "mesh" / "speaker-key"
    key = stored_key(file)
    assert (stored_key(file), len(key)) == (key, 64)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert stored_key(tmp_path / "another") != key


def test_identity_is_an_ed25519_key_in_restates_formats() -> None:
    """That Restate and the services understand it is seen by every test with a mesh."""
    made = identity_pem()
    assert load_pem_private_key(made.encode(), password=None) is not None
    assert identity_pem() != made
    public = identity_public_key(PEM)
    assert public == identity_public_key(PEM)
    assert public.startswith("publickeyv1_")
    assert 43 <= len(public.removeprefix("publickeyv1_")) <= 44


def test_base58_encodes_as_bitcoin_does() -> None:
    known = {b"": "", b"\0\0a": "112g", b"Hello World!": "2NEpo7TZRRrLZSi2U", bytes.fromhex("0000287fb4cd"): "11233QC4"}
    assert {content: base58(content) for content in known} == known
