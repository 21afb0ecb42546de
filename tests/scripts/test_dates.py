"""`make dates` runs existing tests and reports missing programs and failures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import dates

TESTS = Path(dates.__file__).parents[1] / "tests"


def test_dates_selects_existing_tests() -> None:
    assert [path for path in (*dates.TESTS, *dates.MESH_TESTS) if not (TESTS / path).exists()] == []


def test_dates_reports_missing_faketime(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert dates.main([]) == 1
    assert "faketime is not installed" in capsys.readouterr().err


def test_dates_reports_the_date_of_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(dates, "run_on", lambda date: date.day != 29)
    assert dates.main(["2028-02-29T12:00", "2028-03-01T12:00"]) == 1
    assert capsys.readouterr().out == "FAILED  2028-02-29T12:00\n"
    assert dates.main(["2028-03-01T12:00"]) == 0


def test_dates_include_a_year_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[datetime] = []

    def run_on(date: datetime) -> bool:
        tried.append(date)
        return True

    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(dates, "run_on", run_on)
    assert dates.main([]) == 0
    assert len(tried) == len(dates.DATES) + 1
    assert abs(tried[-1] - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=1)
