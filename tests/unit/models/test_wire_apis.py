"""All three wire APIs: requests that the providers' own types accept, and answers read alike."""

import asyncio
import json
import os
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard import Agent, NoInput, Tool
from switchboard.messages import (
    Card,
    Identity,
    Message,
    ModelReply,
    Note,
    Notice,
    Part,
    ToolCall,
    ToolResult,
    TurnRequest,
    UserText,
    WireModel,
)
from switchboard.models import anthropic_messages, chat_completions, responses
from switchboard.models.connect import KINDS, endpoint_for
from switchboard.models.model import Model, ModelRejected, ModelUnavailable
from switchboard.models.providers import OPTIONAL, PROVIDERS, Optional, Provider, WireApi
from switchboard.models.settings import ModelSettings, with_sends
from tests.models.api_types import OPENAI_OPENAPI, problems_of_document, problems_of_types

JSON = dict[str, Any]

APIS: tuple[WireApi, ...] = ("responses", "chat", "messages")
BUILD = {
    "responses": responses.request_body,
    "chat": chat_completions.request_body,
    "messages": anthropic_messages.request_body,
}
READ = {
    "responses": responses.read_reply,
    "chat": chat_completions.read_reply,
    "messages": anthropic_messages.read_reply,
}
PATHS = {"responses": responses.PATH, "chat": chat_completions.PATH, "messages": anthropic_messages.PATH}


class Balance(WireModel):
    amount: str


AGENT = Agent(
    name="Bank",
    handles="money",
    instructions="Help.",
    tools=(Tool("Accounts", "get_balance", "The balance.", NoInput, Balance),),
)
KNOWN = ("get_balance", "handoff_to_Airline")


def asks(call_id: str, given_id: str = "") -> ModelReply:
    call = ToolCall(call_id=call_id, tool="get_balance", arguments="{}", given_id=given_id)
    return ModelReply(agent="Bank", calls=(call,), origin="there")


def request_with(*messages: Message, summary: str = "") -> TurnRequest:
    identity = Identity(session_id="s-1", customer_id="alice")
    return TurnRequest(
        identity=identity, transcript=messages, summary=summary, peers=(Card(name="Airline", handles="flights"),)
    )


EVERYTHING = request_with(
    UserText(text="balance?"),
    asks("c.1"),
    ToolResult(call_id="c.1", ok=False, content="the bank is closed"),
    Note(text="go on"),
    Notice(text="sorry"),
    UserText(text="again"),
    asks("x" * 80),
    ToolResult(call_id="x" * 80, ok=True, content='{"amount":"1"}'),
    asks("c.1"),
    ToolResult(call_id="c.1", ok=True, content=""),
    UserText(text="withheld", withheld=True),
    summary="They moved house.",
)


def every_kind_of_item(api: WireApi, provider: Provider) -> Any:
    """A request with every kind of item that the API has for us, opaque ones too, to each set of optional fields."""
    reply = read(api, answer_with_opaque(api))
    thought = [reply, ToolResult(call_id=reply.calls[0].call_id, ok=True, content="1")]
    transcript = (*EVERYTHING.transcript, *thought)
    request = EVERYTHING.model_copy(update={"transcript": transcript})
    return BUILD[api](provider, "m", AGENT, request, [UserText(text="and now?")], "there")


@pytest.mark.parametrize("sends", ["its own fields", "all fields", "no field"])
@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
@pytest.mark.parametrize("api", APIS)
def test_request_is_valid_for_the_apis_own_types(api: WireApi, provider: Provider, sends: str) -> None:
    fields = {"its own fields": provider.sends, "all fields": OPTIONAL, "no field": frozenset[Optional]()}[sends]
    body = every_kind_of_item(api, with_sends(provider, fields))
    assert list(problems_of_types(api, body)) == []
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize(
    ("api", "item"),
    [
        ("responses", {"type": "message", "role": "user", "content": "hi", "mood": "good"}),
        ("responses", {"type": "function_call", "name": "f", "arguments": "{}"}),
        ("chat", {"role": "assistant", "content": "hi", "mood": "good"}),
        ("chat", {"role": "tool", "content": "hi"}),
        ("messages", {"role": "user", "content": [{"type": "text", "text": "hi", "mood": "good"}]}),
        ("messages", {"role": "user", "content": [{"type": "tool_result"}]}),
    ],
)
def test_types_find_unknown_and_missing_fields_at_any_depth(api: WireApi, item: JSON) -> None:
    """Otherwise the test above would show nothing."""
    body = every_kind_of_item(api, PROVIDERS["openai"])
    body["input" if api == "responses" else "messages"].append(item)
    assert list(problems_of_types(api, body)) != []


