"""The CLI's own span around a message, sent if a collector is configured. The trace then starts at the client."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVICE = "cli"


def tracing_enabled() -> bool:
    return bool(os.environ.get(ENDPOINT))


@contextmanager
def message_span(session_id: str) -> Iterator[dict[str, str]]:
    """Open a span around a message and its reply. Yields the headers that propagate it, or none without tracing."""
    if not tracing_enabled():
        yield {}
        return
    # Imported here, so that `ask` without tracing starts in half the time.
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    from switchboard.telemetry.setup import send_spans  # noqa: PLC0415
    from switchboard.telemetry.spans import TRACEPARENT, child_span, conversation, traceparent  # noqa: PLC0415

    # Do not print export errors: the user wants the reply, and the services log an unreachable collector.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    send_spans(SERVICE, os.environ[ENDPOINT])
    with child_span(None, "send message", SpanKind.CLIENT, conversation(session_id)) as span:
        yield {TRACEPARENT: traceparent(span.get_span_context())}
