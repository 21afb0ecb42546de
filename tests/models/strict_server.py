"""A model's endpoint that speaks each wire API as strictly as the real ones. The demo model answers behind it."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp
from aiohttp import web

from tests.models.api_types import problems_of_types

JSON = dict[str, Any]
STRICT_ID = re.compile("[a-zA-Z0-9_-]{1,64}")
SEALED = "gAAAA/Öpaque+="
"""In everything that only the model itself can read."""


@dataclass
class Dialect:
    """Rules of the endpoint: the requests that it refuses, and how it answers."""

    fields: frozenset[str] | None = None
    roles: frozenset[str] = frozenset({"user", "assistant", "system", "developer", "tool"})
    types: bool = True
    """Whether requests have to fit the types of the API's own client."""

    typed_items: bool = True
    alternating: bool = False
    refused_word: str = ""
    breaking_word: str = ""
    bytes_max: int = 0
    call_ids: tuple[str, ...] = ()
    reasoning: bool = False
    down: Mapping[str, int] = field(default_factory=dict)
    """The status of each API that answers with an error; the agents need not wait before they try again."""

    held: int = 0
    """The number of requests that are answered. Later ones wait, until the endpoint becomes another one."""


@dataclass
class StrictServer:
    """Serves all three APIs. `demo_url` is the demo model.

    `requests` are the bodies that were accepted, by API, and `failed` the APIs of the requests while they were down.
    `issued` is all reasoning that was given, as the API has it.
    """

    demo_url: str
    dialect: Dialect = field(default_factory=Dialect)
    requests: list[tuple[str, JSON]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    issued: list[JSON] = field(default_factory=list)
    calls_made: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    def becomes(self, dialect: Dialect) -> None:
        """Speak this dialect from now on, and forget the requests so far."""
        self.dialect = dialect
        self.release.set()
        self.waiting, self.release = asyncio.Event(), asyncio.Event()
        for seen in (self.requests, self.refused, self.failed):
            seen.clear()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        for path, api in (("/responses", "responses"), ("/chat/completions", "chat"), ("/v1/messages", "messages")):
            app.router.add_post(path, self._handler(api))
        return app

    def _handler(self, api: str) -> Any:
        async def handle(request: web.Request) -> web.Response:
            raw = await request.text()
            body = json.loads(raw)
            breaks = self.dialect.breaking_word and self.dialect.breaking_word in raw
            if status := self.dialect.down.get(api) or (500 if breaks else 0):
                self.failed.append(api)
                error, now = refusal(api, "out of order"), {"retry-after-ms": "1"}
                return web.json_response(error, status=status, headers=now)
            for why in (*problems(api, body, raw, self.dialect), *self.changed_reasoning(api, body)):
                self.refused.append(why)
                return web.json_response(refusal(api, why), status=400)
            self.requests.append((api, body))
            if self.dialect.held and len(self.requests) > self.dialect.held:
                self.waiting.set()
                await self.release.wait()
                return web.json_response(refusal(api, "too late"), status=503)
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{self.demo_url}/v1/responses", json=to_responses(api, body)) as response,
            ):
                answer = await response.json()
                if response.status != 200:
                    return web.json_response(answer, status=response.status)
            return web.json_response(self._with_reasoning(api, from_responses(api, self._own_ids(answer))))

        return handle

    def _own_ids(self, answer: JSON) -> JSON:
        """Give the calls the ids of this dialect."""
        for item in answer["output"]:
            if item["type"] == "function_call" and self.dialect.call_ids:
                item["call_id"] = self.dialect.call_ids[self.calls_made % len(self.dialect.call_ids)]
                self.calls_made += 1
        return answer

    def _with_reasoning(self, api: str, answer: JSON) -> JSON:
        """Put reasoning in front of the answer, in the form of the API. It is another one each time."""
        if self.dialect.reasoning:
            number = len(self.issued) + 1
            sealed = f"{SEALED}{number}"
            if api == "responses":
                self.issued.append(
                    {"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": sealed}
                )
                answer["output"].insert(0, self.issued[-1])
            elif api == "chat":
                self.issued.append({"type": "reasoning.encrypted", "id": f"r_{number}", "data": sealed})
                answer["choices"][0]["message"]["reasoning_details"] = [self.issued[-1]]
            else:
                self.issued.append({"type": "thinking", "thinking": "Hm.", "signature": sealed})
                answer["content"].insert(0, self.issued[-1])
        return answer

    def changed_reasoning(self, api: str, body: JSON) -> Iterator[str]:
        """Reasoning that this server did not give in this form, or that nothing follows."""
        found = reasoning_in(api, body)
        if unknown := [each for each in found if each not in self.issued]:
            yield f"reasoning was changed or is another model's: {unknown}"
        if found and api == "responses":
            kinds = [item["type"] for item in body["input"]]
            if any(a == "reasoning" and b not in ("function_call", "message") for a, b in pairwise([*kinds, "end"])):
                yield f"reasoning without its following item: {kinds}"


