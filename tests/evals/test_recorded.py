"""Replaying recordings on a real mesh finds different reads and right writes that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals import recorded
from switchboard.local.restate_server import find_binary
from tests.parts import need, needs_tau_airline, tau_airline

pytestmark = needs_tau_airline

UNCHANGED, TWO_CERTIFICATES = (0, 0), (0, 1)
"""Task and trial. In the second recording the model pays with two certificates, which rule P2 refuses."""


def entry(recordings: list[dict[str, Any]], name: tuple[int, int], trial: str) -> dict[str, Any]:
    found = next(one for one in recordings if (one["task_id"], one["trial"]) == name)
    return json.loads(json.dumps({**found, "trial": trial}))  # type: ignore[no-any-return]


def test_different_read_and_refused_right_write_are_misses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    folder = tau_airline()
    assert folder is not None
    recordings = json.loads((folder / "recorded.json").read_text())
    same, other_read = (entry(recordings, UNCHANGED, trial) for trial in ("same", "read"))
    profile = next(said for said in other_read["messages"] if said.get("name") == "get_user_details")
    profile["content"] = profile["content"].replace('"gold"', '"silver"')
    refused = entry(recordings, TWO_CERTIFICATES, "refused")
    asked = [call["function"] for said in refused["messages"] for call in said.get("tool_calls") or ()]
    bookings = [json.loads(call["arguments"]) for call in asked if call["name"] == "book_reservation"]
    refused["reference_writes"] = [{"name": "book_reservation", "arguments": bookings[-1]}]
    file = tmp_path / "recordings.json"
    file.write_text(json.dumps([same, other_read, refused]))

    status = recorded.main(["--data", str(folder), "--recordings", str(file)])

    totals = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 1
    assert totals["refused_by_rule"]["right: P2"] == 1
    assert [miss.split(":")[0] for miss in totals["misses"]] == [
        "0/read get_user_details",
        "0/refused book_reservation",
    ]
