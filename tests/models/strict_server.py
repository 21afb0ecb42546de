"""A model's endpoint that speaks each wire API as strictly as the real ones. The demo model answers behind it."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp
from aiohttp import web
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter, ValidationError

JSON = dict[str, Any]
STRICT_ID = re.compile("[a-zA-Z0-9_-]{1,64}")
TYPES: dict[str, TypeAdapter[Any]] = {
    "responses": TypeAdapter(ResponseCreateParamsNonStreaming),
    "chat": TypeAdapter(CompletionCreateParamsNonStreaming),
    "messages": TypeAdapter(MessageCreateParamsNonStreaming),
}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA/Öpaque+="}


@dataclass
class Dialect:
    """Rules of the endpoint: the requests that it refuses, and how it answers."""

    fields: frozenset[str] | None = None
    roles: frozenset[str] = frozenset({"user", "assistant", "system", "developer", "tool"})
    typed_items: bool = True
    alternating: bool = False
    refused_word: str = ""
    bytes_max: int = 0
    call_ids: tuple[str, ...] = ()
    reasoning: bool = False


@dataclass
class StrictServer:
    """Serves all three APIs. `demo_url` is the demo model; `requests` are the bodies that were accepted."""

    demo_url: str
    dialect: Dialect = field(default_factory=Dialect)
    requests: list[JSON] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    calls_made: int = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        for path, api in (("/responses", "responses"), ("/chat/completions", "chat"), ("/v1/messages", "messages")):
            app.router.add_post(path, self._handler(api))
        return app

    def _handler(self, api: str) -> Any:
        async def handle(request: web.Request) -> web.Response:
            raw = await request.text()
            body = json.loads(raw)
            for why in problems(api, body, raw, self.dialect):
                self.refused.append(why)
                return web.json_response(refusal(api, why), status=400)
            self.requests.append(body)
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{self.demo_url}/v1/responses", json=to_responses(api, body)) as response,
            ):
                answer = await response.json()
                if response.status != 200:
                    return web.json_response(answer, status=response.status)
            return web.json_response(from_responses(api, self._own_ids(answer)))

        return handle

    def _own_ids(self, answer: JSON) -> JSON:
        """Give the calls the ids of this dialect, and put reasoning in front of them."""
        for item in answer["output"]:
            if item["type"] == "function_call" and self.dialect.call_ids:
                item["call_id"] = self.dialect.call_ids[self.calls_made % len(self.dialect.call_ids)]
                self.calls_made += 1
        if self.dialect.reasoning:
            answer["output"].insert(0, REASONING)
        return answer


def refusal(api: str, why: str) -> JSON:
    code = "content_filter" if "word" in why else "context_length_exceeded" if "long" in why else "invalid_request"
    error = {"message": why, "type": "invalid_request_error"}
    return {"type": "error", "error": error} if api == "messages" else {"error": {**error, "code": code}}


def problems(api: str, body: JSON, raw: str, dialect: Dialect) -> Iterator[str]:
    """Why the endpoint refuses a request."""
    if dialect.refused_word and dialect.refused_word in raw:
        yield "a word is refused by the content_filter"
    if dialect.bytes_max and len(raw) > dialect.bytes_max:
        yield "prompt is too long: it exceeds the context length"
    if dialect.fields is not None and (unknown := body.keys() - dialect.fields):
        yield f"Extra inputs are not permitted: {sorted(unknown)}"
    try:
        TYPES[api].validate_python(body)
    except ValidationError as error:
        yield f"the API does not know this request: {error}"
    ids, answered = calls_of(api, body)
    if wrong := [call_id for call_id in ids if not STRICT_ID.fullmatch(call_id)]:
        yield f"invalid call id {wrong[0]!r}"
    if len(set(ids)) != len(ids):
        yield f"duplicate call id in {ids}"
    if set(ids) != set(answered):
        yield f"calls {ids} and results {answered} do not match"
    yield from problems_with_roles(api, body, dialect)


def problems_with_roles(api: str, body: JSON, dialect: Dialect) -> Iterator[str]:
    items = body["input"] if api == "responses" else body["messages"]
    roles = [item["role"] for item in items if "role" in item]
    if unknown := set(roles) - dialect.roles:
        yield f"unknown role {sorted(unknown)}"
    if api == "responses" and dialect.typed_items and any("type" not in item for item in items):
        yield "an item has no type"
    if (api == "messages" or dialect.alternating) and any(a == b == "user" for a, b in pairwise(roles)):
        yield "roles must alternate"
    if api == "messages" and roles[0] != "user":
        yield "the first message must be the user's"


def calls_of(api: str, body: JSON) -> tuple[list[str], list[str]]:
    """The ids of a request's calls, and of its results."""
    if api == "responses":
        items = body["input"]
        ids = [item["call_id"] for item in items if item.get("type") == "function_call"]
        return ids, [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if api == "chat":
        ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or ()]
        return ids, [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    blocks = [block for message in body["messages"] for block in message["content"]]
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return ids, [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]


def to_responses(api: str, body: JSON) -> JSON:
    """The same request for the demo model."""
    if api == "responses":
        known = ("model", "instructions", "input", "tools", "metadata")
        return {name: body[name] for name in known if name in body}
    if api == "chat":
        system, *messages = body["messages"]
        tools = [{"type": "function", **tool["function"]} for tool in body.get("tools", ())]
        items = [item for message in messages for item in chat_items(message)]
        return {"model": body["model"], "instructions": system["content"], "input": items, "tools": tools}
    tools = [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["input_schema"],
        }
        for tool in body.get("tools", ())
    ]
    items = [
        item for message in body["messages"] for block in message["content"] for item in block_items(message, block)
    ]
    return {"model": body["model"], "instructions": body["system"][0]["text"], "input": items, "tools": tools}


def chat_items(message: JSON) -> list[JSON]:
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": message["content"]}]
    texts = [{"type": "message", "role": message["role"], "content": message["content"]}] if message["content"] else []
    calls = [
        {"type": "function_call", "call_id": call["id"], **call["function"]} for call in message.get("tool_calls") or ()
    ]
    return texts + calls


def block_items(message: JSON, block: JSON) -> list[JSON]:
    if block["type"] == "tool_result":
        return [{"type": "function_call_output", "call_id": block["tool_use_id"], "output": block["content"]}]
    if block["type"] == "tool_use":
        arguments = json.dumps(block["input"])
        return [{"type": "function_call", "call_id": block["id"], "name": block["name"], "arguments": arguments}]
    if block["type"] == "text":
        return [{"type": "message", "role": message["role"], "content": block["text"]}]
    return []


def from_responses(api: str, answer: JSON) -> JSON:
    """The demo model's answer in the API's own shape."""
    if api == "responses":
        return answer
    text = "".join(part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"])
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    usage = answer["usage"]
    if api == "chat":
        return chat_answer(text, calls, usage)
    blocks: list[JSON] = [{"type": "text", "text": text}] if text else []
    blocks += [
        {"type": "tool_use", "id": call["call_id"], "name": call["name"], "input": json.loads(call["arguments"])}
        for call in calls
    ]
    counted = {"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}
    return {"content": blocks, "stop_reason": "tool_use" if calls else "end_turn", "usage": counted}


def chat_answer(text: str, calls: Sequence[JSON], usage: JSON) -> JSON:
    asked = [
        {
            "id": call["call_id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in calls
    ]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": asked} if asked else {})}
    counted = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": counted,
    }
