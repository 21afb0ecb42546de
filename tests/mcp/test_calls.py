"""Calls of MCP tools through a real mesh: reads, writes, identity, keys, consent and results."""

import json
from typing import Any

import pytest

from switchboard.foreign_tools import CHANGED, DESCRIPTION_MAX_CHARS
from switchboard.testing import JSON, says, scene
from switchboard.toolkit.mcp.failures import ANSWER_MAX_BYTES
from switchboard.words import BEGIN, END
from tests.mcp.conftest import McpMesh
from tests.mcp.declarations import QUICK, REFUSED, SECRET
from tests.parts import at_night
from tests.stored import stored_in_tables, written_below


async def test_model_reads_with_the_session_customer_filled_in(mcp: McpMesh) -> None:
    found = await mcp.result(mcp.customer("alice"), ("get_order", {"order": "A1"}))
    assert (found["ok"], found["content"]) == (True, json.dumps("order A1 of alice: a lamp, 20 EUR"))
    assert found["others_words"] == [""]


async def test_model_cannot_choose_the_customer(mcp: McpMesh) -> None:
    customer = mcp.customer("alice")
    for name in ("account", "customer_id", "session_id", "signed_in"):
        refused = await mcp.result(customer, ("get_order", {"order": "A1", name: "bob"}))
        assert (refused["ok"], refused["content"].startswith(f"{name} cannot be given")) == (False, True), refused


async def test_unverified_customer_is_refused(mcp: McpMesh) -> None:
    guest = mcp.customer("alice", signed_in=False)
    refused = await mcp.result(guest, ("get_order", {"order": "A1"}))
    assert (refused["ok"], mcp.effects(f"get_order A1 {guest.customer_id} guest")) == (False, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "The arguments do not fit: order: Field required"),
        ({"order": "A1", "more": 1}, "The arguments do not fit: more: Extra inputs are not permitted"),
        ({"order": 5}, "The arguments do not fit: order: 5 is not of type 'string'"),
        ({"order": "missing"}, "Error executing tool get_order: There is no such order."),
    ],
)
async def test_wrong_arguments_and_errors_of_the_tool_are_results(mcp: McpMesh, arguments: JSON, said: str) -> None:
    refused = await mcp.result(mcp.customer(), ("get_order", arguments))
    assert (refused["ok"], refused["outcome"]) == (False, "known")
    assert said in refused["content"], refused


async def test_write_has_one_effect_with_a_key_of_its_own(mcp: McpMesh) -> None:
    for tool, at, server in (
        ("add_note", "shop", "add_note"),
        ("depot_note", "depot", "add_note"),
        ("till_note", "till", "add_note"),
    ):
        name = f"{tool}-{mcp.replays}"
        made = await mcp.results(mcp.customer(), (tool, {"text": f"{name}-1"}), (tool, {"text": f"{name}-2"}))
        assert [one["ok"] for one in made] == [True, True], made
        effects = mcp.effects(f"{server} {name}", at)
        assert len(effects) == 2
        assert len({line.rsplit(" ", 1)[1] for line in effects}) == 2
        assert all(len(line.rsplit(" ", 1)[1]) == 36 for line in effects)


async def test_destructive_tool_waits_for_the_customers_yes(mcp: McpMesh) -> None:
    customer = mcp.customer()
    order = f"R-{mcp.replays}"
    held = await mcp.result(customer, ("refund", {"order": order, "amount": 20}), confirms=False)
    assert (held["outcome"], mcp.effects(f"refund {order}")) == ("held", [])
    status = await customer.asks("status")
    question = status.body["confirmation"]["calls"][0]["question"]
    assert question == f"refund (Shop) with amount = “20”, order = “{order}”?"
    await customer.says("yes")
    done = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    assert (done["ok"], len(mcp.effects(f"refund {order}"))) == (True, 1), done
    wrong = await mcp.result(customer, ("refund", {"order": order, "amount": "much"}), confirms=False)
    assert "amount: 'much' is not of type 'integer'" in wrong["content"]


async def test_credentials_are_sent_and_kept_nowhere(mcp: McpMesh) -> None:
    customer = mcp.customer("carol")
    found = await mcp.result(customer, ("whoami", {}))
    assert found["content"] == json.dumps("authorization: [credential]")
    stored, logs = await stored_in_tables(mcp), written_below(mcp.folder / "mesh" / "logs")
    assert b"authorization: [credential]" in stored
    assert logs
    assert SECRET.encode() not in stored + logs


async def test_what_is_no_text_is_described(mcp: McpMesh) -> None:
    for tool in ("show", "till_show"):
        shown = json.loads((await mcp.result(mcp.customer(), (tool, {})))["content"]).splitlines()
        assert shown == [
            "a lamp",
            "[image: image/png, 70 bytes; it cannot be shown here]",
            "[link to a resource: manual, application/pdf, https://shop.example/manual.pdf]",
            "[resource: shop://care]",
            "Wipe it.",
        ]


