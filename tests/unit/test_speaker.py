"""The gateway's signature is valid for one handler, one session, one body and a minute, with any of the mesh's keys."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from switchboard.speaker import (
    CLOCK_SKEW,
    LIFETIME,
    SPEAKER_HEADER,
    SpeakerKeys,
    SpeakerRefused,
    digest,
    key_id,
    target_of,
    token_id,
)

OLD, NEW = "o" * 32, "n" * 64
TARGET, BODY = "Session/s-1/send", b'{"text": "hello"}'
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MESH = SpeakerKeys([NEW, OLD])

HS256: dict[str, object] = {"alg": "HS256", "typ": "JWT", "kid": key_id(NEW)}
CLAIMS: dict[str, object] = {"aud": TARGET, "iat": NOW.timestamp(), "jti": "k", "body": digest(BODY)}


def signed(keys: SpeakerKeys = MESH, target: str = TARGET, body: bytes = BODY) -> str:
    return keys.sign(target, body, "k", NOW)[SPEAKER_HEADER]


def encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def forged(header: dict[str, object], claims: dict[str, object] = CLAIMS, key: str = NEW) -> str:
    """Return a token as PyJWT would not make it: the header can name any algorithm and key."""
    unsigned = f"{encoded(header)}.{encoded(claims)}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(unsigned.encode(), key.encode())
    return f"{unsigned}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.mark.parametrize("keys", [[OLD], [NEW, OLD], [OLD, NEW], [NEW]])
def test_token_of_any_of_the_keys_is_valid_while_keys_are_replaced(keys: list[str]) -> None:
    for signer in ([OLD], [NEW], [OLD, NEW], [NEW, OLD]):
        token = signed(SpeakerKeys(signer))
        if signer[0] in keys:
            assert SpeakerKeys(keys).verify(token, TARGET, BODY).signed_at == NOW
        else:
            with pytest.raises(SpeakerRefused, match="a key that is not of this mesh"):
                SpeakerKeys(keys).verify(token, TARGET, BODY)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "is not signed"),
        ("a.b.c", "invalid signature"),
        ("not a token", "invalid signature"),
        (signed(target="Session/s-2/send"), "another handler or session"),
        (signed(target="Session/s-1/confirm"), "another handler or session"),
        (signed(target="Session/s-1"), "another handler or session"),
        (signed(body=b'{"text": "hellO"}'), "another body"),
        (signed(SpeakerKeys(["x" * 32])), "a key that is not of this mesh"),
        (signed()[:-4] + "AAAA", "invalid signature"),
        (forged({**HS256, "kid": "../../dev/null"}), "a key that is not of this mesh"),
        (forged({**HS256, "kid": [key_id(NEW)]}), "invalid signature"),
        (forged({"alg": "HS256"}), "a key that is not of this mesh"),
        (forged({**HS256, "alg": "none"}), "invalid signature"),
        (forged({**HS256, "alg": "none"}).rpartition(".")[0] + ".", "invalid signature"),
        (forged({**HS256, "alg": "RS256"}), "invalid signature"),
        (forged({**HS256, "alg": "HS512"}), "invalid signature"),
        (forged({**HS256, "crit": ["exp"]}), "invalid signature"),
        (forged(HS256, key=OLD), "invalid signature"),
        (forged(HS256, {**CLAIMS, "aud": [TARGET, "Session/s-2/send"]}), "another handler or session"),
        (forged(HS256, {**CLAIMS, "iat": "noon"}), "invalid signature|no valid time"),
        (forged(HS256, {**CLAIMS, "iat": 1e300}), "no valid time"),
        *((forged(HS256, {k: v for k, v in CLAIMS.items() if k != name}), "invalid|another") for name in CLAIMS),
    ],
)
def test_other_tokens_are_refused(token: str, reason: str) -> None:
    with pytest.raises(SpeakerRefused, match=reason):
        MESH.verify(token, TARGET, BODY)


def test_forger_of_these_tests_makes_valid_tokens_too() -> None:
    assert MESH.verify(forged(HS256), TARGET, BODY).signed_at == NOW


def test_request_must_be_sent_within_the_lifetime() -> None:
    proof = MESH.verify(signed(), TARGET, BODY)
    last = LIFETIME + CLOCK_SKEW
    times = {timedelta(0): True, last: True, -CLOCK_SKEW: True, last + timedelta(seconds=1): False}
    times |= {-CLOCK_SKEW - timedelta(seconds=1): False, timedelta(hours=5): False}
    assert {after: proof.in_time(NOW + after) for after in times} == times


def test_two_tokens_for_the_same_request_have_different_ids() -> None:
    tokens = [MESH.sign(TARGET, BODY, at=NOW)[SPEAKER_HEADER] for _ in range(100)]
    assert len({token_id(token) for token in tokens}) == 100


def test_id_of_a_token_does_not_depend_on_the_spelling_of_its_signature() -> None:
    """The last character of the signature has two bits that no decoder reads."""
    token = signed()
    spellings = {token[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"}
    signature = urlsafe_b64decode(token.rpartition(".")[2] + "=")
    same = {each for each in spellings if urlsafe_b64decode(each.rpartition(".")[2] + "=") == signature}
    assert len(same) == 4
    assert {token_id(each) for each in same} == {token_id(token)}
    assert token_id("") == ""


def test_target_is_what_the_path_addresses() -> None:
    assert target_of("/Session/a%20b/send") == "Session/a b/send"


def test_keys_do_not_appear_in_tokens_or_ids() -> None:
    assert NEW not in signed()
    assert key_id(NEW) not in NEW
    with pytest.raises(ValueError, match="at least one key"):
        SpeakerKeys([])
