"""Requests for a task, to a server of 2025 that a test plays: what each answer of the server says of the call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from switchboard import McpServer
from switchboard.local.process import free_ports
from switchboard.telemetry import spans
from switchboard.toolkit.mcp.outcomes import Attempt, Outcome, RunningTask
from switchboard.toolkit.mcp.tasks import cancel, look_at

CREATED_AT = "2025-11-25T08:00:00Z"
UNKNOWN_TASK = {"error": {"code": -32602, "message": "no such task"}}
DONE = {"result": {"content": [{"type": "text", "text": "a report"}]}}


def state(status: str, task_id: str = "t-1") -> dict[str, Any]:
    times = {"createdAt": CREATED_AT, "lastUpdatedAt": CREATED_AT, "ttl": None, "pollInterval": 2500}
    return {"result": {"taskId": task_id, "status": status, **times}}


@dataclass
class Played:
    """A server with an answer for each method, in its MCP sessions or in any."""

    answers: dict[str, dict[str, Any]]
    sessions: tuple[str, ...] = ("s-1",)
    heard: list[str] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.Response:
        session = request.headers.get("mcp-session-id", "")
        if request.method == "DELETE":
            self.heard.append(f"end {session}")
            return web.Response(status=204)
        message = await request.json()
        method = message["method"]
        self.heard.append(method)
        if "id" not in message:
            return web.Response(status=202)
        if method == "initialize":
            server = {"capabilities": {}, "serverInfo": {"name": "played", "version": "0"}}
            answer: dict[str, Any] = {"result": {"protocolVersion": "2025-11-25", **server}}
        elif method == "server/discover" or session not in self.sessions:
            error = (
                {"code": -32601, "message": "no"} if method == "server/discover" else {"code": -32000, "message": ""}
            )
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=400)
        else:
            answer = self.answers[method]
        headers = {"mcp-session-id": self.sessions[-1]} if method == "initialize" else {}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], **answer}, headers=headers)


@asynccontextmanager
async def server(played: Played) -> AsyncIterator[McpServer]:
    (port,) = free_ports(1)

    async def answer(request: web.Request) -> web.Response:
        return await played(request)

    app = web.Application()
    app.router.add_route("*", "/mcp", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield McpServer("Shop", url=f"http://127.0.0.1:{port}/mcp", tools=("report",))
    finally:
        await runner.cleanup()


TASK = RunningTask(task_id="t-1", version="2025-11-25", session="s-1")
ATTEMPT = Attempt("report", {}, "")


async def looked(played: Played) -> Outcome:
    async with server(played) as shop:
        return await look_at(shop, ATTEMPT, TASK)


async def test_task_that_works_keeps_its_session_and_names_the_pause() -> None:
    played = Played({"tasks/get": state("working")})
    outcome = await looked(played)
    assert outcome.task == TASK.model_copy(update={"poll_seconds": 2.5})
    assert (outcome.kind, outcome.text, played.heard) == ("working", "", ["tasks/get"])


async def test_task_that_has_ended_ends_its_session() -> None:
    played = Played({"tasks/get": state("completed"), "tasks/result": DONE})
    outcome = await looked(played)
    assert (outcome.kind, outcome.text) == ("done", "a report")
    assert played.heard == ["tasks/get", "tasks/result", "end s-1"]


@pytest.mark.parametrize(
    ("answers", "kind", "text"),
    [
        ({"tasks/get": UNKNOWN_TASK}, "lost", "Shop does not know the task of this call any more"),
        ({"tasks/get": state("cancelled")}, "failed", "Not done: Shop cancelled the task"),
        ({"tasks/get": state("completed", "t-2")}, "working", "Shop sent an answer that cannot be read"),
        ({"tasks/get": state("resting")}, "working", "Shop sent an answer that cannot be read"),
        ({"tasks/get": {"result": "none"}}, "working", "Shop "),
        ({"tasks/get": state("completed"), "tasks/result": {"result": {}}}, "lost", "Shop says that the task is"),
    ],
)
async def test_each_answer_is_an_outcome(answers: dict[str, Any], kind: str, text: str) -> None:
    outcome = await looked(Played(answers))
    assert (outcome.kind, outcome.text[: len(text)]) == (kind, text)


async def test_session_that_is_gone_is_replaced_by_a_new_one() -> None:
    played = Played({"tasks/get": state("working")}, sessions=("s-2",))
    outcome = await looked(played)
    assert outcome.task is not None
    assert (outcome.kind, outcome.task.session) == ("working", "s-2")


@pytest.mark.parametrize(
    ("answers", "kind", "text"),
    [
        (
            {"tasks/cancel": state("cancelled"), "tasks/get": state("cancelled")},
            "failed",
            "Not done: it was interrupted",
        ),
        ({"tasks/cancel": state("working"), "tasks/get": state("working")}, "lost", "It was interrupted, and Shop has"),
        ({"tasks/cancel": UNKNOWN_TASK, "tasks/get": state("completed"), "tasks/result": DONE}, "done", "a report"),
        ({"tasks/cancel": UNKNOWN_TASK, "tasks/get": UNKNOWN_TASK}, "lost", "Shop does not know the task"),
    ],
)
async def test_cancelled_task_is_reported_as_it_stands(answers: dict[str, Any], kind: str, text: str) -> None:
    async with server(Played(answers)) as shop:
        outcome = await cancel(shop, ATTEMPT, TASK)
    assert (outcome.kind, outcome.text[: len(text)]) == (kind, text)


async def test_server_that_is_away_cancels_nothing_yet() -> None:
    (port,) = free_ports(1)
    away = McpServer("Shop", url=f"http://127.0.0.1:{port}/mcp", tools=("report",))
    for ask in (look_at, cancel):
        outcome = await ask(away, ATTEMPT, TASK)
        assert (outcome.kind, outcome.text) == ("working", "Shop cannot be reached")


async def test_spans_of_a_task_have_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "tracer", provider.get_tracer("switchboard"))
    await looked(Played({"tasks/get": state("completed"), "tasks/result": DONE}))
    await looked(Played({"tasks/get": UNKNOWN_TASK}))
    found = exporter.get_finished_spans()
    assert [(span.name, (span.attributes or {}).get("error.type")) for span in found] == [
        ("tasks/get", None),
        ("tasks/get", "MCPError"),
    ]
    assert not [span for span in found if "report" in span.to_json() or "no such task" in span.to_json()]
