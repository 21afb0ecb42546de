"""The client's own span of a message, where a collector is named: the trace then begins where the customer wrote."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVICE = "cli"


def traces() -> bool:
    """Whether spans are sent from here."""
    return bool(os.environ.get(ENDPOINT))


@contextmanager
def message_span(session_id: str) -> Iterator[dict[str, str]]:
    """A span around a message and its reply; the headers that put what is done for it below, none without tracing."""
    if not traces():
        yield {}
        return
    # Imported here: `ask` without tracing starts in half the time.
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    from switchboard.telemetry.setup import send_spans  # noqa: PLC0415
    from switchboard.telemetry.spans import CONVERSATION, TRACEPARENT, Attributes, child_span, traceparent  # noqa: PLC0415

    # That a collector is away is for the services to say; a person is shown a reply.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    send_spans(SERVICE, os.environ[ENDPOINT])
    attributes: Attributes = {CONVERSATION: session_id}
    with child_span(None, "send message", SpanKind.CLIENT, attributes) as span:
        yield {TRACEPARENT: traceparent(span.get_span_context())}
