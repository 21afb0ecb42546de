"""The mesh as an MCP server, with the official SDK's client: questions to the person, keys, progress, kills, limits."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import TextContent, TextResourceContents

from switchboard.testing import JSON, calls, says, scene
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.gateway.mcp_client import (
    CLOSED,
    LEGACY,
    MODERN,
    NO,
    UNTICKED,
    YES,
    Person,
    data,
    keyed,
    mcp_client,
    refused,
    words,
)
from tests.gateway.test_failures import count_messages, end_meeting, plays_a_meeting, tool_running
from tests.parts import at_night

TO_PROBE = calls(("handoff_to_Probe", {"reason": "a payment"}))
BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])
BOTH_AT_NIGHT = pytest.mark.parametrize("mode", [MODERN, *at_night(LEGACY)])
"""For tests that start a gateway of their own."""


def unique() -> str:
    return uuid4().hex


async def plays_a_payment(gateway: Gateway, to: str) -> None:
    await gateway.laboratory.model.plays(
        scene("hello", says("hello yourself")),
        scene("pay", TO_PROBE, calls(("pay", {"to": to, "amount": "1.00"})), says("paid")),
        scene("Yes.", says("never said"), says("it is done")),
        scene("yes", says("I have heard a word")),
    )


def payments(gateway: Gateway, to: str) -> int:
    return gateway.laboratory.probed(f'paid {{"to":"{to}","amount":"1.00"}}')


@BOTH
async def test_a_conversation_goes_on_in_the_session_of_its_first_answer(gateway: Gateway, mode: str) -> None:
    await plays_a_payment(gateway, unique())
    async with mcp_client(gateway.visitor(), mode) as client:
        first = data(await client.call_tool("ask", {"text": "hello"}))
        second = data(await client.call_tool("ask", {"text": "hello", "session_id": first["session_id"]}))
        assert [(each["text"], each["turn"]) for each in (first, second)] == [
            ("hello yourself", 1),
            ("hello yourself", 2),
        ]
        session = {"session_id": first["session_id"]}
        assert data(await client.call_tool("status", session))["turns_total"] == 2
        page = data(await client.call_tool("transcript", {**session, "after": 1, "limit": 1}))
    assert ([turn["turn"] for turn in page["turns"]], page["turns_total"]) == ([2], 2)


@BOTH
async def test_transcript_is_a_resource_of_its_customer_only(gateway: Gateway, mode: str) -> None:
    await plays_a_payment(gateway, unique())
    visitor = gateway.visitor()
    uri = f"switchboard://sessions/{visitor.session}/transcript"
    async with mcp_client(visitor, mode) as client:
        await client.call_tool("ask", {"text": "hello", "session_id": visitor.session})
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template.format(session_id=visitor.session) == uri
        assert (await client.list_resources()).resources == []
        (content,) = (await client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        page = data(await client.call_tool("transcript", {"session_id": visitor.session, "limit": 50}))
        assert (json.loads(content.text), content.mime_type) == (page, "application/json")
        with pytest.raises(MCPError, match="There is no such resource"):
            await client.read_resource("file:///etc/passwd")
    async with mcp_client(gateway.visitor("mallory"), mode) as client:
        with pytest.raises(MCPError) as forbidden:
            await client.read_resource(uri)
    assert forbidden.value.error.data["status"] == 403


@BOTH
async def test_prompt_begins_a_conversation(gateway: Gateway, mode: str) -> None:
    async with mcp_client(gateway.visitor(), mode) as client:
        (prompt,) = (await client.list_prompts()).prompts
        assert [argument.name for argument in prompt.arguments or ()] == ["request"]
        (message,) = (await client.get_prompt(prompt.name, {"request": "cancel order {A-1}"})).messages
        assert isinstance(message.content, TextContent)
        assert "customer service: cancel order {A-1}\n" in message.content.text
        for name, arguments in (("another", {"request": "x"}), (prompt.name, {"request": " "})):
            with pytest.raises(MCPError, match="There is no such prompt"):
                await client.get_prompt(name, arguments)


@BOTH
async def test_client_without_elicitation_is_told_to_ask_and_to_call_confirm(gateway: Gateway, mode: str) -> None:
    name, visitor = unique(), gateway.visitor()
    await plays_a_payment(gateway, name)
    async with mcp_client(visitor, mode) as client:
        asked = await client.call_tool("ask", {"text": "pay", "session_id": visitor.session})
        held = {"session_id": visitor.session, "held_id": data(asked)["confirmation"]["held_id"]}
        assert held["held_id"] in words(asked).rpartition("\n")[2]
        assert payments(gateway, name) == 0
        done = [data(await client.call_tool("confirm", held)) for _ in range(2)]
        assert (done[0]["text"], done[1]) == ("it is done", done[0])
        assert refused(await client.call_tool("decline", held)) == (409, "nothing_to_decide")
    assert payments(gateway, name) == 1


@pytest.mark.parametrize("text", ["yes", "Yes, please."])
async def test_a_yes_in_the_words_of_a_message_confirms_nothing(gateway: Gateway, text: str) -> None:
    """A model may have written it."""
    name, visitor = unique(), gateway.visitor()
    await plays_a_payment(gateway, name)
    async with mcp_client(visitor) as client:
        asked = data(await client.call_tool("ask", {"text": "pay", "session_id": visitor.session}))
        assert asked["confirmation"] is not None
        await client.call_tool("ask", {"text": text, "session_id": visitor.session})
    assert payments(gateway, name) == 0


@pytest.mark.parametrize(
    ("answer", "paid", "reply"),
    [(YES, 1, "it is done"), (UNTICKED, 0, "Okay, I won't do that."), (NO, 0, "Okay, I won't do that.")],
)
async def test_person_at_the_client_decides(gateway: Gateway, answer: object, paid: int, reply: str) -> None:
    name, visitor, person = unique(), gateway.visitor(), Person(answer)  # type: ignore[arg-type]
    await plays_a_payment(gateway, name)
    async with mcp_client(visitor, person=person) as client:
        done = await client.call_tool("ask", {"text": "pay", "session_id": visitor.session})
    assert (data(done)["text"], payments(gateway, name)) == (reply, paid)
    assert person.asked == [f"Pay 1.00 EUR to {name}?"]
    assert await count_messages(gateway.laboratory, visitor) == 1


async def test_model_cannot_confirm_where_the_client_can_ask_the_person(gateway: Gateway) -> None:
    """`confirm` asks the person too. A question that they close stays open for a later yes."""
    name, visitor, person = unique(), gateway.visitor(), Person(CLOSED)
    await plays_a_payment(gateway, name)
    async with mcp_client(visitor, person=person) as client:
        closed = await client.call_tool("ask", {"text": "pay", "session_id": visitor.session})
        assert refused(closed) == (409, "not_decided")
        question = data(await client.call_tool("status", {"session_id": visitor.session}))["confirmation"]
        held = {"session_id": visitor.session, "held_id": question["held_id"]}
        assert refused(await client.call_tool("confirm", held)) == (409, "not_decided")
        assert payments(gateway, name) == 0
        person.answers = YES
        assert data(await client.call_tool("confirm", held))["text"] == "it is done"
        # Repeated after its answer was lost: the person is not asked again.
        assert data(await client.call_tool("confirm", held))["text"] == "it is done"
    assert (payments(gateway, name), len(person.asked)) == (1, 3)


@BOTH
@pytest.mark.parametrize("in_header", [False, True])
async def test_repeated_call_with_its_key_is_one_message(gateway: Gateway, mode: str, in_header: bool) -> None:
    await plays_a_payment(gateway, unique())
    key, visitor = unique(), gateway.visitor()
    headers, meta = ({"idempotency-key": key}, None) if in_header else (None, keyed(key))
    answers = []
    for _ in range(2):
        async with mcp_client(visitor, mode, headers=headers) as client:
            results = await asyncio.gather(*(client.call_tool("ask", {"text": "hello"}, meta=meta) for _ in range(2)))
            answers += [data(each) for each in results]
            page = data(await client.call_tool("status", {"session_id": answers[0]["session_id"]}))
            other = await client.call_tool("ask", {"text": "pay", "session_id": answers[0]["session_id"]}, meta=meta)
    assert answers == [answers[0]] * 4
    assert page["turns_total"] == 1
    assert refused(other) == (422, "key_reused")


async def test_each_result_has_the_key_to_retry_with(gateway: Gateway) -> None:
    await plays_a_payment(gateway, unique())
    visitor = gateway.visitor()
    given = {"text": "hello", "session_id": visitor.session}
    async with mcp_client(visitor) as client:
        first = await client.call_tool("ask", given)
        key = dict(first.meta or {})["io.modelcontextprotocol/idempotencyKey"]
        assert data(await client.call_tool("ask", given, meta=keyed(key))) == data(first)


@BOTH
async def test_progress_is_reported_if_the_client_asks_for_it(gateway: Gateway, mode: str) -> None:
    name, visitor = unique(), gateway.visitor()
    await plays_a_payment(gateway, name)
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with mcp_client(visitor, mode) as client:
        given = {"text": "pay", "session_id": visitor.session}
        assert data(await client.call_tool("ask", given, progress_callback=hear))["confirmation"] is not None
    assert [number for number, _ in heard] == list(range(1, len(heard) + 1))
    said = [message for _, message in heard]
    assert "Triage works on it." in said
    assert "Probe works on it." in said
    assert not any(name in (message or "") for message in said)


async def test_call_is_answered_without_progress_if_viewers_are_too_many(gateway: Gateway, tmp_path: Path) -> None:
    await plays_a_payment(gateway, unique())
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with open_gateway(gateway.laboratory, tmp_path, {"GATEWAY_VIEWERS_MAX": "1"}) as own:
        viewer, visitor = own.visitor(), own.visitor()
        headers = {"authorization": f"Bearer {viewer.token}"}
        events = f"{own.ports.url}/v1/sessions/{viewer.session}/events"
        async with viewer.http.get(events, headers=headers) as stream, mcp_client(visitor) as client:
            assert stream.status == 200
            given = {"text": "hello", "session_id": visitor.session}
            assert data(await client.call_tool("ask", given, progress_callback=hear))["text"] == "hello yourself"
    assert heard == []


@BOTH_AT_NIGHT
async def test_repeated_call_gets_the_one_answer_after_kills_of_gateway_and_restate(
    gateway: Gateway, tmp_path: Path, mode: str
) -> None:
    laboratory, name, key = gateway.laboratory, unique(), unique()
    await plays_a_meeting(laboratory, name)
    async with open_gateway(laboratory, tmp_path) as own:
        visitor = own.visitor()

        async def asks() -> JSON:
            async with mcp_client(visitor, mode) as client:
                given = {"text": "go", "session_id": visitor.session}
                return data(await client.call_tool("ask", given, meta=keyed(key)))

        lost = asyncio.create_task(asks())
        await tool_running(laboratory, visitor)
        await own.process.kill()
        with pytest.raises((MCPError, ExceptionGroup, OSError)):
            await lost
        await laboratory.mesh.restate.kill()
        await asyncio.gather(own.process.start(), laboratory.mesh.restate.start())
        again = asyncio.create_task(asks())
        # The same call at another gateway, at the same time.
        elsewhere = Visitor(gateway.ports.url, visitor.http, visitor.customer_id, visitor.session)
        assert (await end_meeting(elsewhere)).text == "here I am"
        assert (await again)["text"] == "we met"
        async with mcp_client(elsewhere, mode) as client:
            given = {"text": "go", "session_id": visitor.session}
            assert data(await client.call_tool("ask", given, meta=keyed(key))) == await again
    assert await count_messages(laboratory, visitor) == 1


@BOTH_AT_NIGHT
async def test_client_that_leaves_stops_nothing_and_frees_its_place(
    gateway: Gateway, tmp_path: Path, mode: str
) -> None:
    laboratory, name, key = gateway.laboratory, unique(), unique()
    await plays_a_meeting(laboratory, name)
    async with open_gateway(laboratory, tmp_path, {"GATEWAY_CUSTOMER_REQUESTS_MAX": "1"}) as own:
        visitor = own.visitor()
        given = {"text": "go", "session_id": visitor.session}

        async def asks() -> None:
            async with mcp_client(visitor, mode) as client:
                await client.call_tool("ask", given, meta=keyed(key))

        waiting = asyncio.create_task(asks())
        await tool_running(laboratory, visitor)
        async with mcp_client(visitor, mode) as client:
            full = await client.call_tool("ask", given, meta=keyed(key))
            assert refused(full) == (429, "too_many_requests")
            assert dict(full.meta or {})["switchboard-mesh/problem"]["retry_after_s"] == 1
            assert data(await client.call_tool("status", {"session_id": visitor.session}))["running"] is not None
            waiting.cancel()

            async def free() -> bool:
                async with laboratory.http.get(f"{own.metrics_url}/metrics") as response:
                    return "http_server_active_requests 0.0" in await response.text()

            await laboratory.until(free)
            ended = asyncio.create_task(end_meeting(gateway.visitor()))
            assert data(await client.call_tool("ask", given, meta=keyed(key)))["text"] == "we met"
            await ended
    assert await count_messages(laboratory, visitor) == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "problem"),
    [
        ("ask", {"text": " "}, (400, "request_invalid")),
        ("ask", {"text": "x" * 9000}, (413, "message_too_large")),
        ("ask", {"text": "hello", "session_id": ".."}, (400, "request_invalid")),
        ("ask", {"text": "hello", "customer_id": "bob"}, (400, "request_invalid")),
        ("ask", {}, (400, "request_invalid")),
        ("confirm", {"session_id": "none-{unique}", "held_id": "h"}, (404, "session_unknown")),
        ("decline", {"session_id": "none-{unique}", "held_id": ""}, (400, "request_invalid")),
        ("status", {"session_id": "none-{unique}"}, (404, "session_unknown")),
        ("transcript", {"session_id": "s", "limit": 51}, (400, "request_invalid")),
    ],
)
async def test_bad_input_is_a_result_that_says_what_to_do(
    gateway: Gateway, tool: str, arguments: JSON, problem: tuple[int, str]
) -> None:
    given = {
        name: value.format(unique=unique()) if name == "session_id" else value for name, value in arguments.items()
    }
    async with mcp_client(gateway.visitor()) as client:
        assert refused(await client.call_tool(tool, given)) == problem


async def test_bad_keys_states_and_names_are_refused(gateway: Gateway) -> None:
    visitor = gateway.visitor()
    given = {"text": "hello", "session_id": visitor.session}
    async with mcp_client(visitor, headers={"idempotency-key": "one"}) as client:
        for wrong in ("two", "has space", ""):
            assert refused(await client.call_tool("ask", given, meta=keyed(wrong))) == (400, "request_invalid")
    async with mcp_client(visitor) as client:
        for invalid in ("has space", "", 7, ["a"]):
            assert refused(await client.call_tool("ask", given, meta=keyed(invalid))) == (400, "request_invalid")
        for state in ("", "x", "{}", json.dumps({"session_id": "..", "held_id": "h"})):
            with pytest.raises(MCPError, match="requestState"):
                await client.call_tool("ask", given, request_state=state)
        with pytest.raises(MCPError, match="ask, confirm, decline"):
            await client.call_tool("pay", {})
        assert refused(await client.call_tool("status", {"session_id": visitor.session})) == (404, "session_unknown")


async def test_tools_are_described_for_models_and_people(gateway: Gateway) -> None:
    async with mcp_client(gateway.visitor(), "auto") as client:
        assert client.protocol_version == MODERN
        assert "confirm" in str(client.instructions)
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["ask", "confirm", "decline", "status", "transcript"]
    for tool in tools.values():
        assert tool.title
        assert tool.description
        assert tool.output_schema is not None
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations is not None
    read_only = {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint}
    assert read_only == {"status", "transcript"}


async def test_calls_and_decisions_are_counted_without_words(gateway: Gateway) -> None:
    before = await gateway.metrics()
    name, visitor = unique(), gateway.visitor()
    await plays_a_payment(gateway, name)
    async with mcp_client(visitor, person=Person(YES)) as client:
        await client.call_tool("ask", {"text": "pay", "session_id": visitor.session})
    after = await gateway.metrics()
    for series in (
        'switchboard_gateway_mcp_calls_total{outcome="question",tool="ask"}',
        'switchboard_gateway_mcp_decisions_total{by="person",decision="confirm"}',
    ):
        assert value(after, series) == value(before, series) + 1
    assert 'http_route="/v1/mcp"' in after
    assert name not in after


def value(metrics: str, series: str) -> float:
    found = [line.rpartition(" ")[2] for line in metrics.splitlines() if line.startswith(series)]
    return float(found[0]) if found else 0.0
