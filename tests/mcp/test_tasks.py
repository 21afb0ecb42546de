"""Calls that a server goes on with as tasks: their results outlive turns, processes and servers."""

import asyncio
import json
import random
from collections import Counter
from functools import partial
from uuid import uuid4

import pytest

from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.testing import JSON, Customer, calls, scene
from switchboard.toolkit.mcp.follow import STILL_WORKING
from tests.kills import restart, work_under_kills
from tests.mcp.conftest import DONE, McpMesh, messages_of, patiently
from tests.parts import at_night

SEED = 20260728
KILLS = 100
"""Of each random run. One restart for each process is in the tests above."""


def tell(mcp: McpMesh, line: str) -> None:
    """Let something happen in the workshop."""
    with (mcp.folder / "workshop.log").open("a") as file:
        file.write(line + "\n")


def tasks_of(mcp: McpMesh, item: str) -> list[JSON]:
    tasks = [json.loads(line.partition(" ")[2]) for line in mcp.effects("task ", "workshop")]
    return [task for task in tasks if task["item"] == item]


async def looked_at(mcp: McpMesh, item: str) -> None:
    """Wait until the mesh looks at a task, and then once more."""
    seen = len(mcp.effects(f"looked {item}", "workshop"))
    await mcp.until(lambda: len(mcp.effects(f"looked {item}", "workshop")) > seen)


async def notice(mcp: McpMesh, customer: Customer, item: str) -> str:
    """The message that a customer gets about an item, once it is there."""
    found: list[str] = []

    async def came() -> bool:
        sent = [message for message in await messages_of(customer) if message.get("from_service")]
        found[:] = [message["text"] for message in sent if item in message["text"]]
        return bool(found)

    await mcp.until(came)
    assert len(found) == 1, found
    return found[0]


async def restart_everything(mcp: McpMesh) -> None:
    """Kill and start all that a task and its call depend on.

    The server is first: the tools list it when they start, and remember for seconds that it could not be reached.
    """
    for process in (mcp.servers["workshop"], mcp.tools, mcp.mesh.services["front"], mcp.mesh.restate):
        await restart(process)


async def test_task_ends_as_a_result_after_restarts(mcp: McpMesh) -> None:
    item = f"table-{uuid4()}"
    running = asyncio.create_task(mcp.result(mcp.customer(), ("build", {"item": item})))
    await looked_at(mcp, item)
    await restart(mcp.servers["workshop"])
    await restart(mcp.tools)
    await looked_at(mcp, item)
    tell(mcp, f"finish {item}")
    found = await running
    assert (found["ok"], found["content"], found["others_words"]) == (True, json.dumps(f"build {item}: done"), [""])
    assert len(tasks_of(mcp, item)) == 1


async def test_server_that_answers_at_once_makes_no_task(mcp: McpMesh) -> None:
    found = await mcp.result(mcp.customer(), ("quote", {"item": "chair"}))
    assert (found["ok"], found["content"]) == (True, '"chair: 20 EUR"')


@pytest.mark.parametrize("restarts", [False, *at_night(True)])
async def test_result_after_the_turn_is_sent_to_the_customer(mcp: McpMesh, restarts: bool) -> None:
    customer, item = mcp.customer(), f"shed-{uuid4()}"
    begun = await mcp.result(customer, ("late_build", {"item": item}))
    assert (begun["ok"], begun["content"]) == (True, json.dumps(STILL_WORKING.format(server="Backyard")))
    await looked_at(mcp, item)
    if restarts:
        await restart_everything(mcp)
    tell(mcp, f"finish {item}")
    assert await notice(mcp, customer, item) == f"The result of “late build”:\nbuild {item}: done"
    assert len(tasks_of(mcp, item)) == 1


async def test_interrupt_cancels_the_task(mcp: McpMesh) -> None:
    customer, item, text = mcp.customer(), f"bench-{uuid4()}", f"go {uuid4()}"
    await mcp.model.plays(scene(text, calls(("build", {"item": item})), DONE))
    running = asyncio.create_task(patiently(customer, text))
    await looked_at(mcp, item)
    await customer.asks("interrupt")
    answer = await running
    assert answer.body["interrupted"]
    await mcp.until(lambda: mcp.effects(f"cancelled {item}", "workshop"))
    found = [message for message in await customer.messages() if message["kind"] == "tool"]
    # On a busy machine, the turn does not wait until the server, or the agent, has said so.
    assert found or OUTCOME_UNKNOWN in answer.text
    for each in found:
        assert not each["ok"]
        if each["outcome"] == "known":
            assert each["content"] == "Not done: it was interrupted, and Workshop cancelled the task."


@pytest.mark.parametrize("restarts", [False, *at_night(True)])
async def test_answer_continues_the_task_that_asked(mcp: McpMesh, restarts: bool) -> None:
    customer, item = mcp.customer(), f"door-{uuid4()}"
    asked = await mcp.result(customer, ("paint", {"item": item}))
    assert (asked["ok"], asked["outcome"]) == (False, "known")
    assert asked["content"] == (
        'Not done yet: the server asks the customer Which colour? [colour: string, one of ["red", "blue"]]'
    )
    if restarts:
        await restart_everything(mcp)
    wrong = await mcp.result(customer, ("paint", {"item": item, "answers": {"colour": "pink"}}))
    assert "the answers do not fit" in wrong["content"]
    tell(mcp, f"finish {item}")
    painted = await mcp.result(customer, ("paint", {"item": item, "answers": {"colour": "red"}}))
    assert (painted["ok"], painted["content"]) == (True, json.dumps(f"paint {item}: done")), painted
    assert len(tasks_of(mcp, item)) == 1
    (answer,) = mcp.effects(f"answer {item}", "workshop")
    assert json.loads(answer.removeprefix(f"answer {item} ")) == {
        "colour": {"action": "accept", "content": {"colour": "red"}}
    }


