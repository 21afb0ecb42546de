"""Spans of requests to MCP servers, by OpenTelemetry's conventions for MCP, without words of customers or models."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from switchboard.telemetry import spans
from switchboard.telemetry.model_call import use_span

TOOL_ERROR = "tool_error"
"""Error type of a call whose tool reports an error."""


@contextmanager
def mcp_call(parent: spans.HandlerSpan | None, tool: str, url: str) -> Iterator[Span]:
    """Trace one attempt at a call of a tool. `url` is empty for a server that speaks over a pipe."""
    attributes: spans.Attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    with mcp_request(parent, "tools/call", url, tool, attributes) as span:
        yield span


@contextmanager
def mcp_request(
    parent: spans.HandlerSpan | None,
    method: str,
    url: str,
    target: str = "",
    more: spans.Attributes | None = None,
) -> Iterator[Span]:
    """Trace one request to a server. `target` is what it is about, if that may be shown."""
    attributes: spans.Attributes = {
        "mcp.method.name": method,
        "network.transport": "tcp" if url else "pipe",
        **(more or {}),
    }
    if url:
        address = urlsplit(url)
        attributes["network.protocol.name"] = "http"
        attributes["server.address"] = address.hostname or ""
        attributes["server.port"] = address.port or (443 if address.scheme == "https" else 80)
    name = f"{method} {target}".rstrip()
    with spans.child_span(parent, name, SpanKind.CLIENT, attributes) as span, use_span(span):
        yield span


def record_version(span: Span, version: str | None) -> None:
    if version:
        span.set_attribute("mcp.protocol.version", version)


def record_failure(span: Span, kind: str) -> None:
    """Record why a call failed by the kind of the failure, without its message."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
