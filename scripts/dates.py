"""Plays the demo, the cases and the tests that go by a date on days that are odd, with Debian's libfaketime.

Restate's clock stays right, for its binary is static, and a timer that a service sets is due by the false one: so no
test of timers is among them, and none on a mesh that always replays.
"""

import shutil
import subprocess
import sys
from datetime import UTC, datetime

DATES = (
    "2027-01-01T12:00",
    "2027-02-28T12:00",
    "2027-03-28T00:59",
    "2027-05-31T12:00",
    "2027-10-31T00:59",
    "2027-12-31T23:58",
    "2028-02-29T12:00",
    "2028-03-01T04:59",
)
"""UTC; used when none is named."""

TESTS = ("services", "mesh/test_airline_identity.py", "mesh/test_bookings.py", "mesh/test_disputes.py")

ON_A_REPLAYING_MESH = "test_airline_customer_without_bank_record"
"""One whose name does not say so."""

COMMANDS = (
    ("switchboard.cli", "demo"),
    ("evals.cases",),
    ("pytest", "-k", f"not replaying and not {ON_A_REPLAYING_MESH}", *(f"tests/{path}" for path in TESTS)),
)


def at(date: datetime) -> bool:
    """Run all of it as if it were `date` now; whether all went well."""
    # Counted from now and not an instant: so the clocks of all processes agree.
    false = ("faketime", "--exclude-monotonic", "-f", f"{(date - datetime.now(UTC)).total_seconds():+.0f}s")
    passed = True
    for command in COMMANDS:
        print(f"── {date:%Y-%m-%d %H:%M} UTC: {' '.join(command)}", flush=True)
        passed &= subprocess.run((*false, sys.executable, "-m", *command)).returncode == 0
    return passed


def main(names: list[str]) -> int:
    """The exit code."""
    dates = [datetime.fromisoformat(name).replace(tzinfo=UTC) for name in names or DATES]
    if shutil.which("faketime") is None:
        print("faketime is needed: `apt install faketime` brings it.", file=sys.stderr)
        return 1
    failed = [date for date in dates if not at(date)]
    print("\n".join(f"FAILED  {date:%Y-%m-%dT%H:%M}" for date in failed) or f"All went well on {len(dates)} dates.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
