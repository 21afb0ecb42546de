"""The benchmark's reference tasks and recordings on a real mesh, if the machine has the data."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals import recorded, reference
from evals.mesh import EvalMesh, HandlerFailed
from switchboard.local.restate_server import find_binary
from tests.parts import need, needs_tau_airline, tau_airline

pytestmark = needs_tau_airline

CHANGE = "update_reservation_flights"


@pytest.fixture
def data() -> Path:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    folder = tau_airline()
    assert folder is not None
    return folder


EVERY = pytest.param(1, marks=pytest.mark.slow, id="every one")


def write_every(step: int, entries: Path, folder: Path) -> tuple[Path, int]:
    """Write the middle one of each `step` entries of a JSON list to a file of `folder`. Return it and their number."""
    chosen = json.loads(entries.read_text())[step // 2 :: step]
    file = folder / entries.name
    file.write_text(json.dumps(chosen))
    return file, len(chosen)


@pytest.mark.parametrize("step", [pytest.param(6, id="every sixth"), EVERY])
def test_reference_task_ends_with_the_expected_data(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    tasks, number = write_every(step, data / "tasks.json", tmp_path)
    status = reference.main(["--data", str(data), "--tasks", str(tasks)])
    said = capsys.readouterr().out.splitlines()
    assert number * step == 30
    assert said[-1] == f"{number} of {number} equal", said
    assert status == 0


def test_task_with_another_outcome_differs(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks: list[dict[str, Any]] = json.loads((data / "tasks.json").read_text())
    alone = next(task for task in tasks if [step["name"] for step in task["steps"]] == [CHANGE])
    another_result, another_record, not_changed = (json.loads(json.dumps(alone)) for _ in range(3))
    another_result["steps"][0]["result"]["total_baggages"] += 1
    next(iter(another_record["expected_change"]["users"].values()))["email"] = "other@example.com"
    not_changed["expected_change"] = {}
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps([alone, another_result, another_record, not_changed]))
    status = reference.main(["--data", str(data), "--tasks", str(file)])
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "1 of 4 equal", said
    assert status == 1
    complaints = (f"{CHANGE}: result.total_baggages", ".email: expected", "DIFFERS: ")
    assert all(part in line for part, line in zip(complaints, said[1:4], strict=True))


def test_task_that_cannot_be_played_differs_and_others_are_played(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[dict[str, Any]] = json.loads((data / "tasks.json").read_text())
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks[:2]))
    dump = EvalMesh.dump

    async def fails_once(mesh: EvalMesh) -> Any:
        monkeypatch.setattr(EvalMesh, "dump", dump)
        raise HandlerFailed("the dump failed")

    monkeypatch.setattr(EvalMesh, "dump", fails_once)
    assert reference.main(["--data", str(data), "--tasks", str(file)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "DIFFERS: the dump failed" in said[0]
    assert said[-1] == "1 of 2 equal"


def test_every_twentieth_recording_has_no_misses(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings, number = write_every(20, data / "recorded.json", tmp_path)
    status = recorded.main(["--data", str(data), "--recordings", str(recordings)])
    totals = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert totals["misses"] == []
    assert status == 0
    assert totals["recordings"] == number == 5
    assert totals["writes_attempted"] >= number


@pytest.mark.slow
def test_recordings_have_no_misses(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = recorded.main(["--data", str(data), "--recordings", str(data / "recorded.json")])
    totals = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert totals["misses"] == []
    assert status == 0
    assert totals["recordings"] == 100
    # The same numbers as in docs/reference/policy-airline.md and as the policy gives in memory.
    assert totals["writes"] == {
        "refused then, refused": 63,
        "right, made": 33,
        "right, refused": 4,
        "wrong, made": 20,
        "wrong, refused": 29,
    }
