"""Settings of keys: which values are accepted, and when a service starts without keys."""

import logging

import pytest

from switchboard.runtime.settings import EventsKeySettings, ServerSettings, SpeakerSettings, load
from switchboard.speaker import SPEAKER_HEADER, SpeakerKeys

FIRST, SECOND = "f" * 32, "s" * 40


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "SWITCHBOARD_SPEAKER_KEYS", "SWITCHBOARD_EVENTS_KEYS", "RESTATE_IDENTITY_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_first_key_signs_and_all_keys_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_SPEAKER_KEYS", f" {FIRST} ,{SECOND},")
    speaker = load(SpeakerSettings).speaker()
    assert speaker is not None
    token = speaker.sign("Session/s/send", b"")[SPEAKER_HEADER]
    assert SpeakerKeys([FIRST]).verify(token, "Session/s/send", b"")
    assert speaker.verify(SpeakerKeys([SECOND]).sign("Session/s/send", b"")[SPEAKER_HEADER], "Session/s/send", b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_keys_may_be_missing_on_a_loopback_address_with_a_warning(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("SWITCHBOARD_SPEAKER_KEYS", "")
    with caplog.at_level(logging.WARNING):
        assert load(SpeakerSettings).speaker() is None
    assert "requests are not signed" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "triage.mesh.svc"])
def test_keys_must_be_set_elsewhere(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOST", host)
    with pytest.raises(SystemExit):
        load(SpeakerSettings)
    assert "SWITCHBOARD_SPEAKER_KEYS is not set" in capsys.readouterr().err
    monkeypatch.setenv("SWITCHBOARD_SPEAKER_KEYS", FIRST)
    assert load(SpeakerSettings).speaker() is not None


def test_short_key_is_refused_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWITCHBOARD_SPEAKER_KEYS", f"{FIRST},too-short-a-key")
    with pytest.raises(SystemExit):
        load(SpeakerSettings)
    said = capsys.readouterr().err
    assert "shorter than 32 bytes" in said
    assert "too-short-a-key" not in said


def test_services_may_know_several_keys_of_restate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(ServerSettings).restate_identity_keys == ()
    monkeypatch.setenv("RESTATE_IDENTITY_KEY", "publickeyv1_a, publickeyv1_b")
    assert load(ServerSettings).restate_identity_keys == ("publickeyv1_a", "publickeyv1_b")


KEY, OTHER_KEY = "k" * 32, "o" * 32


@pytest.mark.parametrize(
    ("host", "events", "speaker", "open_with"),
    [
        ("0.0.0.0", KEY, "", KEY),
        ("0.0.0.0", KEY, OTHER_KEY, KEY),
        ("0.0.0.0", "", OTHER_KEY, OTHER_KEY),
        ("0.0.0.0", "", "", None),
        ("127.0.0.1", "", "", ""),
    ],
)
def test_live_channel_has_keys_of_its_own(
    monkeypatch: pytest.MonkeyPatch, host: str, events: str, speaker: str, open_with: str | None
) -> None:
    for name, value in (("HOST", host), ("SWITCHBOARD_EVENTS_KEYS", events), ("SWITCHBOARD_SPEAKER_KEYS", speaker)):
        monkeypatch.setenv(name, value)
    settings = load(EventsKeySettings)
    assert settings.may_be_open == (open_with is not None)
    keys = settings.channel()
    assert (keys is not None and keys.has_tag("x", SpeakerKeys([open_with or KEY]).tag("x"))) == bool(open_with)


def test_short_key_of_the_live_channel_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWITCHBOARD_EVENTS_KEYS", "short")
    with pytest.raises(SystemExit):
        load(EventsKeySettings)
    assert "SWITCHBOARD_EVENTS_KEYS: has a key shorter than 32 bytes" in capsys.readouterr().err
