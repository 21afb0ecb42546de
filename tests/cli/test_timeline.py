"""The chart of a turn, built from rows of Restate's tables."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from switchboard.cli.timeline import bar, lines, max_concurrent, timeline
from switchboard.session.turn_trace import InvocationRow, JournalRow, Span, build

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(ms: int) -> datetime:
    return BEGAN + timedelta(milliseconds=ms)


def invocation(id: str, target: str, start: int, end: int | None, **more: Any) -> InvocationRow:  # noqa: A002
    service, handler = target.split("/")
    done = {"status": "completed", "completion_result": "success", "completed_at": at(end)} if end else {}
    fields = {"status": "running", **done, **more}
    return InvocationRow(
        id=id, target_service_name=service, target_handler_name=handler, created_at=at(start), **fields
    )


def entry(caller: str, index: int, ms: int, entry_type: str, what: Any, name: str = "") -> JournalRow:
    fields = {"id": caller, "index": index, "entry_type": entry_type, "name": name, "appended_at": at(ms)}
    return JournalRow.model_validate(fields | {"entry_lite_json": json.dumps({entry_type.split(":")[0]: what})})


def call(caller: str, index: int, ms: int, callee: str) -> JournalRow:
    return entry(caller, index, ms, "Command: Call", {"Call": {"invocation_id": callee}})


def model_run(caller: str, index: int, ms: int, number: int) -> JournalRow:
    return entry(caller, index, ms, "Command: Run", {"Run": {"completion_id": number}}, name="model 0 demo")


def model_result(caller: str, index: int, ms: int, number: int) -> JournalRow:
    result = {"id": {"CompletionId": number}, "result": "Success"}
    return entry(caller, index, ms, "Notification: Run", result)


INVOCATIONS = [
    invocation("root", "Session/send", 0, 1000),
    invocation("triage", "Triage/take_turn", 10, 200),
    invocation("bank", "Bank/take_turn", 210, 990),
    invocation("balance", "Accounts/get_balance", 402, 500),
    invocation("loans", "Loans/list_loans", 402, 600, completion_result="failure", completion_failure="[500] no"),
]
JOURNAL = [
    call("root", 5, 10, "triage"),
    call("root", 9, 210, "bank"),
    model_run("triage", 1, 15, 1),
    model_result("triage", 2, 190, 1),
    model_run("bank", 1, 220, 1),
    model_result("bank", 2, 400, 1),
    call("bank", 3, 400, "balance"),
    call("bank", 5, 401, "loans"),
    model_run("bank", 9, 610, 6),
    model_result("bank", 10, 980, 6),
]


def turn() -> Span:
    built = build("root", INVOCATIONS, JOURNAL)
    assert built is not None
    return built


def test_turn_is_built_from_the_rows() -> None:
    assert [(line.label, line.start_ms, line.took_ms) for line in lines(turn(), at(1000))] == [
        ("Triage", 10, 190),
        ("  model demo", 10, 180),
        ("→ Bank", 210, 780),
        ("  model demo", 210, 190),
        ("  Accounts.get_balance", 400, 100),
        ("  Loans.list_loans", 401, 199),
        ("  model demo", 600, 380),
    ]


def test_parallel_tools_are_counted() -> None:
    assert max_concurrent(turn().of_kind("tool")) == 2
    assert max_concurrent([]) == 0


def test_turn_is_none_without_a_row_of_its_root() -> None:
    assert build("root", [], JOURNAL) is None


def test_running_span_ends_now() -> None:
    started = build("root", [invocation("root", "Session/send", 0, None), INVOCATIONS[1]], JOURNAL[:1])
    assert started is not None
    assert [(line.span.state, line.took_ms) for line in lines(started, at(700))] == [("ok", 190)]
    assert started.state == "running"


def test_retried_model_call_shows_the_reason() -> None:
    troubled = invocation(
        "triage",
        "Triage/take_turn",
        10,
        None,
        status="backing-off",
        last_failure="[503] the model is overloaded",
        last_failure_related_command_name="model 0 demo",
    )
    rows = [invocation("root", "Session/send", 0, None), troubled]
    started = build("root", rows, [JOURNAL[0], JOURNAL[2]])
    assert started is not None
    assert [span.state for span in started.walk()] == ["running", "retrying", "retrying"]
    assert drawn(started).count("overloaded") == 1


def test_chart_shows_failed_tools_and_the_reason() -> None:
    picture = drawn(turn())
    assert "Loans.list_loans" in picture
    assert "199 ms failed" in picture
    assert "[500] no" in picture


def drawn(span: Span) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(timeline(span, at(1000), 100))
    return capture.get()


@pytest.mark.parametrize(
    ("start_ms", "took_ms", "expected"),
    [
        (0, 100, "━━━━━━━━━━"),
        (50, 25, "     ━━╸"),
        (0, 0, "╸"),
        (100, 0, "         ━"),
    ],
)
def test_bar_has_position_and_length(start_ms: int, took_ms: int, expected: str) -> None:
    assert bar(start_ms, took_ms, whole_ms=100, columns=10) == expected
