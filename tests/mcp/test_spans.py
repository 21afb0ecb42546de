"""Spans of MCP calls: OpenTelemetry's conventions, under the tool's span, without words of customers or models."""

import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from switchboard import McpServer
from switchboard.telemetry import spans
from switchboard.toolkit.mcp.client import call_once
from switchboard.toolkit.mcp.outcomes import Attempt
from tests.mcp.declarations import PIPE

WORDS = ("boom", "a word", "no list", "nothing to see")


async def test_each_attempt_is_one_span_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "tracer", provider.get_tracer("switchboard"))
    tools = ("read_lies", "write_error", "write_no_result")
    server = McpServer("Pipe", command=PIPE, environment=("PYTHONPATH",), tools=tools)
    with spans.child_span(None, "execute_tool", SpanKind.INTERNAL, {}):
        for tool in tools:
            await call_once(server, Attempt(tool, {}, "nothing to see"), lambda listed: "")
    found = [span for span in exporter.get_finished_spans() if span.name != "execute_tool"]
    assert [span.name for span in found] == [f"tools/call {tool}" for tool in tools]
    for span, error in zip(found, ("", "MCPError", "ValidationError"), strict=True):
        attributes = dict(span.attributes or {})
        assert attributes.pop("error.type", "") == error
        assert attributes == {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": span.name.removeprefix("tools/call "),
            "network.transport": "pipe",
            "mcp.protocol.version": "2025-11-25",
        }
        assert not [word for word in WORDS if word in span.to_json()], span.to_json()


def test_the_sdk_writes_no_spans_of_its_own() -> None:
    """Its spans have a server's error messages."""
    tracer = sys.modules["mcp.shared._otel"]._tracer
    with tracer.start_as_current_span("any") as span:
        assert not span.is_recording()
