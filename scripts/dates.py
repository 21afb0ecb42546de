"""Run the demo, the cases and date-dependent tests on unusual dates.

Only the clock that Python's programs read is moved (see scripts/other_date). The clock of Restate and of the SDK's
native part is not: they measure delays and check Restate's signatures, and no date of the business comes from them. So
timers run when they are due, and everything is signed, as on any day.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evals.cases.__main__ import main as play_cases
from evals.cases.form import read_cases
from scripts.other_date.sitecustomize import CLOCK_OFFSET_SECONDS, move_clock
from services.project import reference
from switchboard.cli.demo import demo
from tests import forks

DATES = (
    "2026-12-24T12:00",
    "2027-01-01T00:00",
    "2027-01-31T23:59",
    "2027-02-28T12:00",
    "2027-03-14T06:59",
    "2027-03-14T07:01",
    "2027-03-28T00:59",
    "2027-03-28T01:01",
    "2027-04-30T22:30",
    "2027-05-31T12:00",
    "2027-06-30T23:59",
    "2027-08-31T04:30",
    "2027-10-31T00:59",
    "2027-10-31T01:30",
    "2027-11-07T05:59",
    "2027-11-30T12:00",
    "2027-12-31T23:58",
    "2028-02-28T23:59",
    "2028-02-29T12:00",
    "2028-03-01T04:59",
    "2032-02-29T12:00",
)
"""In UTC. The default dates, with the same time a year from now: ends of months and years, leap days, and changes of
daylight-saving time in Europe and the United States."""

YEAR = timedelta(days=365)

TEST_DATES = ("2027-01-31T23:59", "2027-03-28T00:59", "2027-12-31T23:58", "2028-02-29T12:00")
"""The dates on which tests run, too: some of them run over midnight. They take ten times as long as the rest."""

PROJECT = Path(__file__).parents[1]
OTHER_DATE = PROJECT / "scripts" / "other_date"

TESTS = (
    *("airline_identity", "banking", "bookings", "disputes", "loan_applications", "other_customers", "records"),
    "timers",
)
"""Of tests/mesh: tests that compute dates, or search payments by date. Unit tests give each function its clock."""

ROWS = ("-p", "no:time_machine", "-m", "", "-k", "not replaying")
"""Those that `make test` would run on a mesh that always replays run as they are: a replay reads no clock."""


def on(date: datetime) -> dict[str, str]:
    """Return the environment in which it is `date` now, and time passes as usual."""
    # An offset instead of a time, so that the clocks of all processes agree.
    offset = date - datetime.now(UTC)
    path = os.pathsep.join(filter(None, (str(OTHER_DATE), os.environ.get("PYTHONPATH"))))
    return {**os.environ, CLOCK_OFFSET_SECONDS: str(offset.total_seconds()), "PYTHONPATH": path}


def play() -> bool:
    """Play the demo and the bank's cases. In the others the airline's clock is stopped, and no bank's data is read."""
    names = [case.name for case in read_cases() if any(turn.agent == "Bank" for turn in case.turns)]
    return demo(reference(), None) == 0 and play_cases(names) == 0


def play_on(date: datetime) -> bool:
    """Play as if it were `date` now. Prints what was played only if it failed."""
    with tempfile.TemporaryFile() as output:
        # A fork has imported everything. So have its services, which are forks of the same process on all dates.
        child = os.fork()
        if child == 0:
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            os.environ.update(on(date))
            move_clock()
            passed = False
            try:
                passed = play()
            finally:
                sys.stdout.flush()
                os._exit(not passed)
        _, status = os.waitpid(child, 0)
        if status != 0:
            output.seek(0)
            sys.stdout.write(output.read().decode(errors="replace"))
    return status == 0


def run_tests_on(date: datetime) -> bool:
    """Run the tests as if it were `date` now."""
    tests = [str(PROJECT / "tests" / "mesh" / f"test_{name}.py") for name in TESTS]
    command = (sys.executable, "-m", "pytest", *ROWS, *tests)
    return subprocess.run(command, env=on(date), check=False).returncode == 0


def run(what: str, dates: Sequence[datetime], run_on: Callable[[datetime], bool]) -> bool:
    """Print a line for each date. Return whether all passed."""
    passed = True
    for date in dates:
        began = time.monotonic()
        found = run_on(date)
        passed &= found
        result = "passed" if found else "FAILED"
        print(f"{date:%Y-%m-%dT%H:%M}  {what}: {result} in {time.monotonic() - began:.0f} s", flush=True)
    return passed


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dates", description=__doc__)
    parser.add_argument("--only", choices=("demo", "tests"), help="the demo and the cases, or the tests")
    parser.add_argument("date", nargs="*", type=date_of, help="in UTC, such as 2028-02-29T12:00; default: all")
    given = parser.parse_args(argv)
    passed = True
    if given.only != "tests":
        forks.install()
        forks.source()
        dates = given.date or [*map(date_of, DATES), datetime.now(UTC) + YEAR]
        passed &= run("demo and cases", dates, play_on)
    if given.only != "demo":
        passed &= run("tests", given.date or [*map(date_of, TEST_DATES)], run_tests_on)
    return int(not passed)


def date_of(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
