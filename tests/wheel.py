"""Builds the wheel with hatchling and installs it, for tests of the distribution."""

import os
import subprocess
import sys
from pathlib import Path

from tests.parts import PROJECT, need

UV = PROJECT / ".tools" / "uv" / "bin" / "uv"


def build_wheel(folder: Path) -> Path:
    """Build the wheel into the folder and return its path. Works offline, because the build backend is installed."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def new_environment(folder: Path) -> Path:
    """Create a virtual environment and return its bin folder."""
    need("uv", UV.exists(), "`make setup` installs it")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return folder / "bin"


def install(programs: Path, *arguments: str) -> None:
    """Install packages into an environment, from uv's cache or, if one is missing there, from the index."""
    command = [str(UV), "pip", "install", "--quiet", "--python", str(programs / "python"), *arguments]
    for offline in ({"UV_OFFLINE": "1"}, {}):
        done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)