def reasoning_in(api: str, body: JSON) -> list[JSON]:
    """The reasoning of earlier answers in a request."""
    if api == "responses":
        return [item for item in body["input"] if item["type"] == "reasoning"]
    if api == "chat":
        return [each for message in body["messages"] for each in message.get("reasoning_details", ())]
    blocks = [block for message in body["messages"] for block in blocks_of(message)]
    return [block for block in blocks if block["type"] == "thinking"]


def blocks_of(message: JSON) -> list[JSON]:
    """The blocks of a message in the Messages API, whose content may be a text instead."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


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
    if dialect.types:
        yield from problems_of_types(api, body)
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
    if api == "messages" and body.get("thinking", {}).get("type") == "enabled" and results_wait(items):
        first = next(item for item in reversed(items) if item["role"] == "assistant")["content"][0]
        if first["type"] != "thinking":
            yield f"expected thinking, but found {first['type']}"


def results_wait(items: Sequence[JSON]) -> bool:
    """Whether the model has to go on after results of its calls."""
    return any(block["type"] == "tool_result" for block in items[-1]["content"])


def calls_of(api: str, body: JSON) -> tuple[list[str], list[str]]:
    """The ids of a request's calls, and of its results."""
    if api == "responses":
        items = body["input"]
        ids = [item["call_id"] for item in items if item.get("type") == "function_call"]
        return ids, [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if api == "chat":
        ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or ()]
        return ids, [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    blocks = [block for message in body["messages"] for block in blocks_of(message)]
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return ids, [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]


def to_responses(api: str, body: JSON) -> JSON:
    """The same request for the demo model."""
    if api == "responses":
        known = ("model", "instructions", "input", "tools", "metadata")
        return {name: body[name] for name in known if name in body}
    if api == "chat":
        system, *messages = body["messages"]
        instructions = plain(system["content"])
        tools = [{"type": "function", **tool["function"]} for tool in body.get("tools", ())]
        items = [item for message in messages for item in chat_items(message)]
        return {"model": body["model"], "instructions": instructions, "input": items, "tools": tools}
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
        item for message in body["messages"] for block in blocks_of(message) for item in block_items(message, block)
    ]
    return {"model": body["model"], "instructions": plain(body["system"]), "input": items, "tools": tools}


def plain(content: Any) -> str:
    """The text of a content, which may be given in parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content or ""


def chat_items(message: JSON) -> list[JSON]:
    if message["role"] == "tool":
        output = plain(message["content"])
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": output}]
    text = plain(message.get("content"))
    texts = [{"type": "message", "role": message["role"], "content": text}] if text else []
    calls = [
        {"type": "function_call", "call_id": call["id"], **call["function"]} for call in message.get("tool_calls") or ()
    ]
    return texts + calls


def block_items(message: JSON, block: JSON) -> list[JSON]:
    if block["type"] == "tool_result":
        output = plain(block.get("content"))
        return [{"type": "function_call_output", "call_id": block["tool_use_id"], "output": output}]
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
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "demo"}
    return {**message, "content": blocks, "stop_reason": "tool_use" if calls else "end_turn", "usage": counted}


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
    total = usage["input_tokens"] + usage["output_tokens"]
    counted = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": total,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "demo",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": counted,
    }