@pytest.mark.skipif(OPENAI_OPENAPI not in os.environ, reason=f"{OPENAI_OPENAPI} is not set to OpenAI's openapi.json")
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_request_is_valid_for_openais_document(api: WireApi) -> None:
    assert list(problems_of_document(api, every_kind_of_item(api, PROVIDERS["openai"]))) == []


def ids_in(body: Any) -> list[str]:
    """Return the ids of the calls in a request of any API."""
    if isinstance(body, list):
        return [found for part in body for found in ids_in(part)]
    if not isinstance(body, dict):
        return []
    if body.get("type") in ("function_call", "tool_use") or (body.get("type") == "function" and "id" in body):
        return [body.get("call_id") or body["id"]]
    return [found for part in body.values() for found in ids_in(part)]


@pytest.mark.parametrize("api", APIS)
def test_call_ids_are_valid_unique_and_stable(api: WireApi) -> None:
    bodies = [BUILD[api](PROVIDERS["vllm"], "m", AGENT, EVERYTHING, [], "there") for _ in range(2)]
    ids = ids_in(bodies[0])
    assert len(ids) == 3
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", call_id) for call_id in ids)
    assert ids_in(bodies[1]) == ids


@pytest.mark.parametrize("api", APIS)
def test_given_id_goes_back_to_its_own_endpoint_only(api: WireApi) -> None:
    request = request_with(
        UserText(text="hi"), asks("call_1", "given-1"), ToolResult(call_id="call_1", ok=True, content="x")
    )
    assert ids_in(BUILD[api](PROVIDERS["vllm"], "m", AGENT, request, [], "there")) == ["given-1"]
    assert ids_in(BUILD[api](PROVIDERS["vllm"], "m", AGENT, request, [], "elsewhere")) == ["call_1"]


@pytest.mark.parametrize("api", APIS)
def test_call_without_result_gets_one(api: WireApi) -> None:
    body = json.dumps(BUILD[api](PROVIDERS["vllm"], "m", AGENT, request_with(UserText(text="hi"), asks("call_1")), []))
    assert "It is not known whether this was done" in body


@pytest.mark.parametrize("api", APIS)
def test_withheld_text_is_not_sent(api: WireApi) -> None:
    reply = asks("call_1").model_copy(update={"text": "SECRET", "withheld": True})
    result = ToolResult(call_id="call_1", ok=True, content="SECRET", withheld=True)
    request = request_with(UserText(text="SECRET", withheld=True), reply, result, UserText(text="hi"))
    assert "SECRET" not in json.dumps(BUILD[api](PROVIDERS["openai"], "m", AGENT, request, []))


