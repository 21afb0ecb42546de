"""`scripts/ci/scan.sh` asks every scanner about everything that is pinned, and fails if one of them finds something.

The scanners need a network. Here, programs that write down their arguments stand in for them.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.image_tree import services
from tests.parts import PROJECT

PINS = sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "requirements").glob("*.txt"))

SCANNERS = ("go", "npm", "docker", "pip-audit")

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in *"$FINDS"*) if test -n "$FINDS"; then echo "/bin/found"; exit "$FAILS"; fi ;; esac
"""


@dataclass
class Scan:
    """A run of the script: its exit code, the scanners' calls, and what it printed as errors."""

    code: int
    calls: list[str]
    errors: str


def scan(folder: Path, what: str, finds: str = "", fails: int = 1) -> Scan:
    """Run the script with stand-ins. One whose call has the text `finds` prints a finding and exits with `fails`."""
    programs, calls = folder / "bin", folder / "calls"
    programs.mkdir()
    calls.touch()
    for name in (*SCANNERS, "pip"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    # `python3 -m venv` makes the folder that has pip and pip-audit; everything else is Python's own work.
    (programs / "python3").write_text(
        f'#!/bin/sh\nif test "$1 $2" = "-m venv"; then exit 0; fi\nexec {sys.executable} "$@"\n'
    )
    (programs / "python3").chmod(0o755)
    venv = folder / "venv"
    venv.mkdir()
    (venv / "bin").symlink_to(programs)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "FINDS": finds,
        "FAILS": str(fails),
        "TOOLS_VENV": str(venv),
    }
    done = subprocess.run(
        [str(PROJECT / "scripts/ci/scan.sh"), what],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return Scan(done.returncode, calls.read_text().splitlines(), done.stderr)


def test_scan_of_dependencies_asks_every_scanner_about_all_pins(tmp_path: Path) -> None:
    done = scan(tmp_path, "dependencies")
    assert done.code == 0, done.errors
    [osv] = [call for call in done.calls if call.startswith("go ")]
    assert "osv-scanner" in osv
    assert all(f"requirements.txt:{pins}" in osv for pins in PINS)
    assert "--lockfile package-lock.json" in osv
    audited = [call for call in done.calls if call.startswith("pip-audit ")]
    assert [
        pins for pins in PINS if not any(f"--requirement {pins} --require-hashes" in call for call in audited)
    ] == []
    assert "npm audit --package-lock-only" in done.calls


def test_scan_of_images_asks_about_every_image_and_its_files(tmp_path: Path) -> None:
    done = scan(tmp_path, "images")
    assert done.code == 0, done.errors
    for service in services(PROJECT):
        image = f"switchboard-{service.replace('_', '-')}:"
        assert any("osv-scanner" in call and f"image {image}" in call for call in done.calls), service
        assert any(call.startswith("docker ") and image in call and "-perm /6000" in call for call in done.calls), (
            service
        )


@pytest.mark.parametrize(
    ("what", "finds", "fails"),
    [
        ("dependencies", "osv-scanner", 1),
        ("dependencies", "pip-audit --requirement requirements/gateway.txt", 1),
        ("dependencies", "npm audit", 1),
        ("images", "image switchboard-bank", 1),
        ("images", "docker run", 1),
        # `find` has printed a file with setuid.
        ("images", "docker run", 0),
    ],
)
def test_scan_fails_after_a_finding_but_asks_the_others_too(tmp_path: Path, what: str, finds: str, fails: int) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    clean = scan(tmp_path / "first", what)
    found = scan(tmp_path / "second", what, finds, fails)
    assert (found.code, found.calls) == (1, clean.calls)
    assert "found something" in found.errors


def test_scan_of_something_else_says_what_it_can_scan(tmp_path: Path) -> None:
    done = scan(tmp_path, "everything")
    assert (done.code, done.calls) == (1, [])
    assert "dependencies | images" in done.errors
