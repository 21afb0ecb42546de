"""Tools that change, and turns that are interrupted, while MCP tools are called."""

import asyncio
from uuid import uuid4

from switchboard.foreign_tools import CHANGED
from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.testing import JSON, calls, says, scene
from switchboard.toolkit.mcp.durable import INTERRUPTED
from tests.kills import restart
from tests.laboratory import told_exactly
from tests.mcp.conftest import DONE, McpMesh


async def test_tool_that_changed_since_the_question_is_refused(mcp: McpMesh) -> None:
    depot, customer, order = mcp.servers["depot"], mcp.customer(), f"C-{uuid4()}"
    call = ("depot_refund", {"order": order, "amount": 5})
    held = await mcp.result(customer, call, confirms=False)
    assert held["outcome"] == "held", held
    before = depot.environment
    depot.environment = {**before, "SHOP_REFUND": "Pay it back twice."}
    try:
        await restart(depot)
        await customer.says("yes")
        refused = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
        assert (refused["ok"], refused["content"]) == (False, CHANGED.format(name="depot_refund", server="Depot"))
        assert mcp.effects(f"refund {order}", "depot") == []
        made = await mcp.result(customer, call)
        assert (made["ok"], len(mcp.effects(f"refund {order}", "depot"))) == (True, 1), made
    finally:
        depot.environment = before
        await restart(depot)


async def interrupted_call(mcp: McpMesh, tool: str, arguments: JSON, begun: str, server: str) -> JSON:
    """The result of a call during which the customer interrupts the turn. Empty if the agent was late with it."""
    customer, text = mcp.customer(), f"go {uuid4()}"
    await mcp.model.plays(scene(text, calls((tool, arguments)), DONE), scene("next", says("Next.")))
    before = len(mcp.effects(begun, server))
    running = asyncio.create_task(customer.says(text))
    await mcp.until(lambda: len(mcp.effects(begun, server)) > before)
    await customer.asks("interrupt")
    answer = await running
    assert answer.body["interrupted"]
    found: list[JSON] = [message for message in await customer.messages() if message["kind"] == "tool"]
    assert found or OUTCOME_UNKNOWN in answer.text
    return found[-1] if found else {}


async def test_interrupt_cancels_a_read_at_the_server(mcp: McpMesh) -> None:
    async def attempt() -> bool:
        before = len(mcp.effects("wait cancelled"))
        found = await interrupted_call(mcp, "wait", {"seconds": 600.0 + mcp.replays}, "wait begins", "shop")
        if mcp.replays:
            # A handler that Restate wants to suspend hears of the interrupt only when its call has ended.
            return True
        await mcp.until(lambda: len(mcp.effects("wait cancelled")) > before)
        return bool(found) and (found["ok"], found["content"]) == (False, f"Not done: {INTERRUPTED}.")

    await told_exactly(attempt)


async def test_interrupted_write_that_does_not_end_is_unknown(mcp: McpMesh) -> None:

    async def attempt() -> bool:
        name = f"stuck-{uuid4()}"
        found = await interrupted_call(mcp, "depot_note", {"text": name}, f"add_note {name}", "depot")
        assert found.get("outcome", "unknown") == "unknown", found
        assert len(mcp.effects(f"add_note {name}", "depot")) == 1
        said = f"{INTERRUPTED}. It is not known whether this was done."
        return str(found.get("content", "")).startswith(said)

    await told_exactly(attempt)