USAGE: dict[str, JSON] = {
    "responses": {"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}},
    "chat": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    "messages": {"input_tokens": 5, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4, "output_tokens": 2},
}


def answer(api: WireApi, text: str = "", calls: tuple[tuple[str, Any], ...] = (), end: str | None = None) -> JSON:
    """An answer in an API's shape. `end` is the state or reason with which it ends, if not the usual one."""
    if api == "responses":
        items: list[Any] = [{"type": "message", "content": [{"type": "output_text", "text": text}]}] if text else []
        items += [{"type": "function_call", "call_id": "g1", "name": name, "arguments": args} for name, args in calls]
        return {"status": end or "completed", "output": items, "usage": USAGE[api]}
    if api == "chat":
        asked = [{"id": "g1", "type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
        message = {"role": "assistant", "content": text or None, **({"tool_calls": asked} if asked else {})}
        reason = end or ("tool_calls" if calls else "stop")
        return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USAGE[api]}
    blocks: list[Any] = [{"type": "text", "text": text}] if text else []
    blocks += [{"type": "tool_use", "id": "g1", "name": name, "input": args} for name, args in calls]
    return {"content": blocks, "stop_reason": end or ("tool_use" if calls else "end_turn"), "usage": USAGE[api]}


def read(api: WireApi, content: JSON) -> ModelReply:
    return READ[api](json.dumps(content).encode(), "Bank", "m", "there", KNOWN)


@pytest.mark.parametrize("api", APIS)
def test_answer_is_read_with_its_calls_and_tokens(api: WireApi) -> None:
    reply = read(api, answer(api, "One moment.", (("get_balance", {"a": 1}),)))
    assert reply.text == "One moment."
    assert [(call.tool, json.loads(call.arguments), call.given_id) for call in reply.calls] == [
        ("get_balance", {"a": 1}, "g1")
    ]
    usage = reply.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (10, 4, 2)


@pytest.mark.parametrize(
    ("api", "end"),
    [
        ("responses", "incomplete"),
        ("responses", "failed"),
        ("chat", "length"),
        ("chat", "insufficient_system_resource"),
        ("messages", "max_tokens"),
        ("messages", "pause_turn"),
        ("messages", "model_context_window_exceeded"),
    ],
)
def test_unfinished_answer_is_not_used_but_charged(api: WireApi, end: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        read(api, answer(api, "Your balance is 2,4", end=end))
    assert caught.value.usage is not None
    assert caught.value.usage.input_tokens == 10


@pytest.mark.parametrize(("api", "end"), [("chat", "content_filter"), ("messages", "refusal")])
def test_answer_stopped_by_a_filter_is_a_rejection_of_content(api: WireApi, end: str) -> None:
    with pytest.raises(ModelRejected) as caught:
        read(api, answer(api, "no", end=end))
    assert caught.value.reason == "content"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_balance<|channel|>commentary", "{}"),
        ("functions.get_balance", "{}"),
        ("get_balance", '"{\\"a\\": 1}"'),
        ("get_balance", '```json\n{"a": 1}\n```'),
        ("get_balance()", "{}"),
    ],
)
def test_call_in_an_odd_form_is_understood(api: WireApi, name: str, arguments: str) -> None:
    (call,) = read(api, answer(api, calls=((name, arguments),))).calls
    assert call.tool == "get_balance"
    assert isinstance(json.loads(call.arguments), dict)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "get_balance", "arguments": {}}',
        '<tool_call>\n{"name": "get_balance", "arguments": {}}\n</tool_call>',
        '[TOOL_CALLS][{"name": "get_balance", "arguments": {}}]',
        '```json\n{"tool": "get_balance", "parameters": {}}\n```',
    ],
)
def test_text_that_is_only_a_call_is_a_call(api: WireApi, text: str) -> None:
    reply = read(api, answer(api, text))
    assert (reply.text, [call.tool for call in reply.calls]) == ("", ["get_balance"])


@pytest.mark.parametrize("text", ['{"name": "unknown", "arguments": {}}', '{"name": "get_balance"}', "Hello {"])
def test_other_text_stays_a_text(text: str) -> None:
    reply = read("chat", answer("chat", text))
    assert (reply.text, reply.calls) == (text, ())


@pytest.mark.parametrize("odd", [None, -1, 1.5, "7", [], {}, True, 10**400], ids=repr)
@pytest.mark.parametrize("api", APIS)
def test_odd_count_of_tokens_costs_no_answer_and_no_other_count(api: WireApi, odd: Any) -> None:
    found = answer(api, "Hi.")
    found["usage"] = {**USAGE[api], next(iter(USAGE[api])): odd}
    reply = read(api, found)
    assert (reply.text, reply.usage.output_tokens) == ("Hi.", 2)
    assert 0 <= reply.usage.input_tokens <= 100_000_010


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b'{"error": {"message": "overloaded"}}', b"{}"])
@pytest.mark.parametrize("api", APIS)
def test_answer_that_is_none_is_unavailable(api: WireApi, content: bytes) -> None:
    with pytest.raises(ModelUnavailable):
        READ[api](content, "Bank")


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "QUJD/é+="}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "QUJD/é+="}


