"""scripts/smoke.py passes on a working mesh, retries while it starts, and reports wrong replies."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web

from scripts.smoke import CONVERSATION
from switchboard.local.process import die_with_parent, free_ports
from tests.gateway.front import Gateway
from tests.parts import PROJECT

GOOD = [
    {"text": "The balance is 12.50", "agent": expected.agent, "turn": turn, "failed": False}
    for turn, expected in enumerate(CONVERSATION, 1)
]

BREAKS_OFF = "breaks off"

STORED_REFUSALS = (
    {"status": 503, "code": "no_agents", "detail": "No agent can be reached just now."},
    {"status": 503, "source": "invocation", "message": "No agent can be reached just now."},
)
"""Refusals that Restate stores under a message's key, from the gateway and from Restate's ingress."""


async def smoke(*arguments: str) -> tuple[int, str]:
    """Run the script without our packages and return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-S",
        PROJECT / "scripts" / "smoke.py",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={},
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode()


async def broken_off(request: web.BaseRequest) -> web.StreamResponse:
    """Send half of a response and close the connection."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"text": ')
    assert request.transport is not None
    request.transport.close()
    return response


@asynccontextmanager
async def fake_gateway(*replies: Any) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """Run a fake gateway that sends these replies one after the other. Yields its URL and the requests it gets.

    A number is sent as a status. A reply may contain a status. BREAKS_OFF closes the connection within the body.
    """
    requests: list[web.BaseRequest] = []
    (port,) = free_ports(1)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        requests.append(request)
        reply = replies[min(len(requests), len(replies)) - 1]
        if isinstance(reply, int):
            return web.Response(status=reply, text="no")
        if reply == BREAKS_OFF:
            return await broken_off(request)
        return web.json_response(reply, status=reply.get("status", 200))

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", requests
    finally:
        await runner.cleanup()


def count_keys(requests: list[web.BaseRequest]) -> int:
    """Return the number of different idempotency keys."""
    return len({request.headers["Idempotency-Key"] for request in requests})


async def test_smoke_passes_on_a_working_mesh(gateway: Gateway) -> None:
    await gateway.laboratory.model.follows_rules()
    code, output = await smoke("--gateway", gateway.ports.url, "--token", gateway.visitor().token)
    assert code == 0, output
    assert "Passed: all replies to 3 messages are correct" in output


async def test_smoke_sends_token_and_a_key_for_each_message_to_the_gateway() -> None:
    async with fake_gateway(*GOOD) as (url, requests):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert code == 0, output
    assert {request.headers["Authorization"] for request in requests} == {"Bearer t0ken"}
    assert count_keys(requests) == len(CONVERSATION)
    (path,) = {request.path for request in requests}
    assert path.startswith("/v1/sessions/smoke-")
    assert path.endswith("/messages")
    bodies = [json.loads(await request.read()) for request in requests]
    assert bodies == [{"text": expected.text} for expected in CONVERSATION]


async def test_smoke_retries_with_the_same_key_until_the_mesh_is_up() -> None:
    async with fake_gateway(503, 404, *GOOD) as (url, requests):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert code == 0, output
    assert count_keys(requests[:3]) == 1


async def test_smoke_retries_a_broken_response_with_the_same_key() -> None:
    async with fake_gateway(BREAKS_OFF, *GOOD) as (url, requests):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert (code, "Traceback" in output) == (0, False), output
    assert count_keys(requests[:2]) == 1


async def test_smoke_retries_a_stored_refusal_with_a_new_key() -> None:
    for refusal in STORED_REFUSALS:
        async with fake_gateway(refusal, *GOOD) as (url, requests):
            code, output = await smoke("--gateway", url, "--token", "t0ken")
        assert code == 0, output
        assert count_keys(requests[:2]) == 2
        assert count_keys(requests) == len(CONVERSATION) + 1


async def test_smoke_reports_a_rejected_token_without_retry() -> None:
    async with fake_gateway(401) as (url, requests):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert (code, len(requests)) == (1, 1)
    assert "The gateway rejected the token" in output


async def test_smoke_fails_on_wrong_replies() -> None:
    for wrong, why in (
        ({**GOOD[0], "failed": True}, "is an apology"),
        ({**GOOD[0], "agent": "Airline"}, "should come from Bank"),
        ({**GOOD[0], "text": "no idea"}, "should match"),
        ({**GOOD[0], "turn": 2}, "The reply to message 1 of the conversation has the turn number 2"),
        (401, "HTTP 401"),
    ):
        async with fake_gateway(wrong) as (url, _):
            code, output = await smoke("--gateway", url, "--token", "t0ken")
        assert (code, why in output) == (1, True), output


async def test_smoke_fails_at_the_deadline_if_nothing_answers() -> None:
    code, output = await smoke(
        "--gateway", f"http://127.0.0.1:{free_ports(1)[0]}", "--token", "t0ken", "--seconds", "0.2"
    )
    assert (code, "No reply from" in output) == (1, True)


async def test_smoke_requires_a_token_for_the_gateway() -> None:
    code, output = await smoke("--gateway", "http://127.0.0.1:9")
    assert (code, "--token" in output) == (2, True)
