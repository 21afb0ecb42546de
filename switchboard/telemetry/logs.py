"""Logging: one line per event, with the ids of its trace and invocation. By default no text of customers is logged."""

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
    """Whether text of customers and models may appear in logs and spans. Set once at startup."""

    shown = False


def show_content(shown: bool) -> None:
    _Content.shown = shown


def content_shown() -> bool:
    return _Content.shown


def private(value: object) -> str:
    """Return text that may contain a customer's data: as is with TELEMETRY_CONTENT=full, otherwise hidden."""
    return str(value) if _Content.shown else HIDDEN


class JsonFormatter(logging.Formatter):
    """Formats a line as one JSON object, for log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **correlation_ids(),
        }
        if record.exc_info:
            line["exception"] = describe_exception(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """Formats a line for a terminal; the ids come last."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if not _Content.shown:
            record = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        line = super().format(record)
        if error is not None and not _Content.shown:
            line += f"  {describe_exception(error)}"
        known = " ".join(f"{name}={value}" for name, value in correlation_ids().items())
        return f"{line}  {known}" if known else line


def correlation_ids() -> dict[str, str]:
    """Return the ids of the current invocation: trace, span, invocation, and session if known.

    Outside of an invocation, return the ids of the HTTP request that the gateway is handling.
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


def describe_exception(error: BaseException | None) -> str:
    """Return an exception's class and location. Its message is left out: it may quote what a customer wrote."""
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
    """Log to stdout, without the lines that a replay would repeat."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter(TEXT_FORMAT))
    handler.addFilter(restate.RestateLoggingFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line per request or transaction adds nothing to what the journal shows, and httpx2's has a path with values.
    for name in ("httpx2", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.WARNING)
