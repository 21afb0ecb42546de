"""What is logged: one line an event, with the ids that lead to its trace and its journal, and nobody's words in it."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson
import restate
from opentelemetry import trace

from switchboard.telemetry import spans

LogFormat = Literal["json", "text", "auto"]

TEXT_FORMAT = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"

HIDDEN = "[hidden]"


class _Content:
    """Whether what people and models wrote may be seen in logs and spans; set once, at start."""

    shown = False


def show_content(shown: bool) -> None:
    _Content.shown = shown


def content_shown() -> bool:
    return _Content.shown


def private(value: object) -> str:
    """What may hold a customer's words or data: as it is with TELEMETRY_CONTENT=full, else hidden."""
    return str(value) if _Content.shown else HIDDEN


class JsonFormatter(logging.Formatter):
    """A line as one JSON object, for a collector of logs."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **ids(),
        }
        if record.exc_info:
            line["exception"] = where(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """A line for people at a terminal; the ids come last."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if not _Content.shown:
            record = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        line = super().format(record)
        if error is not None and not _Content.shown:
            line += f"  {where(error)}"
        known = " ".join(f"{name}={value}" for name, value in ids().items())
        return f"{line}  {known}" if known else line


def ids() -> dict[str, str]:
    """Of the invocation that the line is about: trace, span, invocation, and session where it is known.

    Outside of an invocation, of the HTTP request that the gateway answers.
    """
    span = spans.current()
    if span is None:
        request = trace.get_current_span().get_span_context()
        return (
            {"trace_id": f"{request.trace_id:032x}", "span_id": f"{request.span_id:016x}"} if request.is_valid else {}
        )
    found = {
        "trace_id": span.trace_id,
        "span_id": f"{span.span_id:016x}",
        "invocation_id": span.invocation_id,
    }
    session = span.attributes.get(spans.CONVERSATION)
    return {**found, "session_id": str(session)} if session else found


def where(error: BaseException | None) -> str:
    """An exception's class and place: its message may quote what a customer wrote."""
    if error is None:
        return ""
    if _Content.shown:
        return logging.Formatter().formatException((type(error), error, error.__traceback__))
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__qualname__} at {' < '.join(reversed(frames))}"


def set_up_logging(level: str, log_format: LogFormat = "auto") -> None:
    """Log to stdout, without the lines that a replay would say a second time."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter(TEXT_FORMAT))
    handler.addFilter(restate.RestateLoggingFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # One line for each model call says nothing that the journal does not say better.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
