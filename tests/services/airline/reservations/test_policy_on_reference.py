"""The policy on the benchmark's reference data: right writes pass, and the numbers of refused wrong ones.

Runs in memory, without Restate. Skipped if the data is not available.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.tools.airline.rules import RULES
from switchboard.toolkit.refusal import Refusal
from tests.parts import needs_tau_airline, tau_airline
from tests.services.airline.reservations.reference_service import INPUTS, Data, ReferenceService

pytestmark = needs_tau_airline

RULES_BROKEN_BY_THE_REFERENCE = {
    ("update_reservation_flights", "C1"),  # The older reference changes basic economy flights.
    ("update_reservation_baggages", "L1"),  # It charges a regular member in economy for the first bag.
    ("send_certificate", "K4"),  # It compensates a delay although nothing was changed or cancelled.
}
"""Writes that the older reference counts as right and the written policy forbids."""


@dataclass(frozen=True)
class Write:
    """A recorded write, the policy's answer, and whether the reference's tools accepted it."""

    recording: str
    name: str
    right: bool
    accepted_then: bool
    refusal: Refusal | None

    @property
    def rule(self) -> str:
        return self.refusal.rule if self.refusal else ""


def folder() -> Path:
    found = tau_airline()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def data() -> Data:
    return Data.read(folder())


@pytest.fixture(scope="module")
def writes(data: Data) -> list[Write]:
    recordings = json.loads((folder() / "recorded.json").read_bytes())
    return [write for recording in recordings for write in played(recording, data)]


def played(recording: Mapping[str, Any], data: Data) -> Iterator[Write]:
    """Yield the recording's writes in order, each checked on the state after the allowed ones before it."""
    messages = recording["messages"]
    calls = [(i, call["function"]) for i, one in enumerate(messages) for call in one.get("tool_calls") or ()]
    asked = [(i, call["name"], json.loads(call["arguments"])) for i, call in calls]
    service = ReferenceService(data, customer_of([arguments for _, _, arguments in asked], data))
    for index, name, arguments in asked:
        if name not in INPUTS:
            continue
        yield Write(
            recording=f"{recording['task_id']}/{recording['trial']}",
            name=name,
            right={"name": name, "arguments": arguments} in recording["reference_writes"],
            accepted_then=not messages[index + 1]["content"].startswith("Error"),
            refusal=service.write(name, arguments),
        )


def customer_of(calls: list[Any], data: Data) -> str:
    owners = (data.reservations.get(one.get("reservation_id"), {}).get("user_id") for one in calls)
    named = (one.get("user_id") for one in calls)
    return next((one for one in (*named, *owners) if one), "")


def test_reference_tasks_pass_with_the_expected_state(data: Data) -> None:
    for task in json.loads((folder() / "tasks.json").read_bytes()):
        steps = [step for step in task["steps"] if step["name"] in INPUTS]
        service = ReferenceService(data, customer_of([step["arguments"] for step in steps], data))
        for step in steps:
            refusal = service.write(step["name"], step["arguments"])
            assert (refusal is None) == (not str(step["result"]).startswith("Error")), (task["id"], step, refusal)
        for kind, records in (("users", service.users), ("reservations", service.reservations)):
            for key, expected in task["expected_change"].get(kind, {}).items():
                assert stripped(json.loads(records[key].model_dump_json())) == stripped(expected), (task["id"], key)


def stripped(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record without nulls."""
    return {name: stripped_value(value) for name, value in record.items() if value is not None}


def stripped_value(value: Any) -> Any:
    return stripped(value) if isinstance(value, dict) else value


def test_right_write_is_refused_only_where_the_reference_breaks_a_rule(writes: list[Write]) -> None:
    refused = {(write.name, write.rule) for write in writes if write.right and write.refusal}
    assert refused <= RULES_BROKEN_BY_THE_REFERENCE


def test_writes_that_the_reference_refused_are_refused(writes: list[Write]) -> None:
    assert [write for write in writes if not write.accepted_then and write.refusal is None] == []


def test_every_refusal_names_a_rule(writes: list[Write]) -> None:
    assert {write.rule for write in writes if write.refusal} <= set(RULES)


def test_recorded_writes_match_the_documented_table(writes: list[Write]) -> None:
    """The numbers are those of docs/reference/policy-airline.md. A change of the policy must update both."""
    wrong = [write for write in writes if not write.right and write.accepted_then]
    assert len(writes) == 149
    assert len([write for write in writes if write.right]) == 37
    assert len(wrong) == 49
    assert Counter(write.rule for write in wrong) == {
        "": 20,  # Not what the customer wanted, but no rule forbids it.
        "L1": 9,
        "B3": 6,
        "C2": 6,
        "C1": 4,
        "G1": 2,  # These follow a refused booking.
        "P2": 2,
    }
