"""The span of a request: the root of a message's trace, whatever the client claims in headers."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from switchboard.telemetry.spans import TRACEPARENT, child_span, traceparent

SERVER_ERROR = 500


@contextmanager
def request_span(method: str) -> Iterator[Span]:
    """A span around a request. It has no parent: a customer could name another customer's trace."""
    with (
        child_span(None, method, SpanKind.SERVER, {"http.request.method": method}) as span,
        trace.use_span(span, record_exception=False, set_status_on_exception=False),
    ):
        yield span


def record_response(span: Span, method: str, route: str, status: int) -> None:
    """Name the span as the semantic conventions for HTTP have it, and say how the request ended."""
    span.update_name(f"{method} {route}" if route else method)
    if route:
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def describe(name: str, value: str) -> None:
    """Add an attribute to the request's span."""
    trace.get_current_span().set_attribute(name, value)


def trace_id() -> str:
    """Of the request, in hexadecimal; empty when nobody traces."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def trace_headers() -> dict[str, str]:
    """What puts the work for a request below its span."""
    context = trace.get_current_span().get_span_context()
    return {TRACEPARENT: traceparent(context)} if context.is_valid else {}
