"""Anthropic's Messages API: builds the request, reads the answer."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from switchboard.agent import Agent
from switchboard.messages import Message, ModelReply, TurnRequest, Usage
from switchboard.models.dialogue import (
    Answer,
    Call,
    Function,
    Item,
    Opaque,
    Result,
    Text,
    dialogue,
    hand_off_function,
    instructions,
    tool_functions,
)
from switchboard.models.endpoint_model import EndpointModel
from switchboard.models.model import ModelRejected, ModelUnavailable, Observer
from switchboard.models.providers import Provider
from switchboard.models.reading import ReadPart, build_reply, describe_answer, inner, malformed, opaque_json, tokens

PATH = "/v1/messages"
RESERVED = frozenset({"model", "messages", "system", "tools", "stream"})
"""Fields that options cannot set."""

OUTPUT_TOKENS_MAX = 8_192
"""The API demands a limit. A customer's answer is far shorter; thinking counts too. An option can set another."""

UNFINISHED = frozenset({"max_tokens", "pause_turn", "model_context_window_exceeded"})
"""Stop reasons of an answer that must not reach a customer, because it may be cut off, for example within an amount."""

FILTERED = "refusal"
THINKING = frozenset({"thinking", "redacted_thinking"})
ALWAYS_THINKING = "enabled"
"""The option's type that demands thinking in front of calls; `adaptive` leaves it to the model."""

NOTE = "[Note from the system]"
"""Begins a note to the model: the API has no role for one between messages."""

CACHED = {"type": "ephemeral"}
BEGINS = "[The conversation begins.]"
"""The API wants the first message to be a user's."""


class AnthropicModel(EndpointModel):
    """A model behind an endpoint that speaks Anthropic's Messages API."""

    api = "messages"
    path = PATH
    reserved = RESERVED

    def body(self, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> dict[str, Any]:
        """Return the request's body, without the option `thinking` where the API would refuse it."""
        return with_possible_thinking(super().body(agent, request, added))

    @staticmethod
    def _build(*arguments: Any) -> dict[str, Any]:
        return request_body(*arguments)

    @staticmethod
    def _read(*arguments: Any) -> ModelReply:
        return read_reply(*arguments)

    async def _watched(self, body: Mapping[str, Any], observer: Observer) -> bytes:
        """Stream the answer, show its text to the observer, and return it as if it had come whole."""
        collected = Collected()

        def take(event: dict[str, Any]) -> bool:
            if text := collected.add(event):
                observer.text_delta(text)
            return False

        await self._endpoint.watch(PATH, body, take)
        if not collected.over:
            raise ModelUnavailable("the model's stream ended before its answer was complete", "cut_off")
        return json.dumps(collected.message).encode()


def request_body(
    provider: Provider,
    model: str,
    agent: Agent,
    request: TurnRequest,
    added: Sequence[Message],
    origin: str = "",
) -> dict[str, Any]:
    """Return the body of POST /v1/messages.

    Two marks tell the provider what to cache: everything up to the instructions, which is the same in every request of
    this agent, and the conversation so far, which the next request begins with.
    """
    marks = "cache_control" in provider.sends
    system: dict[str, Any] = {"type": "text", "text": instructions(agent)}
    messages = turns(dialogue(request, added, origin, provider.keeps_call_ids))
    if marks:
        system["cache_control"] = CACHED
        mark_last(messages)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": OUTPUT_TOKENS_MAX,
        "system": [system],
        "messages": messages,
    }
    if offered := [*tools(agent), *(tool_of(hand_off_function(peer)) for peer in request.peers)]:
        body["tools"] = offered
    if "metadata" in provider.sends:
        body["metadata"] = {"user_id": request.identity.session_id}
    return body


def with_possible_thinking(body: dict[str, Any]) -> dict[str, Any]:
    """The body without the option to think, where the model's last answer has no thinking and waits for results.

    The API refuses to begin with thinking in the middle of calls. An answer has none if another model gave it, or if
    the customer has just confirmed its calls.
    """
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != ALWAYS_THINKING:
        return body
    answers = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
    results = any(block["type"] == "tool_result" for block in body["messages"][-1]["content"])
    if not results or not answers or answers[-1][0]["type"] in THINKING:
        return body
    return {name: value for name, value in body.items() if name != "thinking"}


def mark_last(messages: list[dict[str, Any]]) -> None:
    """Mark the last block that can be cached: thinking cannot."""
    for message in reversed(messages):
        for block in reversed(message["content"]):
            if block["type"] not in THINKING:
                block["cache_control"] = CACHED
                return


@functools.cache
def tools(agent: Agent) -> tuple[dict[str, Any], ...]:
    return tuple(tool_of(function) for function in tool_functions(agent))


def tool_of(function: Function) -> dict[str, Any]:
    return {"name": function.name, "description": function.description, "input_schema": function.parameters}


def turns(said: Sequence[Item]) -> list[dict[str, Any]]:
    """The dialogue as turns of user and assistant that alternate; results go first into the user's turn."""
    found: list[dict[str, Any]] = []
    for item in said:
        role, blocks = blocks_of(item)
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        elif blocks:
            found.append({"role": role, "content": blocks})
    if found and found[0]["role"] != "user":
        found.insert(0, {"role": "user", "content": [{"type": "text", "text": BEGINS}]})
    return found


