"""The model adapter against an endpoint that hangs, is away, or answers: one attempt, and our own time-out."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard import Agent
from switchboard.local.process import free_ports
from switchboard.messages import Identity, TurnRequest, UserText
from switchboard.models.endpoint import Client, Endpoint, classify, connect_anthropic, connect_openai
from switchboard.models.model import ModelRejected, ModelUnavailable
from switchboard.models.providers import COMPATIBLE
from switchboard.models.responses import ResponsesModel

AGENT = Agent(name="Bank", handles="money", instructions="Help.")
REQUEST = TurnRequest(identity=Identity(session_id="s", customer_id="alice"), transcript=(UserText(text="hello"),))
ANSWER = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}], "status": "completed"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves a handler as POST /responses; the address."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/responses", handler)
        server = TestServer(app)
        servers.append(server)
        await server.start_server()
        return str(server.make_url(""))

    yield start
    for server in servers:
        await server.close()


def model(url: str, timeout: timedelta = timedelta(seconds=5), calls_max: int = 1) -> ResponsesModel:
    connect = partial(connect_openai, "key", url)
    return ResponsesModel(Endpoint(COMPATIBLE, connect, url, asyncio.Semaphore(calls_max), timeout), "m")


async def test_an_answer_is_read(serve: Serve) -> None:
    async def answers(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer key"
        return web.json_response(ANSWER)

    reply = await model(await serve(answers)).ask(AGENT, REQUEST, [])
    assert (reply.text, reply.model, reply.agent) == ("hi", "m", "Bank")


async def test_an_endpoint_that_never_answers_is_given_up_by_our_own_time_out(serve: Serve) -> None:
    async def hangs(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.json_response(ANSWER)

    with pytest.raises(ModelUnavailable, match="no answer within"):
        await model(await serve(hangs), timedelta(milliseconds=200)).ask(AGENT, REQUEST, [])


async def test_an_endpoint_that_drips_is_given_up_as_well(serve: Serve) -> None:
    """The client's own time-out counts the silence between two bytes; ours counts the call."""

    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1_000):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    with pytest.raises(ModelUnavailable, match="no answer within"):
        await model(await serve(drips), timedelta(milliseconds=300)).ask(AGENT, REQUEST, [])


async def test_the_wait_for_ones_turn_is_not_counted_as_the_call(serve: Serve) -> None:
    """Three calls of 0.5 s, one at a time, within a time-out of 1.2 s for each."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.json_response(ANSWER)

    queued = model(await serve(slow), timedelta(milliseconds=1_200))
    replies = await asyncio.gather(*(queued.ask(AGENT, REQUEST, []) for _ in range(3)))
    assert [reply.text for reply in replies] == ["hi"] * 3


async def test_nobody_at_the_address_may_pass() -> None:
    (port,) = free_ports(1)
    with pytest.raises(ModelUnavailable, match="cannot reach the model"):
        await model(f"http://127.0.0.1:{port}").ask(AGENT, REQUEST, [])


@pytest.mark.parametrize(("status", "kind"), [(429, ModelUnavailable), (500, ModelUnavailable), (401, ModelRejected)])
async def test_a_failure_is_one_attempt(serve: Serve, status: int, kind: type[Exception]) -> None:
    asked = 0

    async def fails(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"error": {"message": "no"}}, status=status)

    with pytest.raises(kind):
        await model(await serve(fails)).ask(AGENT, REQUEST, [])
    assert asked == 1


async def test_client_is_built_once_by_calls_at_the_same_time() -> None:
    built = []

    def connect() -> Client:
        time.sleep(0.05)
        built.append(connect_openai("key", "http://model.test"))
        return built[-1]

    endpoint = Endpoint(COMPATIBLE, connect, "http://user:secret@model.test:8080/v1", asyncio.Semaphore(1))
    clients = await asyncio.gather(*(endpoint.client() for _ in range(4)))
    assert clients == built * 4
    assert endpoint.host == "model.test:8080"


STARTS = """
import sys
from switchboard import Agent
from switchboard.runtime.serve import assemble, models_from_environment
served = assemble([Agent(name="Bank", handles="money", instructions="Help.")], models_from_environment())
assert not {"openai", "anthropic"} & sys.modules.keys(), "a client is imported before the service can listen"
import asyncio
import json
import os
import subprocess
import sys
import time
asyncio.run(served.background[0]())
print(*sorted({"openai", "anthropic"} & sys.modules.keys()))
"""


def test_service_imports_only_the_client_of_its_first_model_and_in_the_background() -> None:
    keys = {"OPENAI_API_KEY": "key", "ANTHROPIC_API_KEY": "key"}
    models = {"SWITCHBOARD_MODEL": "openai:m", "SWITCHBOARD_FALLBACK_MODELS": "anthropic:m"}
    run = subprocess.run([sys.executable, "-c", STARTS], env=os.environ | keys | models, capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, "openai"), run.stderr


CONNECT: dict[str, Callable[[str, str], Client]] = {"openai": connect_openai, "anthropic": connect_anthropic}
OF_RETRIES = ("idempotency-key", "x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-timeout")
"""Headers that a client's own `post` adds for retries, which are off here."""


