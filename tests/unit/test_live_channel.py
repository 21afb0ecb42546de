"""The handshake of the live channel: both sides hold a key, and nothing that was overheard opens another connection."""

from datetime import UTC, datetime, timedelta

import pytest

from switchboard.live_channel import LIVE_NONCE_HEADER, LIVE_TAG_HEADER, accept_channel, first_frame, open_channel
from switchboard.speaker import CLOCK_SKEW, LIFETIME, SPEAKER_HEADER, SpeakerKeys, SpeakerRefused

KEYS = SpeakerKeys(["k" * 32])
OTHERS = SpeakerKeys(["o" * 32])


def test_two_holders_of_a_key_know_each_other() -> None:
    opening = open_channel(KEYS)
    accepted = accept_channel(KEYS, opening.headers)

    assert accepted.is_proven_by(first_frame(KEYS, opening, accepted.headers))


def test_the_channel_works_while_keys_are_replaced() -> None:
    old, new = SpeakerKeys(["k" * 32, "n" * 32]), SpeakerKeys(["n" * 32, "k" * 32])
    for process, gateway in ((old, new), (new, old)):
        opening = open_channel(process)
        accepted = accept_channel(gateway, opening.headers)
        assert accepted.is_proven_by(first_frame(process, opening, accepted.headers))


def test_without_keys_both_sides_accept() -> None:
    opening = open_channel(None)
    accepted = accept_channel(None, opening.headers)

    assert (opening.headers, accepted.headers) == ({}, {})
    assert accepted.is_proven_by(first_frame(None, opening, accepted.headers))


@pytest.mark.parametrize(
    "changed",
    [
        {SPEAKER_HEADER: ""},
        {SPEAKER_HEADER: "a.b.c"},
        {LIVE_NONCE_HEADER: "another nonce"},
        OTHERS.sign("live", b""),
        KEYS.sign("Session/s-1/send", b""),
    ],
)
def test_gateway_refuses_a_process_without_a_key(changed: dict[str, str]) -> None:
    with pytest.raises(SpeakerRefused):
        accept_channel(KEYS, {**open_channel(KEYS).headers, **changed})


def test_gateway_refuses_an_old_request() -> None:
    opening = open_channel(KEYS)
    later = datetime.now(UTC) + LIFETIME + CLOCK_SKEW + timedelta(seconds=1)

    with pytest.raises(SpeakerRefused, match="too long"):
        accept_channel(KEYS, opening.headers, later)


def test_an_overheard_request_does_not_open_a_second_connection() -> None:
    opening = open_channel(KEYS)
    overheard = first_frame(KEYS, opening, accept_channel(KEYS, opening.headers).headers)
    second = accept_channel(KEYS, opening.headers)

    assert not any(second.is_proven_by(frame) for frame in ("", overheard, second.headers[LIVE_TAG_HEADER]))


@pytest.mark.parametrize("keys", [None, OTHERS])
def test_process_refuses_a_gateway_without_a_key(keys: SpeakerKeys | None) -> None:
    opening = open_channel(KEYS)
    headers = accept_channel(None, {}).headers if keys is None else {LIVE_TAG_HEADER: keys.tag(opening.nonce)}

    with pytest.raises(SpeakerRefused, match="does not hold a key"):
        first_frame(KEYS, opening, headers)
