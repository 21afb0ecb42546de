"""What `make dates` runs, and what it says where it cannot."""

from pathlib import Path

import pytest

from scripts import dates

TESTS = Path(dates.__file__).parents[1] / "tests"


def test_dates_names_tests_that_are_there() -> None:
    assert [path for path in dates.TESTS if not (TESTS / path).exists()] == []


def test_dates_says_what_is_needed_when_there_is_no_faketime(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert dates.main([]) == 1
    assert "faketime is needed" in capsys.readouterr().err


def test_dates_names_the_date_on_which_a_command_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(dates, "at", lambda date: date.day != 29)
    assert dates.main(["2028-02-29T12:00", "2028-03-01T12:00"]) == 1
    assert capsys.readouterr().out == "FAILED  2028-02-29T12:00\n"
    assert dates.main(["2028-03-01T12:00"]) == 0