@pytest.mark.parametrize(
    ("tool", "event", "outcome", "said"),
    [
        ("build", "forget", "unknown", "Workshop does not know the task of this call any more, so its result is lost."),
        *at_night(
            ("measure", "forget", "known", "Not done: Workshop does not know the task of this call any more"),
            ("build", "broken", "unknown", "Workshop reported an error of its own."),
            ("build", "cancelled", "known", "Not done: Workshop cancelled the task before it was completed."),
        ),
    ],
)
async def test_task_without_a_result_says_so(mcp: McpMesh, tool: str, event: str, outcome: str, said: str) -> None:
    item = f"{event}-{uuid4()}"
    running = asyncio.create_task(mcp.result(mcp.customer(), (tool, {"item": item})))
    await looked_at(mcp, item)
    tell(mcp, f"{event} {item}")
    found = await running
    assert (found["ok"], found["outcome"]) == (False, outcome), found
    assert found["content"].startswith(said), found


@pytest.mark.slow
async def test_task_that_takes_too_long_is_cancelled_and_told(mcp: McpMesh) -> None:
    customer, item = mcp.customer(), f"castle-{uuid4()}"
    begun = await mcp.result(customer, ("overdue_build", {"item": item}))
    assert begun["ok"], begun
    await mcp.until(lambda: mcp.effects(f"cancelled {item}", "workshop"))
    assert await notice(mcp, customer, "overdue build") == (
        "I don't know whether this was done: overdue build. Overdue has not finished it in time, so it was stopped."
    )


@pytest.mark.slow
async def test_task_that_asks_in_vain_is_cancelled(mcp: McpMesh) -> None:
    """Its tool is declared as one that asks nothing."""
    item = f"wall-{uuid4()}"
    found = await mcp.result(mcp.customer(), ("plain_paint", {"item": item}))
    assert (found["ok"], "something that this mesh does not support" in found["content"]) == (False, True), found
    await mcp.until(lambda: mcp.effects(f"cancelled {item}", "workshop"))


@pytest.mark.slow
async def test_question_after_the_turn_is_sent_to_the_customer(mcp: McpMesh) -> None:
    """The workshop asks at once, so the question comes within the turn; only its answer comes later."""
    customer, item = mcp.customer(), f"gate-{uuid4()}"
    asked = await mcp.result(customer, ("late_paint", {"item": item}))
    assert "Which colour?" in asked["content"], asked
    begun = await mcp.result(customer, ("late_paint", {"item": item, "answers": {"colour": "blue"}}))
    assert begun["content"] == json.dumps(STILL_WORKING.format(server="Backyard")), begun
    tell(mcp, f"finish {item}")
    assert await notice(mcp, customer, item) == f"The result of “late paint”:\npaint {item}: done"
    assert len(tasks_of(mcp, item)) == 1


async def test_reference_server_of_2025_carries_a_task_out(mcp: McpMesh) -> None:
    found = await mcp.result(mcp.customer(), ("research", {"topic": "lamps"}))
    assert found["ok"], found
    assert "# Research Report: lamps" in json.loads(found["content"])
    assert (await mcp.result(mcp.customer(), ("say_again", {"message": "hi"})))["ok"]


@pytest.mark.slow
async def test_reference_server_of_2025_asks_in_a_task(mcp: McpMesh) -> None:
    customer, topic = mcp.customer(), {"topic": "python", "ambiguous": True}
    asked = await mcp.result(customer, ("research", topic))
    assert asked["content"].startswith("Not done yet: the server asks the customer The research query"), asked
    found = await mcp.result(customer, ("research", {**topic, "answers": {"interpretation": "snake"}}))
    assert found["ok"], found
    assert "python (snake)" in json.loads(found["content"])


@pytest.mark.slow
async def test_reference_server_that_lost_its_tasks_says_so(mcp: McpMesh) -> None:
    running = asyncio.create_task(mcp.result(mcp.customer(), ("research", {"topic": "doors"})))
    log = mcp.servers["everything"].log
    before = log.read_text().count("MCP POST")
    await mcp.until(lambda: log.read_text().count("MCP POST") > before + 5)
    await restart(mcp.servers["everything"])
    found = await running
    assert (found["ok"], found["outcome"]) == (False, "unknown"), found
    assert found["content"].startswith("Research does not know the task of this call any more"), found


async def build_under_kills(mcp: McpMesh, number: int) -> Counter[str]:
    """Make a call that becomes a task, and count how it ended. The server's tasks must agree with what is said."""
    customer, item, text = mcp.customer(), f"kill-{number}-{uuid4()}", f"go {uuid4()}"
    mcp.scenes.append(scene(text, calls(("build", {"item": item})), DONE))
    await mcp.model.plays(*mcp.scenes[-20:])
    tell(mcp, f"finish {item}")
    await patiently(customer, text)
    told = [message for message in await messages_of(customer) if message["kind"] == "tool"][-1]
    tasks = len(tasks_of(mcp, item))
    assert tasks <= 1, "doubled in silence"
    if told["outcome"] == "known":
        assert tasks == int(told["ok"]), told
    return Counter([f"{told['outcome']} {tasks}"])


@pytest.mark.slow
@pytest.mark.parametrize("run", range(2))
async def test_random_kills_double_no_task(mcp: McpMesh, run: int) -> None:
    draw = random.Random(f"{SEED} {run} {mcp.replays}")
    services = mcp.mesh.services
    victims = [(mcp.tools, 3), (mcp.servers["workshop"], 2), (services["front"], 1), (mcp.mesh.restate, 1)]
    await work_under_kills(draw, KILLS, victims, partial(build_under_kills, mcp))
