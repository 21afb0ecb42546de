"""How often a task of an MCP server is looked at, and what a customer is told at its end."""

from datetime import timedelta

import pytest

from switchboard.toolkit.mcp.elicitation import field_text
from switchboard.toolkit.mcp.follow import POLL_ASKED_MAX, POLL_FIRST, POLL_MAX, pause_before, text_for_customer
from switchboard.toolkit.mcp.outcomes import Outcome, RunningTask

LOOKS_OF_A_DAY_MAX = 400
"""Each look is two entries of a journal, and a request to the server."""


def task(seconds: float = 0) -> RunningTask:
    return RunningTask(task_id="t", version="2026-07-28", poll_seconds=seconds)


def test_task_of_a_day_is_looked_at_some_hundred_times_and_soon_enough() -> None:
    waited, looks = timedelta(), 0
    while waited < timedelta(days=1):
        pause = pause_before(task(), waited)
        assert POLL_FIRST <= pause <= max(POLL_FIRST, min(POLL_MAX, waited / 10))
        waited, looks = waited + pause, looks + 1
    assert looks <= LOOKS_OF_A_DAY_MAX


@pytest.mark.parametrize(
    ("asked", "waited", "pause"),
    [(0.1, 0, 1), (7, 0, 7), (7, 600, 60), (86_400, 0, POLL_ASKED_MAX.total_seconds()), (-5, 0, 1)],
)
def test_server_says_how_often_it_is_asked(asked: float, waited: int, pause: float) -> None:
    assert pause_before(task(asked), timedelta(seconds=waited)) == timedelta(seconds=pause)


@pytest.mark.parametrize(
    ("kind", "text", "reads", "told"),
    [
        ("done", "a report.", False, "The result of “make report”:\na report."),
        ("failed", "Not done.", False, "“make report” was not done. Not done."),
        ("lost", "Shop has ended", False, "I don't know whether this was done: make report. Shop has ended."),
        ("lost", "Shop has ended", True, "“make report” was not done. Shop has ended."),
        ("asked", "asks the customer Why?", False, "About “make report”: Shop asks: Why? Please answer here."),
    ],
)
def test_customer_is_told_how_a_task_ended(kind: str, text: str, reads: bool, told: str) -> None:
    outcome = Outcome.model_validate({"kind": kind, "text": text})
    assert text_for_customer(outcome, "Shop", "make report", reads) == told


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"enum": ["a", "b"]}, 'x: string, one of ["a", "b"]'),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}, 'x: string, one of ["a", "b"]'),
        ({"type": "array", "items": {"enum": ["a"]}}, 'x: array, some of ["a"]'),
        ({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}, 'x: array, some of ["a"]'),
        ({"type": "integer", "oneOf": "none"}, "x: integer"),
    ],
)
def test_choices_of_a_question_are_shown(schema: dict[str, object], text: str) -> None:
    assert field_text("x", schema, required=True) == text
