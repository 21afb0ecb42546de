"""Spans of what leaves the mesh: SQL, HTTP and A2A, by OpenTelemetry's conventions, below the caller, without words."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from aiohttp import web

from switchboard.local.process import Process, free_ports
from switchboard.testing import calls, says, scene
from switchboard.toolkit.sql import WRITES_TABLE
from tests.chaos.test_transfers import remove_deployment
from tests.parts import PROJECT
from tests.postgres import Postgres
from tests.traces.observatory import RESTATE, Observed, Span
from tests.traces.test_traces import trace_of

SAID, SECRET = "Xanthippe", "token-4711"


@dataclass(frozen=True)
class Outside:
    """Where the requests of the mesh go: ports on this machine, and the database's name."""

    observed: Observed
    sql_port: int
    http_port: int
    a2a_port: int
    database: str


async def word(request: web.Request) -> web.Response:
    """Answer with the word, except that it is not found in capitals."""
    found = request.match_info["word"]
    return web.json_response({"text": found}, status=404 if found.isupper() else 200)


@pytest.fixture
async def outside(observed: Observed, postgres: Postgres, tmp_path: Path) -> AsyncIterator[Outside]:
    name, (http_port, a2a_port, port) = f"outside_{uuid4().hex}", free_ports(3)
    address = await postgres.create_database(name)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(WRITES_TABLE)
        await connection.execute("CREATE TABLE notes (text text NOT NULL)")
    app = web.Application()
    app.router.add_get("/words/{word}", word)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    url = f"http://127.0.0.1:{a2a_port}"
    insurer = Process(
        name="insurer",
        command=[sys.executable, "-m", "tests.remote.insurer"],
        environment={"PORT": str(a2a_port), "INSURER_LOG": str(tmp_path / "insurer.log")},
        port=a2a_port,
        health=f"{url}/health",
        log=tmp_path / "insurer.out",
        folder=PROJECT,
    )
    mesh = observed.laboratory.mesh
    agent = mesh.service("outside", port, module="tests.traces.outside")
    own = {"OUTSIDE_DATABASE_URL": address, "OUTSIDE_API_URL": f"http://127.0.0.1:{http_port}", "INSURER_URL": url}
    agent.environment = {**agent.environment, **own, "OUTSIDE_API_TOKEN": SECRET}
    try:
        for process in (insurer, agent):
            await process.start()
        await mesh.register(f"http://127.0.0.1:{port}")
        yield Outside(observed, postgres.port, http_port, a2a_port, name)
        await remove_deployment(observed.laboratory, port)
    finally:
        for process in (agent, insurer):
            await process.kill()
        await runner.cleanup()


def shown(span: Span) -> dict[str, object]:
    """Return the attributes that the conventions name."""
    known = ("db.", "http.", "server.", "url.", "error.")
    return {key: value for key, value in span.tags.items() if key.startswith(known)}


async def test_requests_to_the_outside_have_spans_below_their_caller(outside: Outside) -> None:
    text = f"go {SAID}"
    work = calls(("write_down", {"text": SAID}), ("look_up", {"text": SAID}), ("look_up", {"text": SAID.upper()}))
    to_scribe, to_insurer = (calls((f"handoff_to_{name}", {"reason": SAID})) for name in ("Scribe", "Insurer"))
    laboratory = outside.observed.laboratory
    # The insurer is no model, but its turn counts as a step.
    await laboratory.model.plays(scene(text, to_scribe, work, to_insurer, says("never said"), says("done")))
    answer = await laboratory.customer().says(text)
    assert answer.text == "done"
    trace = await trace_of(outside.observed, answer)
    below: dict[str, list[Span]] = {}
    names = {span.span_id: span.name for span in trace.spans}
    ours = [span for span in trace.spans if span.service != RESTATE and span.tags.get("span.kind") == "client"]
    for span in ours:
        below.setdefault(names[span.parent or ""], []).append(span)

    statements = [span.name for span in sorted(below["execute_tool write_down"], key=lambda span: span.start_us)]
    db = outside.database
    assert statements == [f"INSERT {db}", f"INSERT {db}", f"SELECT {db}", f"UPDATE {db}"]
    server = {"server.address": "127.0.0.1", "server.port": outside.sql_port}
    insert = {"db.system.name": "postgresql", "db.namespace": db, "db.operation.name": "INSERT", **server}
    assert shown(min(below["execute_tool write_down"], key=lambda span: span.start_us)) == insert

    requests = below["execute_tool look_up"]
    assert {span.name for span in requests} == {"GET /words/{word}"}
    get = {"http.request.method": "GET", "url.template": "/words/{word}"}
    here = {"server.address": "127.0.0.1", "server.port": outside.http_port}
    good, bad = sorted(requests, key=lambda span: int(span.tags["http.response.status_code"]))
    assert shown(good) == {**get, **here, "http.response.status_code": 200}
    assert shown(bad) == {**get, **here, "http.response.status_code": 404, "error.type": "404"}
    assert (good.error, bad.error) == (None, "404")

    asked = below["invoke_agent Insurer"]
    # The card, and the message.
    assert {"GET", "POST"} <= {span.name for span in asked}
    there = {"server.address": "127.0.0.1", "server.port": outside.a2a_port, "http.response.status_code": 200}
    for span in asked:
        assert shown(span) == {"http.request.method": span.name, **there}

    # Neither the customer's words nor a secret is in a span, and the libraries add no spans of their own.
    everything = repr(trace)
    assert SAID not in everything
    assert SAID.upper() not in everything
    assert SECRET not in everything
    assert not [span.name for span in trace.spans if "a2a." in span.name or "httpx" in span.name]