def answer_with_opaque(api: WireApi) -> JSON:
    found = answer(api, "One moment.", (("get_balance", {}),))
    if api == "responses":
        found["output"].insert(0, REASONING)
        content = [{**found["output"][1]["content"][0], "annotations": [], "logprobs": []}]
        rest = {"phase": "commentary", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
        found["output"][1] = {**found["output"][1], **rest}
    elif api == "messages":
        found["content"].insert(0, THINKING)
    else:
        found["choices"][0]["message"]["reasoning_content"] = "Hm."
        found["choices"][0]["message"]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "QUJD+/="}}
    return found


@pytest.mark.parametrize("api", APIS)
def test_opaque_parts_go_back_unchanged_to_their_own_model_only(api: WireApi) -> None:
    reply = ModelReply.model_validate_json(read(api, answer_with_opaque(api)).model_dump_json())
    result = ToolResult(call_id=reply.calls[0].call_id, ok=True, content="1")
    request = request_with(UserText(text="balance?"), reply, result)
    own = json.dumps(BUILD[api](PROVIDERS["openai"], "m", AGENT, request, [], "there"), ensure_ascii=False)
    other = json.dumps(BUILD[api](PROVIDERS["openai"], "m", AGENT, request, [], "elsewhere"), ensure_ascii=False)
    marks = {"responses": ["QUJD/é+=", '"phase": "commentary"'], "messages": ["QUJD/é+="]}.get(api, ["Hm.", "QUJD+/="])
    for mark in marks:
        assert mark in own
        assert mark not in other
    if api == "responses":
        kinds = [item["type"] for item in json.loads(own)["input"]]
        assert kinds == ["message", "reasoning", "message", "function_call", "function_call_output"]


SEARCH = (UserText(text="balance?"),)
RESULT = ToolResult(call_id="call_1", ok=True, content="1")
THOUGHT = asks("call_1").model_copy(
    update={"parts": (Part(kind="opaque", data=json.dumps(THINKING)), Part(kind="call", call=0))}
)


@pytest.mark.parametrize(
    ("option", "added", "sent"),
    [
        ({"type": "enabled", "budget_tokens": 2_000}, [], True),
        ({"type": "enabled", "budget_tokens": 2_000}, [THOUGHT, RESULT], True),
        ({"type": "enabled", "budget_tokens": 2_000}, [asks("call_1"), RESULT], False),
        ({"type": "enabled", "budget_tokens": 2_000}, [asks("call_1"), RESULT, UserText(text="and?")], False),
        ({"type": "enabled", "budget_tokens": 2_000}, [asks("call_1"), RESULT, Notice(text="1"), SEARCH[0]], True),
        ({"type": "adaptive"}, [asks("call_1"), RESULT], True),
    ],
)
def test_thinking_is_not_asked_for_in_the_middle_of_calls_that_began_without(
    option: JSON, added: list[Message], sent: bool
) -> None:
    url, settings = "http://127.0.0.1", ModelSettings.model_construct()
    endpoint = endpoint_for(PROVIDERS["anthropic"], "messages", url, "key", asyncio.Semaphore(1), settings)
    model = KINDS["messages"](endpoint, "m", options={"thinking": option})
    added = [m.model_copy(update={"origin": "anthropic:m@127.0.0.1"}) if m is THOUGHT else m for m in added]
    assert ("thinking" in model.body(AGENT, request_with(*SEARCH), added)) is sent


def test_commentary_alone_is_no_answer() -> None:
    item = {"type": "message", "phase": "commentary", "content": [{"type": "output_text", "text": "Let me see."}]}
    final = {"type": "message", "phase": "final_answer", "content": [{"type": "output_text", "text": "It is 5."}]}
    assert read("responses", {"output": [item]}).text == ""
    assert read("responses", {"output": [item, final]}).text == "It is 5."


def test_endless_opaque_parts_are_not_kept() -> None:
    found = answer_with_opaque("responses")
    found["output"][0] = {**REASONING, "encrypted_content": "x" * 70_000}
    assert read("responses", found).parts == ()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[WireApi, Handler], Awaitable[Model]]]:
    """Serves a handler at an API's path; returns a model behind it."""
    servers: list[TestServer] = []

    async def start(api: WireApi, handler: Handler) -> Model:
        app = web.Application()
        app.router.add_post(PATHS[api], handler)
        server = TestServer(app)
        servers.append(server)
        await server.start_server()
        url, settings = str(server.make_url("")), ModelSettings.model_construct()
        return KINDS[api](endpoint_for(PROVIDERS["vllm"], api, url, "key", asyncio.Semaphore(1), settings), "m")

    yield start
    for server in servers:
        await server.close()


