"""Builds the wheel, as `python -m hatchling build` does, for tests that look into it or install it."""

import subprocess
import sys
from pathlib import Path

from tests.parts import PROJECT


def build_wheel(folder: Path) -> Path:
    """Return the wheel, built into the folder. Needs no network: the build backend is installed."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel
