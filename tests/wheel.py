"""Builds the wheel, as `python -m hatchling build` does, and installs it, for tests of what others get."""

import os
import subprocess
import sys
from pathlib import Path

from tests.parts import PROJECT, need

UV = PROJECT / ".tools" / "uv" / "bin" / "uv"


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


def new_environment(folder: Path) -> Path:
    """Make a virtual environment and return its folder of programs."""
    need("uv", UV.exists(), "`make setup` brings it")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return folder / "bin"


def install(programs: Path, *arguments: str) -> None:
    """Install into an environment as `pip install` does: from uv's cache, or from the index when it lacks a package."""
    command = [str(UV), "pip", "install", "--quiet", "--python", str(programs / "python"), *arguments]
    for offline in ({"UV_OFFLINE": "1"}, {}):
        done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)
