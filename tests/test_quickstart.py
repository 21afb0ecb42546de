"""The quickstart: one agent and one tool in one file, started as its reader starts it."""

import signal
from pathlib import Path

from tests.cli.conftest import run_in, start_up
from tests.parts import PROJECT, need_restate_server

QUICKSTART = PROJECT / "examples" / "quickstart"
LINES_MAX = 60


def test_quickstart_is_one_short_file() -> None:
    assert [path.name for path in QUICKSTART.glob("*.py")] == ["quickstart.py"]
    assert (QUICKSTART / "quickstart.py").read_text(encoding="utf-8").count("\n") <= LINES_MAX


def test_quickstart_answers_questions(tmp_path: Path) -> None:
    need_restate_server()
    mesh = start_up(tmp_path / "mesh", project=QUICKSTART)
    try:
        mesh.wait_until_up()
        answer = run_in(QUICKSTART, "ask", "when is the library in Berlin open on Monday?", **mesh.environment)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "09:00 to 20:00" in answer.stdout
        closed = run_in(QUICKSTART, "ask", "when is the library in Hamburg open on Sunday?", **mesh.environment)
        assert "closed" in closed.stdout
    finally:
        mesh.end(signal.SIGTERM)
