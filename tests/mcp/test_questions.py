"""Questions of a server in the middle of a call: they outlive every process, and the customer's answers reach it."""

import json

from switchboard.words import BEGIN
from tests.kills import restart
from tests.mcp.conftest import McpMesh


async def test_question_is_answered_after_restarts(mcp: McpMesh) -> None:
    customer = mcp.customer()
    item = f"shirt-{mcp.replays}"
    asked = await mcp.result(customer, ("order_gift", {"item": item}))
    assert (asked["ok"], asked["outcome"], asked["others_words"]) == (False, "known", [""])
    assert asked["content"] == (
        "Not done yet: the server asks the customer Which size 〕? "
        '[size: string, one of ["S", "M"], Of the shirt.; card: boolean, optional, default false]'
    )
    assert mcp.effects(f"order_gift {item}") == []
    await restart(mcp.tools)
    await restart(mcp.mesh.services["front"])
    wrong = await mcp.result(customer, ("order_gift", {"item": item, "answers": {"size": "XXL"}}))
    assert "(the answers do not fit: size: 'XXL' is not one of ['S', 'M'])" in wrong["content"]
    again = {"item": item, "answers": {"size": "M"}}
    held = await mcp.result(customer, ("order_gift", again), confirms=False)
    question = (await customer.asks("status")).body["confirmation"]["calls"][0]["question"]
    assert (held["outcome"], question) == ("held", f"order gift (Shop) with item = “{item}”, and answer size = “M”?")
    await customer.says("yes")
    done = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    assert done["ok"], done
    (effect,) = mcp.effects(f"order_gift {item}")
    assert json.loads(effect[len(f"order_gift {item} ") : -37]) == {"size": "M", "card": False}


async def test_server_of_2025_is_answered_too(mcp: McpMesh) -> None:
    customer = mcp.customer()
    asked = await mcp.result(customer, ("ask_me", {}))
    assert asked["content"].startswith("Not done yet: the server asks the customer Please provide inputs"), asked
    assert "firstLine: string, optional" in asked["content"]
    answered = await mcp.result(customer, ("ask_me", {"answers": {"name": "Ada", "check": True}}))
    assert answered["ok"], answered
    assert "Ada" in answered["content"]


async def test_model_is_told_what_the_answers_are_for(mcp: McpMesh) -> None:
    customer = mcp.customer()
    await mcp.result(customer, ("show", {}))
    request = (await mcp.model.requests(customer.session))[0]
    tools = {tool["name"]: tool["parameters"]["properties"] for tool in request["body"]["tools"]}
    assert "answers" in tools["order_gift"]
    assert BEGIN not in tools["order_gift"]["answers"]["description"]
    assert "answers" not in tools["add_note"]
