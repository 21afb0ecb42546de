"""The model adapter against an endpoint that hangs, is away, or answers: one attempt, and our own time-out."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard import Agent
from switchboard.local.process import free_ports
from switchboard.messages import Identity, TurnRequest, UserText
from switchboard.models.endpoint import Client, Endpoint, connect_openai
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
