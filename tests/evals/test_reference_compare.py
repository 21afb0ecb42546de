"""Comparing the results and records of a played task."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evals.tasks import (
    BadFile,
    Outcome,
    Step,
    Task,
    World,
    changed,
    customer_of,
    different_seats,
    first_difference,
    read_records,
    read_tasks,
    wrong_records,
    wrong_result,
)

DAY = {"status": "available", "available_seats": {"economy": 3}, "prices": {"economy": 100}}
FLIGHT = {"flight_number": "HAT001", "dates": {"2024-05-20": DAY, "2024-05-21": {"status": "landed"}}}
BASE = World(
    users={"mia_li_3668": {"email": "m@example.com"}, "raj_sanchez_7340": {"email": "r@example.com"}},
    reservations={"AAAAAA": {"user_id": "raj_sanchez_7340", "cabin": "economy"}},
    flights={"HAT001": FLIGHT},
)


def step(result: Any = None, name: str = "get_user_details", **arguments: Any) -> Step:
    return Step(name=name, arguments=arguments, result=result)


def task(*steps: Step, info: str = "", **change: Any) -> Task:
    return Task.model_validate(
        {
            "id": "0",
            "scenario": {"known_info": info},
            "steps": [one.model_dump() for one in steps],
            "expected_change": change,
        }
    )


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ({"a": 1, "b": [1, {"c": None}]}, {"b": [1, {"c": None}], "a": 1.0}, ""),
        ({"a": 1}, {"a": 2}, "result.a: expected 1, got 2"),
        ({"a": 1}, {}, "result.a is missing"),
        ({}, {"a": 1}, "result.a is 1, expected none"),
        ([1, 2], [2, 1], r"result\[0\]"),
        ([1], [1, 2], "expected"),
        (True, 1, "expected true, got 1"),
        ("1200.0", 1200.0, "expected"),
        ({"status": None}, {}, "status is missing"),
    ],
)
def test_json_is_compared_by_value(one: Any, other: Any, different: str) -> None:
    found = first_difference(one, other)
    assert bool(found) == bool(different)
    if different:
        assert re.search(different, found)


@pytest.mark.parametrize(
    ("expected", "outcome", "wrong"),
    [
        ("Error: no such flight", Outcome(False, "There is no flight HAT999."), False),
        ("Error: no such flight", Outcome(True, "Error: in our words"), False),
        ("Error: no such flight", Outcome(True, {"status": "available"}), True),
        ({"a": 1}, Outcome(False, "Refused."), True),
        ("1200.0", Outcome(True, "1200.0"), False),
        ("1200.0", Outcome(True, "1200"), True),
    ],
)
def test_any_two_errors_are_equal(expected: Any, outcome: Outcome, wrong: bool) -> None:
    assert bool(wrong_result(step(expected), outcome)) == wrong


@pytest.mark.parametrize(
    ("played", "who"),
    [
        (task(step(user_id="mia_li_3668")), "mia_li_3668"),
        (task(step(reservation_id="AAAAAA")), "raj_sanchez_7340"),
        (task(step(reservation_id="unknown"), info="Your user id is 'raj_sanchez_7340'."), "raj_sanchez_7340"),
        (task(), "mia_li_3668"),
    ],
)
def test_customer_of_a_task_is_found(played: Task, who: str) -> None:
    assert customer_of(played, BASE) == who


def test_records_are_equal_if_only_the_format_differs() -> None:
    expected = changed(BASE, task(users={"mia_li_3668": {"user_id": "mia_li_3668", "email": "m@example.com"}}))
    reservations = {"AAAAAA": {"user_id": "raj_sanchez_7340", "cabin": "economy", "status": None}}
    assert list(wrong_records(expected, World(BASE.users, reservations, BASE.flights))) == []


@pytest.mark.parametrize(
    ("kind", "records", "complaint"),
    [
        ("users", {"mia_li_3668": {"email": "x"}}, "users/mia_li_3668.email"),
        ("reservations", {"AAAAAA": {"cabin": "business"}}, "reservations/AAAAAA.cabin"),
        ("reservations", {"HATHAT": {}}, "reservations/HATHAT is one too many"),
        ("flights", {"HAT001": {**FLIGHT, "dates": {}}}, "flights/HAT001.dates"),
    ],
)
def test_unexpected_record_is_a_difference(kind: str, records: Any, complaint: str) -> None:
    got = changed(BASE, task(**{kind: records}))
    assert any(one.startswith(complaint) for one in wrong_records(BASE, got))


def test_missing_record_is_a_difference() -> None:
    assert list(wrong_records(BASE, World(BASE.users, {}, BASE.flights))) == ["reservations/AAAAAA is missing"]


def test_free_seats_are_compared_separately() -> None:
    fewer = {**FLIGHT, "dates": {**FLIGHT["dates"], "2024-05-20": {**DAY, "available_seats": {"economy": 2}}}}  # type: ignore[dict-item]
    got = World(BASE.users, BASE.reservations, {"HAT001": fewer})
    assert list(wrong_records(BASE, got)) == []
    assert len(different_seats(BASE, got)) == 1
    assert different_seats(BASE, BASE) == []


@pytest.mark.parametrize("content", ["{}", "[{}]", "no JSON"])
def test_invalid_task_file_is_reported(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(content)
    with pytest.raises(BadFile, match=r"tasks\.json"):
        read_tasks(file)
    with pytest.raises(BadFile, match="nowhere"):
        read_tasks(tmp_path / "nowhere")


def test_records_must_be_an_object_by_id(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text(json.dumps([]))
    with pytest.raises(BadFile, match=r"users\.json"):
        read_records(tmp_path / "users.json")
