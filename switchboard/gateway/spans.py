"""The span of a request: the root of a message's trace. Trace headers of clients are ignored."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from switchboard.telemetry.spans import TRACEPARENT, child_span, traceparent

SERVER_ERROR = 500


@contextmanager
def request_span(method: str) -> Iterator[Span]:
    """Open a span around a request. It has no parent: a client could name another customer's trace."""
    with (
        child_span(None, method, SpanKind.SERVER, {"http.request.method": method}) as span,
        trace.use_span(span, record_exception=False, set_status_on_exception=False),
    ):
        yield span


def record_response(span: Span, method: str, route: str, status: int) -> None:
    """Name the span by the semantic conventions for HTTP and record the response."""
    span.update_name(f"{method} {route}" if route else method)
    if route:
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def set_attribute(name: str, value: str) -> None:
    """Add an attribute to the request's span."""
    trace.get_current_span().set_attribute(name, value)


def trace_id() -> str:
    """Return the trace id of the request, in hexadecimal; empty without tracing."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def trace_headers() -> dict[str, str]:
    """Return the headers that make the request's span the parent of the work it causes."""
    context = trace.get_current_span().get_span_context()
    return {TRACEPARENT: traceparent(context)} if context.is_valid else {}
