"""Log lines, trace ids and error types: the telemetry that can be tested without a mesh."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import restate

from switchboard.telemetry import logs, spans
from switchboard.telemetry.setup import COLLECTOR_UNAVAILABLE, WarnOnce

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(message: str, *arguments: object, error: Exception | None = None, name: str = "mesh") -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, arguments, exc_info)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error):
        return error


@pytest.fixture
def shown() -> Iterator[None]:
    logs.show_content(True)
    yield
    logs.show_content(False)


def test_json_formatter_writes_one_object_per_line() -> None:
    line = logs.JsonFormatter().format(record("lost %s\nof %d", "one", 2))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("WARNING", "mesh", "lost one\nof 2")
    assert found["time"].endswith("+00:00")


@pytest.mark.parametrize("formatter", [logs.JsonFormatter(), logs.TextFormatter(logs.TEXT_FORMAT)])
def test_formatter_shows_type_and_location_but_not_the_message(formatter: logging.Formatter) -> None:
    line = formatter.format(record("broken", error=raised(ValueError("Alice owes 300"))))
    assert "ValueError" in line
    assert "test_telemetry.py" in line
    assert "Alice" not in line


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("formatter", [logs.JsonFormatter(), logs.TextFormatter(logs.TEXT_FORMAT)])
def test_formatter_shows_the_message_with_full_content(formatter: logging.Formatter) -> None:
    assert "Alice owes 300" in formatter.format(record("broken", error=raised(ValueError("Alice owes 300"))))


def test_private_text_is_hidden_by_default() -> None:
    assert logs.private("Alice") == logs.HIDDEN


@pytest.mark.usefixtures("shown")
def test_private_text_is_shown_with_full_content() -> None:
    assert logs.private("Alice") == "Alice"


def test_logs_are_json_unless_stdout_is_a_terminal_or_text_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up_logging("INFO")
    logging.getLogger("mesh").info("hello")
    assert json.loads(capsys.readouterr().out)["message"] == "hello"
    logs.set_up_logging("INFO", "text")
    logging.getLogger("mesh").info("hello")
    assert capsys.readouterr().out.endswith("INFO    mesh  hello\n")
    logging.basicConfig(handlers=[logging.StreamHandler(sys.stderr)], force=True)


def test_unavailable_collector_is_logged_once() -> None:
    filtered = WarnOnce("http://collector")
    first, second = (record("failed: %s", "refused", name="opentelemetry.exporter") for _ in range(2))
    other = record("failed", name="mesh")
    assert filtered.filter(first)
    assert first.getMessage().startswith(COLLECTOR_UNAVAILABLE.split("%s")[0] + "http://collector")
    assert not filtered.filter(second)
    assert filtered.filter(other)


def test_traceparent_survives_a_round_trip() -> None:
    context = spans.parse(PARENT)
    assert context is not None
    assert spans.traceparent(context) == PARENT


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-01", f"{PARENT}x", PARENT.replace("0af7", "ZZZZ")])
def test_parse_returns_none_for_an_invalid_traceparent(header: str) -> None:
    assert spans.parse(header) is None


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (restate.TerminalError("cancelled", status_code=409), "cancelled"),
        (restate.TerminalError("Alice has no such booking", status_code=404), "404"),
        (ConnectionError("Alice"), "ConnectionError"),
    ],
)
def test_error_type_has_low_cardinality(error: Exception, named: str) -> None:
    assert spans.error_type(error) == named


def test_spans_do_nothing_outside_of_an_invocation() -> None:
    assert spans.current() is None
    assert spans.propagation_headers(call_id="c") == {}
    assert spans.parent_traceparent() == ""
    spans.describe({"a": "b"})
    spans.link(PARENT)
