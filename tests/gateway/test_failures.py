"""Disconnects, an unavailable Restate, a gateway that is killed or stopped: messages are neither lost nor repeated, and
a retry with the same key gets the reply."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from switchboard.gateway.__main__ import BACKLOG_CONNECTIONS, CONNECTIONS_PER_REQUEST
from switchboard.local.process import wait_until
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.front import Answer, Gateway, Visitor, open_gateway
from tests.gateway.test_sessions_api import problem, unique
from tests.laboratory import LONG_MS, STARTS_WITHIN, Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


def meets(name: str) -> JSON:
    """Call a tool that waits until a second call meets it, so that the test decides how long it runs."""
    return calls(("meet", {"name": name, "parties": 2}))


async def plays_a_meeting(laboratory: Laboratory, name: str) -> None:
    await laboratory.model.plays(
        scene("go", TO_PROBE, meets(name), says("we met")), scene("come", TO_PROBE, meets(name), says("here I am"))
    )


async def tool_running(laboratory: Laboratory, visitor: Visitor) -> None:
    """Wait until the message's tool is running."""

    async def waits() -> bool:
        rows = await laboratory.invocations(visitor.session)
        return any(row["target"] == "ProbeTools/meet" for row in rows)

    await laboratory.until(waits)


async def end_meeting(visitor: Visitor) -> Answer:
    """End the meeting that a turn waits in, by a message of another customer."""
    other = Visitor(visitor.url, visitor.http, "bob")
    return await other.says("come")


async def count_messages(laboratory: Laboratory, visitor: Visitor) -> int:
    """Return how many messages the session has received."""
    rows = await laboratory.invocations(visitor.session)
    return sum(row["target"] == f"Session/{visitor.session}/send" for row in rows)


async def test_message_is_answered_after_its_client_disconnected(gateway: Gateway) -> None:
    laboratory, name, key = gateway.laboratory, unique(), unique()
    await plays_a_meeting(laboratory, name)
    visitor = gateway.visitor()
    before = gateway.process.log.read_text().count(" 499 in ")
    message = asyncio.create_task(visitor.says("go", key))
    await tool_running(laboratory, visitor)
    message.cancel()
    # The gateway has noticed the disconnect and freed the slot.
    await laboratory.until(lambda: gateway.process.log.read_text().count(" 499 in ") > before)
    assert (await visitor.gets("status")).body["running"] is not None
    assert (await end_meeting(visitor)).text == "here I am"
    assert (await visitor.says("go", key)).text == "we met"
    assert await count_messages(laboratory, visitor) == 1


async def test_retry_gets_the_reply_after_the_gateway_was_killed(gateway: Gateway, tmp_path: Path) -> None:
    laboratory, name, key = gateway.laboratory, unique(), unique()
    await plays_a_meeting(laboratory, name)
    async with open_gateway(laboratory, tmp_path) as own:
        visitor = own.visitor()
        message = asyncio.create_task(visitor.says("go", key))
        await tool_running(laboratory, visitor)
        await own.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await message
        await own.process.start()
        again = asyncio.create_task(visitor.says("go", key))
        assert (await end_meeting(visitor)).text == "here I am"
        assert (await again).text == "we met"
    assert await count_messages(laboratory, visitor) == 1