def blocks_of(item: Item) -> tuple[str, list[dict[str, Any]]]:
    match item:
        case Text(role="note", text=text):
            return "user", [text_block(f"{NOTE} {text}")]
        case Text(role=role, text=text):
            return role, [text_block(text)]
        case Result(call_id=call_id, output=output, ok=ok):
            result = {"type": "tool_result", "tool_use_id": call_id, "content": output or " "}
            return "user", [result if ok else {**result, "is_error": True}]
        case Answer(parts=parts):
            return "assistant", without_last_thinking([answer_block(part) for part in parts])


def without_last_thinking(blocks: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """The blocks without thinking at the end: the API refuses a message that ends with it."""
    found = [block for block in blocks if block is not None]
    while found and found[-1].get("type") in THINKING:
        found.pop()
    return found


def text_block(text: str) -> dict[str, Any]:
    # The API refuses a text that is empty or only white space.
    return {"type": "text", "text": text if text.strip() else "(nothing)"}


def answer_block(part: Text | Call | Opaque) -> dict[str, Any] | None:
    match part:
        case Text(text=text):
            return text_block(text) if text.strip() else None
        case Opaque(data=data):
            kept: dict[str, Any] = json.loads(data)
            return kept
        case Call(call_id=call_id, name=name, arguments=arguments):
            return {"type": "tool_use", "id": call_id, "name": name, "input": json.loads(arguments or "{}")}


class _Message(BaseModel):
    id: str | None = None
    model: str | None = None
    content: list[dict[str, Any]]
    stop_reason: str | None = None
    error: Any = None
    usage: Any = None


def read_reply(content: bytes, agent: str, model: str = "", origin: str = "", known: Sequence[str] = ()) -> ModelReply:
    """Return the endpoint's answer.

    Raises ModelUnavailable when it is none or was cut off, and ModelRejected when the provider refused to answer.
    """
    try:
        message = _Message.model_validate_json(content)
    except ValidationError as error:
        raise malformed(content, "a message") from error
    usage = read_tokens(message.usage)
    if message.error:
        raise ModelUnavailable(f"the model failed: {message.error}", "malformed", usage=usage)
    if message.stop_reason == FILTERED:
        raise ModelRejected("the provider refused to answer", "content_filter", "content", usage)
    if message.stop_reason in UNFINISHED:
        raise ModelUnavailable(f"the model's answer was cut off: {message.stop_reason}", "cut_off", usage=usage)
    describe_answer(message.id, message.model, usage.cached_tokens, None)
    parts = [part for block in message.content if (part := read_block(block)) is not None]
    return build_reply(parts, agent, model, origin, usage, known)


def read_block(block: Mapping[str, Any]) -> ReadPart | None:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return ReadPart(text=block["text"])
    if kind == "tool_use":
        name, call_id = block.get("name"), block.get("id")
        return ReadPart(
            name=name if isinstance(name, str) else "",
            arguments=block.get("input"),
            given_id=call_id if isinstance(call_id, str) else "",
        )
    if isinstance(kind, str) and kind in THINKING:
        return ReadPart(opaque=opaque_json(block))
    return None


def read_tokens(usage: Any) -> Usage:
    """All input tokens together: the API counts those of its cache apart. An odd count must not cost a good answer."""
    cached = tokens(inner(usage, "cache_read_input_tokens"))
    created = tokens(inner(usage, "cache_creation_input_tokens"))
    return Usage(
        input_tokens=tokens(inner(usage, "input_tokens")) + created + cached,
        output_tokens=tokens(inner(usage, "output_tokens")),
        cached_tokens=cached,
    )


@dataclass
class Collected:
    """A streamed answer, put together again."""

    message: dict[str, Any] = field(default_factory=lambda: {"content": []})
    over: bool = False
    _inputs: dict[int, str] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> str:
        """Take over one event; return the text in it."""
        match event.get("type"):
            case "message_start":
                self.message |= {**event.get("message", {}), "content": []}
            case "content_block_start":
                block = event.get("content_block")
                self.message["content"].append(dict(block) if isinstance(block, dict) else {})
            case "content_block_delta":
                return self._take(event.get("index", len(self.message["content"]) - 1), event.get("delta", {}))
            case "content_block_stop":
                self._close(event.get("index", len(self.message["content"]) - 1))
            case "message_delta":
                self.message |= {name: value for name, value in event.get("delta", {}).items() if value is not None}
                told = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
                self.message["usage"] = {**(self.message.get("usage") or {}), **told}
            case "message_stop":
                self.over = True
            case "error":
                raise ModelUnavailable(f"the model's answer broke off: {event.get('error')}", "cut_off")
        return ""

    def _take(self, index: int, delta: Mapping[str, Any]) -> str:
        block = self.message["content"][index]
        match delta.get("type"):
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
                return str(delta["text"])
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = block.get("signature", "") + delta["signature"]
            case "input_json_delta":
                self._inputs[index] = self._inputs.get(index, "") + delta["partial_json"]
        return ""

    def _close(self, index: int) -> None:
        if text := self._inputs.pop(index, ""):
            # As text: where it is no JSON, the model is told so like any other.
            self.message["content"][index]["input"] = text