@dataclass
class Seen:
    """An observer that keeps what it is given."""

    text: str = ""
    deltas: list[str] = field(default_factory=list)

    def text_delta(self, text: str) -> None:
        self.deltas.append(text)

    def attempt_failed(self) -> None:
        self.deltas.clear()


def events(api: WireApi) -> list[tuple[str, JSON]]:
    """A streamed answer of two pieces of text and a call, as each API sends it."""
    if api == "responses":
        whole = answer(api, "One moment.", (("get_balance", "{}"),))
        deltas: list[JSON] = [{"type": "response.output_text.delta", "delta": piece} for piece in ("One ", "moment.")]
        return [(each["type"], each) for each in [*deltas, {"type": "response.completed", "response": whole}]]
    if api == "chat":
        call = {"index": 0, "id": "g1", "function": {"name": "get_balance", "arguments": "{"}}
        rest = {"index": 0, "function": {"arguments": "}"}}
        pieces: list[JSON] = [{"role": "assistant", "content": "One "}, {"content": "moment."}]
        pieces += [{"tool_calls": [call]}, {"tool_calls": [rest]}]
        chunks: list[JSON] = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        return [("", each) for each in [*chunks, last, {"choices": [], "usage": USAGE[api]}]]
    text, tool = {"type": "text", "text": ""}, {"type": "tool_use", "id": "g1", "name": "get_balance", "input": {}}
    found: list[JSON] = [
        {"type": "message_start", "message": {"id": "m1", "content": [], "usage": USAGE[api]}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "One "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "moment."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    return [(each["type"], each) for each in found]


def stream_of(found: list[tuple[str, JSON]], end: bytes = b"") -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert (await request.json())["stream"] is True
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for name, data in found:
            line = f"event: {name}\n" if name else ""
            await response.write(f"{line}data: {json.dumps(data)}\n\n".encode())
        await response.write(end)
        return response

    return handler


@pytest.mark.parametrize("api", APIS)
async def test_streamed_answer_is_the_same_as_a_whole_one(api: WireApi, serve: Any) -> None:
    model = await serve(api, stream_of(events(api), b"data: [DONE]\n\n" if api == "chat" else b""))
    seen = Seen()
    reply = await model.ask(AGENT, EVERYTHING, [], seen)
    assert seen.deltas == ["One ", "moment."]
    assert (reply.text, [call.tool for call in reply.calls]) == ("One moment.", ["get_balance"])
    assert json.loads(reply.calls[0].arguments) == {}
    assert reply.usage.output_tokens == 2


@pytest.mark.parametrize("api", APIS)
async def test_stream_that_breaks_off_is_no_answer(api: WireApi, serve: Any) -> None:
    model = await serve(api, stream_of(events(api)[:2]))
    with pytest.raises(ModelUnavailable):
        await model.ask(AGENT, EVERYTHING, [], Seen())


ODD: list[Any] = [None, True, 1, 1e400, "x", "\ud800", [], [None], {}, {"type": ["x"]}, {"content": [{"type": {}}]}]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("api", APIS)
def test_mutilated_answer_is_read_or_unavailable_and_nothing_else(api: WireApi, seed: int) -> None:
    chance = random.Random(seed)
    found = answer_with_opaque(api)
    for _ in range(chance.randint(1, 4)):
        place: Any = found
        while isinstance(place, dict | list) and place:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], dict | list) or chance.random() < 0.3:
                place[key] = chance.choice(ODD)
                break
            place = place[key]
    try:
        reply = read(api, found)
    except (ModelUnavailable, ModelRejected) as error:
        str(error).encode()
    else:
        request = request_with(UserText(text="hi"), reply)
        json.dumps(BUILD[api](PROVIDERS["openai"], "m", AGENT, request, [], "there"), allow_nan=False)


@pytest.mark.parametrize("api", APIS)
async def test_answer_over_a_mebibyte_is_malformed(api: WireApi, serve: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(answer(api, "x" * 2_000_000))

    with pytest.raises(ModelUnavailable, match="bytes"):
        await (await serve(api, handler)).ask(AGENT, EVERYTHING, [])
