"""Tasks in the format of the benchmark's reference data, and the differences after playing them. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

Record = dict[str, Any]
Records = Mapping[str, Record]

KINDS = ("users", "reservations", "flights")
SEATS = "available_seats"
ERROR = "Error"
SHOWN_CHARS = 160


class BadFile(Exception):
    """A file is invalid; the message names the file and the problem."""


class Step(BaseModel):
    """One call of a task with the reference's result."""

    model_config = ConfigDict(frozen=True)

    name: str
    arguments: dict[str, JsonValue]
    result: JsonValue


class Scenario(BaseModel):
    model_config = ConfigDict(frozen=True)

    known_info: str | None = None


class Task(BaseModel):
    """The right calls for a customer's request, and every record that changes, in its final state."""

    model_config = ConfigDict(frozen=True)

    id: str
    scenario: Scenario = Scenario()
    steps: tuple[Step, ...]
    expected_change: dict[str, dict[str, Record]]


@dataclass(frozen=True)
class World:
    """The airline's records of each kind, by id."""

    users: Records
    reservations: Records
    flights: Records


@dataclass(frozen=True)
class Outcome:
    """The result of a call: its JSON, or the error message if it failed."""

    ok: bool
    value: Any

    @property
    def is_error(self) -> bool:
        return not self.ok or (isinstance(self.value, str) and self.value.startswith(ERROR))


def read_tasks(path: Path) -> list[Task]:
    """Return the tasks in a file. Raises BadFile."""
    try:
        return TypeAdapter(list[Task]).validate_json(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadFile(f"{path} does not hold tasks: {error}") from error


def read_world(folder: Path) -> World:
    """Return the records of a data set. Raises BadFile."""
    return World(**{kind: read_records(folder / f"{kind}.json") for kind in KINDS})


def read_records(path: Path) -> Records:
    try:
        records = json.loads(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path} is not JSON: {error}") from error
    if not isinstance(records, dict):
        raise BadFile(f"{path} is not an object with a record for each id")
    return records


def customer_of(task: Task, base: World) -> str:
    """Return the task's customer: named by its calls, owner of a reservation in them, or named by the scenario."""
    named = [str(step.arguments["user_id"]) for step in task.steps if "user_id" in step.arguments]
    reservations = [str(step.arguments["reservation_id"]) for step in task.steps if "reservation_id" in step.arguments]
    owners = [base.reservations[one]["user_id"] for one in reservations if one in base.reservations]
    named_users = [word for word in re.findall(r"\w+", task.scenario.known_info or "") if word in base.users]
    # A task with searches only can be played as any customer.
    return str([*named, *owners, *named_users, *base.users][0])


def changed(base: World, task: Task) -> World:
    """Return the reference's records after the task."""
    records = {kind: {**getattr(base, kind), **task.expected_change.get(kind, {})} for kind in KINDS}
    return World(**records)


def wrong_result(step: Step, outcome: Outcome) -> str:
    """Describe the difference from the reference's result; empty if they are equal or both are errors."""
    expected = Outcome(ok=True, value=step.result)
    if expected.is_error or outcome.is_error:
        if expected.is_error and outcome.is_error:
            return ""
        return f"{step.name}: expected {shown(step.result)}, got {shown(outcome.value)}"
    different = first_difference(step.result, outcome.value)
    return f"{step.name}: {different}" if different else ""


def first_difference(expected: Any, got: Any, where: str = "result") -> str:
    """Describe the first difference of two JSON values; empty if they are equal. Key order does not matter."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in sorted(expected.keys() | got.keys()):
            if name not in got:
                return f"{where}.{name} is missing, expected {shown(expected[name])}"
            if name not in expected:
                return f"{where}.{name} is {shown(got[name])}, expected none"
            if different := first_difference(expected[name], got[name], f"{where}.{name}"):
                return different
        return ""
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        places = (
            first_difference(one, other, f"{where}[{i}]")
            for i, (one, other) in enumerate(zip(expected, got, strict=True))
        )
        return next((place for place in places if place), "")
    # In JSON, 163 equals 163.0, but true does not equal 1.
    same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
    return "" if same else f"{where}: expected {shown(expected)}, got {shown(got)}"


def shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def wrong_records(expected: World, got: World) -> Iterator[str]:
    """Yield one line for every unexpected record. Free seats of flights are ignored."""
    for kind in KINDS:
        wanted, found = getattr(expected, kind), getattr(got, kind)
        for key in sorted(wanted.keys() | found.keys()):
            where = f"{kind}/{key}"
            if key not in found or key not in wanted:
                yield f"{where} is {'missing' if key not in found else 'one too many'}"
                continue
            one, other = compared(kind, wanted[key]), compared(kind, found[key])
            # Almost all records are equal, and == is fast.
            if one != other and (different := first_difference(one, other, where)):
                yield different


def different_seats(expected: World, got: World) -> Sequence[str]:
    """Return the flights and days whose free seats differ from the reference's, with both counts."""
    return [
        f"{number} on {day}: {shown(facts[SEATS])}, reference {shown(free_seats(flight, day))}"
        for number, flight in expected.flights.items()
        for day, facts in got.flights.get(number, {}).get("dates", {}).items()
        if SEATS in facts and facts[SEATS] != free_seats(flight, day)
    ]


def free_seats(flight: Record, day: str) -> Any:
    return flight["dates"].get(day, {}).get(SEATS)


def compared(kind: str, record: Record) -> Record:
    """Normalise a record: leave out nulls, a customer's own id, and the free seats of flights."""
    if kind == "flights":
        days = {day: {k: v for k, v in facts.items() if k != SEATS} for day, facts in record["dates"].items()}
        return {**record, "dates": days}
    return {name: value for name, value in record.items() if value is not None and name != "user_id"}