NO_ANSWER = f"did not answer within {QUICK.total_seconds():g} s"
UNREADABLE = "sent an answer that cannot be read"
ENDED = "ended the connection without an answer"
REDIRECTED = "sent the request to another address, which was not followed"
TOO_LONG = f"sent an answer of more than {ANSWER_MAX_BYTES} bytes, which was not read"
ROWS = {
    "read_hang": f"Slow {NO_ANSWER}",
    "write_hang": f"Slow {NO_ANSWER}",
    "read_wrong_id": f"Slow {NO_ANSWER}",
    "write_wrong_id": f"Slow {NO_ANSWER}",
    "read_garbage": f"Bad {UNREADABLE}",
    "write_garbage": f"Bad {UNREADABLE}",
    "read_huge": f"Bad {TOO_LONG}",
    "write_huge": f"Bad {TOO_LONG}",
    "read_disconnect": f"Bad {ENDED}",
    "write_disconnect": f"Bad {ENDED}",
    "read_no_result": f"Bad {UNREADABLE}",
    "write_no_result": f"Bad {UNREADABLE}",
    "read_error": "Bad reported an error of its own",
    "write_error": "Bad reported an error of its own",
}
MORE_ROWS = {
    "read_trickle": f"Slow {NO_ANSWER}",
    "write_trickle": f"Slow {NO_ANSWER}",
    "read_flood": f"Slow {NO_ANSWER}",
    "write_flood": f"Slow {NO_ANSWER}",
    "read_redirect": f"Bad {REDIRECTED}",
    "write_redirect": f"Bad {REDIRECTED}",
    "read_shifty": CHANGED.format(name="read_shifty", server="Bad"),
}
PIPE_ROWS = {
    "pipe_huge": f"BadPipe {ENDED}",
    "pipe_disconnect": f"BadPipe {ENDED}",
    "pipe_no_result": f"BadPipe {UNREADABLE}",
    "pipe_hang": f"SlowPipe {NO_ANSWER}",
    "pipe_garbage": f"SlowPipe {NO_ANSWER}",
}


@pytest.mark.parametrize("rows", [ROWS, MORE_ROWS, PIPE_ROWS], ids=["over HTTP", "endless or moved", "over a pipe"])
async def test_bad_servers_fail_with_a_sentence_and_the_turn_goes_on(mcp: McpMesh, rows: dict[str, str]) -> None:
    made = await mcp.results(mcp.customer(), *((name, {}) for name in rows))
    assert len(made) == len(rows)
    for (name, sentence), found in zip(rows.items(), made, strict=True):
        assert not found["ok"]
        assert found["outcome"] == ("known" if name.startswith("read") else "unknown"), (name, found)
        assert sentence in found["content"], (name, found)


async def test_server_that_lies_about_its_answer_is_read_as_it_is(mcp: McpMesh) -> None:
    found = await mcp.result(mcp.customer(), ("read_lies", {}))
    assert (found["ok"], found["content"]) == (True, '"a word"')


async def test_model_sees_declared_tools_only_and_foreign_words_in_marks(mcp: McpMesh) -> None:
    customer = mcp.customer()
    await mcp.model.plays(scene("hello", says("Hello.")))
    await customer.says("hello")
    (request,) = await mcp.model.requests(customer.session)
    tools = {tool["name"]: tool for tool in request["body"]["tools"]}
    assert tools["get_order"]["description"] == "Look an order up."
    assert list(tools["get_order"]["parameters"]["properties"]) == ["order"]
    assert tools["show"]["description"] == f"{BEGIN}Show everything that is no text.{END}"
    injected = tools["read_injects"]["description"]
    assert (injected[0], injected[-1], injected.count(END)) == (BEGIN, END, 1)
    assert len(injected) <= DESCRIPTION_MAX_CHARS + 3
    assert not {*REFUSED, "gone_tool", "get-env", "get_env"} & {*tools}
    told = json.dumps(request["body"], ensure_ascii=False)
    for sentence in (
        "gone_tool (Gone ended the connection without an answer)",
        "read_missing (Bad has no such tool)",
        "read_identity (the model could set 'customerId' and thereby choose the customer; fill it with identity=)",
        "read_long_schema (its schema is longer than 16384 bytes)",
        "read_twice (it is listed twice)",
    ):
        assert sentence in told, told[-3000:]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("echo", {"message": "hi"}), "Echo: hi"),
        (("get_structured_content", {"location": "Chicago"}), "conditions"),
        *at_night(
            (("get_sum", {"a": 2, "b": 3}), "5"),
            (("get_tiny_image", {}), "[image: image/png,"),
            (("get_resource_links", {"count": 1}), "[link to a resource:"),
        ),
    ],
)
async def test_reference_server_of_the_protocol(mcp: McpMesh, call: tuple[str, Any], said: str) -> None:
    found = await mcp.result(mcp.customer(), call)
    assert found["ok"], found
    assert said in json.loads(found["content"]), found


async def test_service_logs_at_its_start_what_is_wrong_with_the_declaration(mcp: McpMesh) -> None:
    log = mcp.mesh.log("mcp_tools")
    sentences = (
        "MCP server Bad: read_missing is not offered: Bad has no such tool",
        "MCP server Bad: read_broken_schema is not offered: its schema is not valid",
        "MCP server Gone: its tools cannot be offered: Gone ended the connection without an answer",
    )
    await mcp.until(lambda: all(sentence in log.read_text() for sentence in sentences))
    assert SECRET not in log.read_text()
