"""`make dates` plays the demo and runs existing tests on other dates."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from scripts import dates
from tests.parts import PROJECT

LEAP_DAY = datetime(2028, 2, 29, 12, tzinfo=UTC)

CLOCKS = """
import datetime as dt, time
from scripts.other_date.sitecustomize import move_clock
move_clock()
noon = dt.datetime.combine(dt.date.today(), dt.time(12), dt.UTC)
print(time.time(), dt.datetime.now(dt.UTC).timestamp(), noon.timestamp())
"""
"""Moves the clock a second time, as a fork of a process does that was started on another date."""


def test_dates_selects_existing_tests() -> None:
    mesh = PROJECT / "tests" / "mesh"
    assert [name for name in dates.TESTS if not (mesh / f"test_{name}.py").exists()] == []


def test_programs_run_on_another_date() -> None:
    command = (sys.executable, "-c", CLOCKS)
    done = subprocess.run(command, env=dates.on(LEAP_DAY), cwd=PROJECT, capture_output=True, text=True, check=True)
    assert [float(clock) for clock in done.stdout.split()] == pytest.approx([LEAP_DAY.timestamp()] * 3, abs=60)


def test_dates_reports_the_date_of_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dates, "run_tests_on", lambda date: date.day != 29)
    assert dates.main(["--only", "tests", "2028-02-29T12:00", "2028-03-01T12:00"]) == 1
    assert "2028-02-29T12:00  tests: FAILED" in capsys.readouterr().out
    assert dates.main(["--only", "tests", "2028-03-01T12:00"]) == 0
    assert "2028-03-01T12:00  tests: passed" in capsys.readouterr().out


@pytest.mark.parametrize(("passes", "printed"), [(True, ""), (False, "what was played")])
def test_demo_is_played_on_the_date_and_shown_if_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], passes: bool, printed: str
) -> None:
    def play() -> bool:
        os.write(1, b"what was played")
        return passes and abs(datetime.now(UTC) - LEAP_DAY) < timedelta(minutes=1)

    monkeypatch.setattr(dates, "play", play)
    assert dates.play_on(LEAP_DAY) == passes
    assert capsys.readouterr().out == printed
    assert abs(datetime.now(UTC) - LEAP_DAY) > timedelta(days=1)


def test_dates_include_a_year_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[datetime] = []

    def play_on(date: datetime) -> bool:
        tried.append(date)
        return True

    monkeypatch.setattr(dates, "play_on", play_on)
    monkeypatch.setattr("tests.forks.source", lambda: None)
    assert dates.main(["--only", "demo"]) == 0
    assert len(tried) == len(dates.DATES) + 1
    assert abs(tried[-1] - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=1)
