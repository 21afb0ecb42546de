"""The smoke conversation, with a real mesh, and with something at the address that is none."""

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
from tests.laboratory import Laboratory
from tests.parts import PROJECT

GOOD = [{"text": "1", "agent": says.agent, "turn": turn, "failed": False} for turn, says in enumerate(CONVERSATION, 1)]
GOOD = [{**reply, "text": "12.50 is what there is"} for reply in GOOD]

BREAKS_OFF = "breaks off"

KEPT = (
    {"status": 503, "code": "no_agents", "detail": "No agent can be reached just now."},
    {"status": 503, "source": "invocation", "message": "No agent can be reached just now."},
)
"""What Restate keeps under a message's key, as the gateway says it and as Restate's ingress does."""


async def smoke(*arguments: str) -> tuple[int, str]:
    """Exit code and output, run as on a machine without any of our packages."""
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
    """Half of an answer; then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"text": ')
    assert request.transport is not None
    request.transport.close()
    return response


@asynccontextmanager
async def gateway(*replies: Any) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """Something that answers like a gateway, one reply after the other, and what it was asked.

    A number is a status; a reply with a status of its own has it; BREAKS_OFF promises more than it says.
    """
    asked: list[web.BaseRequest] = []
    (port,) = free_ports(1)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        asked.append(request)
        reply = replies[min(len(asked), len(replies)) - 1]
        if isinstance(reply, int):
            return web.Response(status=reply, text="no")
        if reply == BREAKS_OFF:
            return await broken_off(request)
        return web.json_response(reply, status=reply.get("status", 200))

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


def keys(asked: list[web.BaseRequest]) -> int:
    """Under how many keys it was asked."""
    return len({request.headers["Idempotency-Key"] for request in asked})


async def test_it_passes_on_a_mesh_that_works(laboratory: Laboratory) -> None:
    await laboratory.model.follows_rules()
    code, output = await smoke("--ingress", laboratory.mesh.addresses.ingress_url)
    assert code == 0, output
    assert "3 messages, every reply as it should be" in output


async def test_through_the_gateway_it_sends_the_token_and_each_message_under_a_key() -> None:
    async with gateway(*GOOD) as (url, asked):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert code == 0, output
    assert {request.headers["Authorization"] for request in asked} == {"Bearer t0ken"}
    assert keys(asked) == len(CONVERSATION)
    (path,) = {request.path for request in asked}
    assert path.startswith("/v1/sessions/smoke-")
    assert path.endswith("/messages")
    said = [json.loads(await request.read()) for request in asked]
    assert said == [{"text": says.text} for says in CONVERSATION]


async def test_a_mesh_that_is_not_there_yet_is_waited_for_with_the_same_key() -> None:
    async with gateway(503, 404, *GOOD) as (url, asked):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert code == 0, output
    assert keys(asked[:3]) == 1


async def test_an_answer_that_breaks_off_is_asked_for_again_with_the_same_key() -> None:
    async with gateway(BREAKS_OFF, *GOOD) as (url, asked):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert (code, "Traceback" in output) == (0, False), output
    assert keys(asked[:2]) == 1


async def test_a_refusal_that_restate_keeps_is_not_asked_for_again_under_its_key() -> None:
    for kept in KEPT:
        async with gateway(kept, *GOOD) as (url, asked):
            code, output = await smoke("--gateway", url, "--token", "t0ken")
        assert code == 0, output
        assert keys(asked[:2]) == 2
        assert keys(asked) == len(CONVERSATION) + 1


async def test_a_token_that_is_not_taken_is_sent_once_and_said() -> None:
    async with gateway(401) as (url, asked):
        code, output = await smoke("--gateway", url, "--token", "t0ken")
    assert (code, len(asked)) == (1, 1)
    assert "The token is not taken, or no longer" in output


async def test_an_apology_a_wrong_agent_and_a_lost_turn_fail() -> None:
    for wrong, why in (
        ({**GOOD[0], "failed": True}, "was answered with an apology"),
        ({**GOOD[0], "agent": "Airline"}, "should have been answered by Bank"),
        ({**GOOD[0], "text": "no idea"}, "should hold"),
        ({**GOOD[0], "turn": 2}, "This was message 1 of the conversation"),
        (401, "HTTP 401"),
    ):
        async with gateway(wrong) as (url, _):
            code, output = await smoke("--gateway", url, "--token", "t0ken")
        assert (code, why in output) == (1, True), output


async def test_nobody_at_the_address_fails_when_the_time_is_up() -> None:
    code, output = await smoke("--ingress", f"http://127.0.0.1:{free_ports(1)[0]}", "--seconds", "0.2")
    assert (code, "No answer from" in output) == (1, True)


async def test_the_gateway_without_a_token_is_not_asked() -> None:
    code, output = await smoke("--gateway", "http://127.0.0.1:9")
    assert (code, "--token" in output) == (2, True)
