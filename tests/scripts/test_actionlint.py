"""actionlint accepts the workflows, and finds mistakes in them."""

import subprocess
from pathlib import Path

import pytest

from tests.parts import PROJECT, need_tool

WORKFLOWS = PROJECT / ".github" / "workflows"
MISTAKES = {
    "unknown input": ("fail-fast: false", "fail_fast: false"),
    "unknown output of a step": ("${{ matrix.python }}", "${{ steps.missing.outputs.python }}"),
}


def actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    """Run actionlint without shellcheck and pyflakes, which not every machine has."""
    command = [need_tool("actionlint", "actionlint"), "-no-color", "-shellcheck=", "-pyflakes=", *map(str, files)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_actionlint_accepts_the_workflows() -> None:
    done = actionlint(*sorted(WORKFLOWS.glob("*.yml")))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mistake", MISTAKES)
def test_actionlint_finds_mistakes(mistake: str, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    text = (WORKFLOWS / "test.yml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "test.yml").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert actionlint(tmp_path / "test.yml").returncode == 1
