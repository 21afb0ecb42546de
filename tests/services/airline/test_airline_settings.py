"""The airline's settings: defaults, and errors for invalid values."""

import pytest

from services.tools.airline.settings import AirlineSettings
from switchboard.runtime.settings import load


def test_defaults_use_the_real_clock_and_the_shipped_data(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRLINE_DATA_DIR", "AIRLINE_NOW", "AIRLINE_IDS"):
        monkeypatch.delenv(name, raising=False)
    settings = load(AirlineSettings)
    assert (settings.now, settings.ids, settings.data_dir) == (None, "random", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRLINE_NOW", "2024-05-15T15:00:00"),
        ("AIRLINE_IDS", "mine"),
        ("AIRLINE_DATA_DIR", "/nowhere"),
    ],
)
def test_invalid_setting_is_reported_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(AirlineSettings)
    assert capsys.readouterr().err.startswith(f"{name}: ")
