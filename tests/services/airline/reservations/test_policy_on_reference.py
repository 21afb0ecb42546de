"""The policy on the field's reference data: no right write is refused, and what of the wrong ones gets through.

Without Restate: the reference's state rules are played in memory. Skipped where the data are not.
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
from tests.services.airline.reservations.reference_service import INPUTS, Data, Desk

pytestmark = needs_tau_airline

AGAINST_THE_RULES = {
    ("update_reservation_flights", "C1"),  # The older reference changes basic economy flights.
    ("update_reservation_baggages", "L1"),  # It has a regular member in economy pay for the first bag.
    ("send_certificate", "K4"),  # It compensates a delay although nothing was changed or cancelled.
}
"""What the older reference, by which the recordings were graded, counts as right and the written policy forbids."""


@dataclass(frozen=True)
class Write:
    """A write of a recording: what the policy says to it, and what the reference's tools said then."""

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
    """The recording's writes in order, each on the state that the allowed ones before it have left."""
    messages = recording["messages"]
    calls = [(i, call["function"]) for i, one in enumerate(messages) for call in one.get("tool_calls") or ()]
    asked = [(i, call["name"], json.loads(call["arguments"])) for i, call in calls]
    desk = Desk(data, customer_of([arguments for _, _, arguments in asked], data))
    for index, name, arguments in asked:
        if name not in INPUTS:
            continue
        yield Write(
            recording=f"{recording['task_id']}/{recording['trial']}",
            name=name,
            right={"name": name, "arguments": arguments} in recording["reference_writes"],
            accepted_then=not messages[index + 1]["content"].startswith("Error"),
            refusal=desk.write(name, arguments),
        )


def customer_of(calls: list[Any], data: Data) -> str:
    owners = (data.reservations.get(one.get("reservation_id"), {}).get("user_id") for one in calls)
    named = (one.get("user_id") for one in calls)
    return next((one for one in (*named, *owners) if one), "")


def test_no_write_of_a_reference_task_is_refused_and_its_state_is_the_expected_one(data: Data) -> None:
    for task in json.loads((folder() / "tasks.json").read_bytes()):
        steps = [step for step in task["steps"] if step["name"] in INPUTS]
        desk = Desk(data, customer_of([step["arguments"] for step in steps], data))
        for step in steps:
            refusal = desk.write(step["name"], step["arguments"])
            assert (refusal is None) == (not str(step["result"]).startswith("Error")), (task["id"], step, refusal)
        for kind, records in (("users", desk.users), ("reservations", desk.reservations)):
            for key, expected in task["expected_change"].get(kind, {}).items():
                assert stripped(json.loads(records[key].model_dump_json())) == stripped(expected), (task["id"], key)


def stripped(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is null is not there."""
    return {name: stripped_value(value) for name, value in record.items() if value is not None}


def stripped_value(value: Any) -> Any:
    return stripped(value) if isinstance(value, dict) else value


def test_a_right_write_is_refused_only_where_the_older_reference_breaks_the_written_rules(writes: list[Write]) -> None:
    refused = {(write.name, write.rule) for write in writes if write.right and write.refusal}
    assert refused <= AGAINST_THE_RULES


def test_what_the_reference_s_own_tools_refused_is_refused(writes: list[Write]) -> None:
    assert [write for write in writes if not write.accepted_then and write.refusal is None] == []


def test_every_refusal_names_a_written_rule(writes: list[Write]) -> None:
    assert {write.rule for write in writes if write.refusal} <= set(RULES)


def test_the_table_of_recorded_writes(writes: list[Write]) -> None:
    """Matches docs/reference/policy-airline.md. A policy change that lets more through has to change these numbers."""
    wrong = [write for write in writes if not write.right and write.accepted_then]
    assert len(writes) == 149
    assert len([write for write in writes if write.right]) == 37
    assert len(wrong) == 49
    assert Counter(write.rule for write in wrong) == {
        "": 20,  # Another wish than the customer's, which no rule forbids.
        "L1": 9,
        "B3": 6,
        "C2": 6,
        "C1": 4,
        "G1": 2,  # Follow a booking that was refused.
        "P2": 2,
    }
