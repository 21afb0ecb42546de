"""Run the demo, the cases and date-dependent tests on unusual dates, with Debian's libfaketime.

libfaketime has no effect on Restate, whose binary is static. So timers of services would be due at the wrong time, and
services would take Restate's signatures for expired. The selection therefore leaves out tests of timers and tests on a
mesh that always replays, and these meshes are not signed (see switchboard.local.mesh).
"""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

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

WAITS = {"FAKETIME_FORCE_MONOTONIC_FIX": "0"}
"""Without it, libfaketime 0.9.10 ends each wait of a Python thread for another one at once, and threads stand still."""

TESTS = ("services",)
MESH_TESTS = ("mesh/test_airline_identity.py", "mesh/test_bookings.py", "mesh/test_disputes.py")
"""Also those that are left to nightly runs: half of the runs on each kind of mesh are."""

ON_A_REPLAYING_MESH = "test_airline_customer_without_bank_record"
"""A test on a replaying mesh that `-k` cannot recognise by its name."""

COMMANDS = (
    ("switchboard.cli", "demo"),
    ("evals.cases",),
    ("pytest", *(f"tests/{path}" for path in TESTS)),
    (
        "pytest",
        "-m",
        "",
        "-k",
        f"not replaying and not {ON_A_REPLAYING_MESH}",
        *(f"tests/{path}" for path in MESH_TESTS),
    ),
)


def run_on(date: datetime) -> bool:
    """Run all commands as if it were `date` now. Return whether all passed."""
    # An offset instead of a fixed time, so that the clocks of all processes agree.
    fake_time = ("faketime", "--exclude-monotonic", "-f", f"{(date - datetime.now(UTC)).total_seconds():+.0f}s")
    environment, passed = os.environ | WAITS, True
    for command in COMMANDS:
        print(f"── {date:%Y-%m-%d %H:%M} UTC: {' '.join(command)}", flush=True)
        passed &= subprocess.run((*fake_time, sys.executable, "-m", *command), env=environment).returncode == 0
    return passed


def main(names: list[str]) -> int:
    """Return the exit code."""
    dates = [datetime.fromisoformat(name).replace(tzinfo=UTC) for name in names or DATES]
    if not names:
        dates.append(datetime.now(UTC) + YEAR)
    if shutil.which("faketime") is None:
        print("faketime is not installed. Install it with `apt install faketime`.", file=sys.stderr)
        return 1
    failed = [date for date in dates if not run_on(date)]
    print("\n".join(f"FAILED  {date:%Y-%m-%dT%H:%M}" for date in failed) or f"All passed on {len(dates)} dates.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
