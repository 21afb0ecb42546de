"""Calls of MCP tools whose processes are killed: nothing is doubled in silence."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

import pytest

from switchboard.testing import JSON
from switchboard.toolkit.mcp.durable import CUT_OFF
from tests.kills import restart, work_under_kills
from tests.mcp.conftest import McpMesh
from tests.parts import at_night

KILLS_ALWAYS = 4
KILLS_AT_NIGHT = 100
"""Of each of the five random runs at night, which have 500 together."""

SEED = 20260728


async def during(
    mcp: McpMesh, server: str, tool: str, strike: Callable[[], Awaitable[None]], kind: str = "stuck"
) -> tuple[JSON, list[str]]:
    """The result of a call during which something is killed after its effect, and the effects that it had.

    A `slow` call goes on after that, and a `stuck` one has no other end.
    """
    name = f"{kind}-{uuid4()}"
    running = asyncio.create_task(mcp.result(mcp.customer(), (tool, {"text": name})))
    await mcp.until(lambda: mcp.effects(f"add_note {name}", server))
    await strike()
    return await running, mcp.effects(f"add_note {name}", server)


async def test_server_that_honours_the_key_is_asked_again(mcp: McpMesh) -> None:
    found, effects = await during(mcp, "shop", "add_note", lambda: restart(mcp.tools))
    assert (found["ok"], len(effects)) == (True, 1), found
    assert "done before" in found["content"]
    key = effects[0].rsplit(" ", 1)[1]
    assert len([line for line in mcp.effects("called add_note") if line.endswith(key)]) == 2


async def test_lost_answer_of_another_server_is_unknown_and_not_repeated(mcp: McpMesh) -> None:
    found, effects = await during(mcp, "depot", "depot_note", lambda: restart(mcp.tools))
    assert (found["ok"], found["outcome"], len(effects)) == (False, "unknown", 1), found
    assert found["content"].startswith(f"{CUT_OFF}. It is not known whether this was done.")
    assert mcp.reply == "Done.\n\nI don't know whether this was done: depot note."


async def test_killed_server_is_unknown_too(mcp: McpMesh) -> None:
    found, effects = await during(mcp, "depot", "depot_note", lambda: restart(mcp.servers["depot"]))
    assert (found["outcome"], len(effects)) == ("unknown", 1), found
    assert "Depot ended the connection without an answer" in found["content"]


async def test_killed_restate_loses_no_answer(mcp: McpMesh) -> None:
    """The process of the tools still has the call, and waits for its answer."""
    found, effects = await during(mcp, "depot", "depot_note", lambda: restart(mcp.mesh.restate), "slow")
    assert (found["ok"], len(effects)) == (True, 1), found


async def test_killed_agent_makes_no_second_call(mcp: McpMesh) -> None:
    found, effects = await during(mcp, "depot", "depot_note", lambda: restart(mcp.mesh.services["front"]), "slow")
    assert (found["ok"], len(effects)) == (True, 1), found


async def call_under_kills(mcp: McpMesh, draw: random.Random, number: int) -> Counter[str]:
    """Make a call at each server, and count how they ended. The effects must agree with what the customer is told."""
    name = f"{draw.choice(('slow', 'quick'))}-{number}-{uuid4()}"
    made = await mcp.results(mcp.customer(), ("add_note", {"text": name}), ("depot_note", {"text": name}))
    shop, depot = (len(mcp.effects(f"add_note {name}", server)) for server in ("shop", "depot"))
    assert (made[0]["ok"], shop) == (True, 1), made[0]
    assert depot <= 1, "doubled in silence"
    told = made[1]
    if told["outcome"] == "known":
        assert depot == int(told["ok"]), told
    return Counter([f"depot {told['outcome']} {depot}"])


@pytest.mark.parametrize(("kills", "run"), [(KILLS_ALWAYS, 0), *at_night(*((KILLS_AT_NIGHT, run) for run in range(5)))])
async def test_random_kills_double_nothing_in_silence(mcp: McpMesh, kills: int, run: int) -> None:
    draw = random.Random(f"{SEED} {kills} {run} {mcp.replays}")
    victims = [(mcp.tools, 4), (mcp.mesh.services["front"], 1), (mcp.mesh.restate, 1)]
    await work_under_kills(draw, kills, victims, partial(call_under_kills, mcp, draw))