@dataclass
class Recorder:
    """Gives every request the same answer, and keeps the requests: address, headers and JSON."""

    status: int = 200
    content: bytes = b"{}"
    requests: list[Any] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        left_out = (*OF_RETRIES, "content-length")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        self.requests.append((request.path_qs, sorted(headers.items()), json.loads(await request.read())))
        return web.Response(status=self.status, body=self.content, content_type="application/json")


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[str, Recorder]]:
    """A server that records, and its address."""
    recorder, app = Recorder(), web.Application()
    app.router.add_post("/{path:.*}", recorder.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("")), recorder


@pytest.mark.parametrize("client", CONNECT)
@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/"])
async def test_requests_are_those_of_the_clients_own_post(
    recorded: tuple[str, Recorder], client: str, base: str
) -> None:
    url, recorder = recorded
    connected = CONNECT[client]("key", f"{url.rstrip('/')}{base}")
    body = {"text": "Grüße 〔x〕", "options": {"n": 1.5, "none": None, "items": ("a", {"b": True})}}
    await connected.http.post("/messages", cast_to=httpx2.Response, body=body)
    for _ in range(2):
        assert await connected.post("/messages", body) == b"{}"
    await connected.http.close()
    theirs, *ours = recorder.requests
    assert "key" in str(theirs)
    assert ours == [theirs, theirs]


REFUSALS = (
    *(b"", b"no JSON", b"[]", b'"text"', b'{"error": "text"}', b'{"error": {}}', b'{"message": "no"}'),
    b'{"error": {"message": "too much", "code": "insufficient_quota", "type": "quota"}}',
    b'{"error": {"message": "prompt is too long", "type": "invalid_request_error"}}',
    b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
)


async def refusal(client: Client, call: Awaitable[object]) -> ModelUnavailable | ModelRejected:
    try:
        await call
    except client.status_error as error:
        return classify(error)
    raise AssertionError("the call was not refused")


@pytest.mark.parametrize("client", CONNECT)
async def test_refusals_are_classified_as_those_of_the_clients_own_post(
    recorded: tuple[str, Recorder], client: str
) -> None:
    url, recorder = recorded
    connected = CONNECT[client]("key", url)
    for recorder.status in (304, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 529):
        for recorder.content in REFUSALS:
            expected = await refusal(connected, connected.http.post("/messages", cast_to=httpx2.Response, body={}))
            found = await refusal(connected, connected.post("/messages", {}))
            assert (type(found), vars(found)) == (type(expected), vars(expected)), (recorder.status, recorder.content)
    await connected.http.close()