async def test_client_does_not_notice_that_restate_was_killed_and_restarted(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await plays_a_meeting(laboratory, name)
    visitor = gateway.visitor()
    message = asyncio.create_task(visitor.says("go"))
    await tool_running(laboratory, visitor)
    await laboratory.mesh.restate.kill()
    await laboratory.mesh.restate.start()
    ended = asyncio.create_task(end_meeting(visitor))
    answer = await message
    assert (answer.status, answer.text) == (200, "we met")
    assert (await ended).status == 200
    assert await count_messages(laboratory, visitor) == 1
    assert "switchboard_gateway_reconnects_total 0.0" not in await gateway.metrics()


async def test_gateway_answers_503_while_restate_is_down(gateway: Gateway) -> None:
    laboratory, key = gateway.laboratory, unique()
    await laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    await laboratory.mesh.restate.kill()
    try:
        unavailable = await visitor.says("hello", key)
        ready, healthy = await gateway.probe("ready"), await gateway.probe("health")
    finally:
        await laboratory.mesh.restate.start()
    assert problem(unavailable) == (503, "restate_away")
    assert (unavailable.headers["retry-after"], unavailable.headers["idempotency-key"]) == ("5", key)
    assert (ready, healthy) == ([503, 503], [200, 200])

    async def back() -> bool:
        return (await visitor.says("hello", key)).status == 200

    await laboratory.until(back)
    assert (await visitor.gets("status")).body["turns_total"] == 1

    async def ready_again() -> bool:
        return await gateway.probe("ready") == [200, 200]

    await laboratory.until(ready_again)


async def test_probes_answer_when_idle_connections_fill_the_customers_port(gateway: Gateway, tmp_path: Path) -> None:
    """A server at its limit of customer connections is still alive."""
    async with open_gateway(gateway.laboratory, tmp_path, {"GATEWAY_REQUESTS_MAX": "1"}) as own:
        idle = [
            await asyncio.open_connection("127.0.0.1", own.ports.http)
            for _ in range(BACKLOG_CONNECTIONS + CONNECTIONS_PER_REQUEST)
        ]
        try:
            for path in ("health", "ready"):
                async with gateway.laboratory.http.get(f"{own.metrics_url}/{path}") as response:
                    assert (response.status, await response.json()) == (200, {"status": "ok"})
        finally:
            for _, writer in idle:
                writer.close()


async def test_stopping_gateway_lets_a_message_finish(gateway: Gateway, tmp_path: Path) -> None:
    laboratory, name = gateway.laboratory, unique()
    await plays_a_meeting(laboratory, name)
    async with open_gateway(laboratory, tmp_path) as own:
        visitor = own.visitor()
        message = asyncio.create_task(visitor.says("go"))
        await tool_running(laboratory, visitor)
        os.kill(own.process.pid, signal.SIGTERM)

        async def closed() -> bool:
            """Return whether the gateway refuses new connections."""
            async with aiohttp.ClientSession() as http:
                try:
                    async with http.get(f"{own.ports.url}/health"):
                        return False
                except aiohttp.ClientConnectionError:
                    return True

        await wait_until(closed, STARTS_WITHIN, "the gateway still accepts connections")
        assert own.process.alive
        other = asyncio.create_task(gateway.visitor("bob").says("come"))
        answer = await message
        assert (answer.status, answer.text) == (200, "we met")
        assert answer.headers["connection"] == "close"
        assert await own.process.wait() == 0
        assert (await other).text == "here I am"


async def test_stopping_gateway_answers_503_after_the_grace_period(gateway: Gateway, tmp_path: Path) -> None:
    """The 503 carries the key that the gateway generated. A retry with it finds the same message."""
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))))
    async with open_gateway(laboratory, tmp_path, {"GATEWAY_STOP_GRACE": "PT0.5S"}) as own:
        visitor = own.visitor()
        message = asyncio.create_task(visitor.says("go"))
        await laboratory.until(lambda: laboratory.probed(f"start {name}"))
        os.kill(own.process.pid, signal.SIGTERM)
        stopped = await message
        assert problem(stopped) == (503, "stopping")
        assert "still running" in stopped.text
        assert (stopped.headers["connection"], stopped.headers["retry-after"]) == ("close", "1")
        key = stopped.headers["idempotency-key"]
        assert await own.process.wait() == 0
    later = gateway.visitor(session=visitor.session)
    await later.posts("interrupt")
    assert (await later.says("go", key)).body["interrupted"]
    assert await count_messages(laboratory, visitor) == 1


async def test_message_killed_by_an_operator_is_answered_turn_lost(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))))
    visitor = gateway.visitor()
    message = asyncio.create_task(visitor.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    (running,) = await laboratory.invocations(visitor.session, "send")
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{running['id']}/kill"
    async with laboratory.http.patch(url) as response:
        assert response.status < 300
    answer = await message
    assert problem(answer) == (500, "turn_lost")
    assert "transcript" in answer.text


async def test_gateway_answers_mesh_not_ready_before_sessions_are_registered(gateway: Gateway, tmp_path: Path) -> None:
    """Restate's node port answers but knows no sessions, like its ingress before they are registered."""
    laboratory = gateway.laboratory
    node = f"http://127.0.0.1:{laboratory.mesh.addresses.restate.node}"
    async with open_gateway(laboratory, tmp_path, {"RESTATE_INGRESS_URL": node}) as lost:
        answer = await lost.visitor().says("hello")
        assert problem(answer) == (503, "mesh_not_ready")
        await laboratory.until(lambda: lost.logged("registered"))
