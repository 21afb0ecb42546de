"""Traces start at the gateway. Trace headers from clients are ignored."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from switchboard.testing import calls, says, scene
from tests.gateway.front import Gateway, open_gateway
from tests.gateway.mcp_client import LEGACY, MODERN, data, mcp_client
from tests.traces.observatory import Observed

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
MESSAGES = "POST /v1/sessions/{session_id}/messages"


@pytest.fixture(scope="module")
async def traced_gateway(observed: Observed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that sends its spans to the mesh's collector."""
    folder = tmp_path_factory.mktemp("traced-gateway")
    async with open_gateway(observed.laboratory, folder, observed.observatory.environment) as opened:
        yield opened


async def test_gateway_span_is_the_root_of_a_messages_trace(observed: Observed, traced_gateway: Gateway) -> None:
    await observed.laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": "w"})), says("done")))
    visitor = traced_gateway.visitor()
    answer = await visitor.says("go")
    trace_id = answer.body["trace_id"]
    assert answer.headers["x-trace-id"] == trace_id
    trace = await observed.observatory.trace(trace_id)
    assert trace.faults() == []
    assert [line.strip() for line in trace.tree()] == [
        MESSAGES,
        "Session/claim",
        "Session/send",
        "invoke_agent Triage",
        "chat demo",
        "invoke_agent Probe",
        "chat demo",
        "execute_tool wait",
        "chat demo",
    ]
    (root,) = [span for span in trace.spans if span.parent is None]
    (session,) = trace.of("Session/send")
    assert (root.service, root.name, root.error) == ("gateway", MESSAGES, None)
    assert root.tags["span.kind"] == "server"
    assert root.tags["http.request.method"] == "POST"
    assert root.tags["http.route"] == "/v1/sessions/{session_id}/messages"
    assert root.tags["http.response.status_code"] == 200
    assert root.tags["gen_ai.conversation.id"] == visitor.session
    assert root.tags["restate.invocation.id"] == session.tags["restate.invocation.id"]
    assert root.start_us <= session.start_us
    assert root.start_us + root.duration_us >= session.start_us + session.duration_us


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_call_over_mcp_has_a_span_between_request_and_message(
    observed: Observed, traced_gateway: Gateway, mode: str
) -> None:
    await observed.laboratory.model.plays(scene("hello", says("hi")))
    visitor, claimed = traced_gateway.visitor(), uuid4().hex
    given = {"text": "hello", "session_id": visitor.session}
    async with mcp_client(visitor, mode) as client:
        meta: Any = {"traceparent": f"00-{claimed}-00f067aa0ba902b7-01"}
        answer = data(await client.call_tool("ask", given, meta=meta))
    assert answer["trace_id"] != claimed
    trace = await observed.observatory.trace(answer["trace_id"])
    assert trace.faults() == []
    assert claimed not in repr(trace)
    assert [line.strip() for line in trace.tree()] == [
        "POST /v1/mcp",
        "tools/call ask",
        "Session/claim",
        "Session/send",
        "invoke_agent Triage",
        "chat demo",
    ]
    (call,) = trace.of("tools/call ask")
    assert call.tags["mcp.method.name"] == "tools/call"
    assert call.tags["gen_ai.tool.name"] == "ask"
    assert call.tags["gen_ai.conversation.id"] == visitor.session


async def test_gateway_ignores_a_clients_trace_header(observed: Observed, traced_gateway: Gateway) -> None:
    await observed.laboratory.model.plays(scene("hello", says("hi")))
    claimed = uuid4().hex
    claims = {"traceparent": f"00-{claimed}-00f067aa0ba902b7-01", "tracestate": "a=b", "baggage": "c=d"}
    answer = await traced_gateway.visitor().calls("POST", "messages", claims, json={"text": "hello"})
    assert answer.body["trace_id"] != claimed
    trace = await observed.observatory.trace(answer.body["trace_id"])
    assert trace.faults() == []
    assert claimed not in repr(trace)
    assert (await observed.observatory._read(claimed)).spans == ()


async def test_repeated_message_has_a_trace_of_its_own(observed: Observed, traced_gateway: Gateway) -> None:
    await observed.laboratory.model.plays(scene("hello", says("hi")))
    visitor, key = traced_gateway.visitor(), str(uuid4())
    first, again = await visitor.says("hello", key), await visitor.says("hello", key)
    # The reply contains the id of the trace in which it was made.
    assert first.body["trace_id"] == again.body["trace_id"] == first.headers["x-trace-id"]
    assert again.headers["x-trace-id"] != first.headers["x-trace-id"]
    second = await observed.observatory.trace(again.headers["x-trace-id"], last_span=MESSAGES)
    assert second.faults() == []
    assert [line.strip() for line in second.tree()] == [MESSAGES]


async def test_refused_request_is_a_span_without_an_error(observed: Observed, traced_gateway: Gateway) -> None:
    answer = await traced_gateway.visitor().gets("status")
    assert answer.status == 404
    assert answer.body["trace_id"] == answer.headers["x-trace-id"]
    route = "GET /v1/sessions/{session_id}/status"
    trace = await observed.observatory.trace(answer.body["trace_id"], last_span=route)
    (root,) = trace.of(route)
    assert (root.tags["http.response.status_code"], root.error) == (404, None)


async def test_content_never_appears_in_gateway_spans_logs_or_metrics(
    observed: Observed, traced_gateway: Gateway
) -> None:
    word, key = f"geheim-{uuid4().hex}", str(uuid4())
    await observed.laboratory.model.plays(scene(word, says(word)))
    visitor = traced_gateway.visitor()
    said = await visitor.says(word, key)
    refused = await visitor.posts("messages", text=word, unknown=word)
    foreign = await traced_gateway.visitor("bob", session=visitor.session).says(word)
    assert [said.text, refused.status, foreign.status] == [word, 400, 403]
    spans = [await observed.observatory.trace(said.body["trace_id"])]
    spans += [await observed.observatory.trace(x.body["trace_id"], last_span=MESSAGES) for x in (refused, foreign)]
    log = traced_gateway.process.log.read_text()
    places = {"spans": repr(spans), "log": log, "metrics": await traced_gateway.metrics()}
    secrets = {"word": word, "key": key, "token": visitor.token.rsplit(".", 1)[0]}
    assert [(name, place) for name, text in secrets.items() for place, held in places.items() if text in held] == []
    # The log line contains the trace id.
    lines = [json.loads(line) for line in log.rpartition("\n")[0].splitlines()]
    (line,) = [line for line in lines if line.get("trace_id") == said.body["trace_id"]]
    assert line["message"].startswith(f"{MESSAGES} 200 in ")
