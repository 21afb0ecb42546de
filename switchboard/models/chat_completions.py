"""OpenAI's Chat Completions API, which most other servers speak: builds the request, reads the answer."""

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

PATH = "/chat/completions"
RESERVED = frozenset({"model", "messages", "tools", "stream", "n"})
"""Fields that options cannot set."""

UNFINISHED = frozenset(
    {"length", "max_tokens", "error", "abort", "cancelled", "timeout", "model_length", "insufficient_system_resource"}
)
"""Finish reasons of an answer that must not reach a customer, because it may be cut off, for example in an amount."""

FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})
SENT_BACK = ("reasoning_content", "reasoning", "reasoning_details", "extra_content")
"""Fields of a message that its model may need back: DeepSeek's, OpenRouter's and Gemini's."""

SENT_BACK_OF_CALL = ("extra_content",)
"""Fields of a call that its model needs back: Gemini's thought signature."""

BEGINS = "[The conversation begins.]"
NO_TEXT = "(nothing)"
NOTE = "[Note from the system]"
"""Begins a note to the model where it has to be sent as a user's message."""


class ChatModel(EndpointModel):
    """A model behind an endpoint that speaks Chat Completions."""

    api = "chat"
    path = PATH
    reserved = RESERVED

    @staticmethod
    def _build(*arguments: Any) -> dict[str, Any]:
        return request_body(*arguments)

    @staticmethod
    def _read(*arguments: Any) -> ModelReply:
        return read_reply(*arguments)

    async def _watched(self, body: Mapping[str, Any], observer: Observer) -> bytes:
        """Stream the answer, show its text to the observer, and return it as if it had come whole."""
        if "stream_usage" in self._endpoint.provider.sends:
            body = {**body, "stream_options": {"include_usage": True}}
        collected = Collected()

        def take(chunk: dict[str, Any]) -> bool:
            if text := collected.add(chunk):
                observer.text_delta(text)
            return False

        await self._endpoint.watch(PATH, body, take)
        if collected.finish_reason is None:
            raise ModelUnavailable("the model's stream ended before its answer was complete", "cut_off")
        return collected.completion()


def request_body(
    provider: Provider,
    model: str,
    agent: Agent,
    request: TurnRequest,
    added: Sequence[Message],
    origin: str = "",
) -> dict[str, Any]:
    """Return the body of POST /chat/completions."""
    sends = provider.sends
    system = {"role": "developer" if "developer" in sends else "system", "content": instructions(agent)}
    said = dialogue(request, added, origin, provider.keeps_call_ids)
    messages = [each for item in said for each in chat_messages(item, provider)]
    body: dict[str, Any] = {
        "model": model,
        "messages": [system, *(alternated(merged(messages)) if provider.alternating else messages)],
    }
    if offered := [*tools(agent, "strict" in sends), *(tool_of(hand_off_function(p), False) for p in request.peers)]:
        body["tools"] = offered
        if "parallel_tool_calls" in sends:
            body["parallel_tool_calls"] = True
    if "store" in sends:
        # Restate keeps the conversation; the endpoint need not keep a second copy of it.
        body["store"] = False
    if "prompt_cache_key" in sends:
        body["prompt_cache_key"] = request.identity.session_id
    if "metadata" in sends:
        body["metadata"] = {"session": request.identity.session_id, "agent": agent.name}
    return body


@functools.cache
def tools(agent: Agent, strict: bool) -> tuple[dict[str, Any], ...]:
    return tuple(tool_of(function, strict) for function in tool_functions(agent))


def tool_of(function: Function, strict: bool) -> dict[str, Any]:
    described = {"name": function.name, "description": function.description, "parameters": function.parameters}
    return {"type": "function", "function": {**described, "strict": False} if strict else described}


def chat_messages(item: Item, provider: Provider) -> list[dict[str, Any]]:
    match item:
        case Text(role="note", text=text):
            return [note(text, provider)]
        case Text(role=role, text=text):
            return [{"role": role, "content": text}]
        case Result(call_id=call_id, output=output):
            return [{"role": "tool", "tool_call_id": call_id, "content": output}]
        case Answer(parts=parts):
            return [answer_message(parts)]


def note(text: str, provider: Provider) -> dict[str, Any]:
    if provider.notes == "user":
        return {"role": "user", "content": f"{NOTE} {text}"}
    return {"role": provider.notes if "developer" in provider.sends else "system", "content": text}


def answer_message(parts: Sequence[Text | Call | Opaque]) -> dict[str, Any]:
    """One message with the text, the calls, and what the model wants back."""
    text = "".join(part.text for part in parts if isinstance(part, Text))
    calls = [call_of(part) for part in parts if isinstance(part, Call)]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    for part in parts:
        if isinstance(part, Opaque):
            message |= json.loads(part.data)
    if calls:
        message["tool_calls"] = calls
    elif not text:
        message["content"] = ""
    return message


def call_of(call: Call) -> dict[str, Any]:
    kept = json.loads(call.data) if call.data else {}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function, **kept}


def merged(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with texts of one role in a row put into one message."""
    found: list[dict[str, Any]] = []
    for message in messages:
        last = found[-1] if found else None
        if last is not None and plain_text(last) and plain_text(message) and last["role"] == message["role"]:
            found[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            found.append(message)
    return found


def alternated(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages as strict chat templates want them: a user first, an assistant between a result and a user."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant" and not found:
            found.append({"role": "user", "content": BEGINS})
        if message["role"] == "user" and found and found[-1]["role"] == "tool":
            found.append({"role": "assistant", "content": NO_TEXT})
        found.append(message)
    return found


def plain_text(message: Mapping[str, Any]) -> bool:
    return message.keys() == {"role", "content"} and isinstance(message["content"], str)


# The few fields of the API's answer that the loop needs. Endpoints differ in what they leave out or set to null.
class _Function(BaseModel):
    name: str | None = None
    arguments: Any = None


class _Call(BaseModel):
    id: Any = None
    function: _Function = _Function()
    extra_content: Any = None


class _Part(BaseModel):
    text: str | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None

    @property
    def said(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content) or self.refusal or ""
        return self.content or self.refusal or ""


class _Choice(BaseModel):
    message: dict[str, Any]
    finish_reason: Any = None
    index: int | None = 0


class _Completion(BaseModel):
    id: Any = None
    model: Any = None
    choices: list[_Choice]
    error: Any = None
    usage: Any = None


def read_reply(content: bytes, agent: str, model: str = "", origin: str = "", known: Sequence[str] = ()) -> ModelReply:
    """Return the endpoint's answer.

    Raises ModelUnavailable when it is none or was cut off, and ModelRejected when a filter stopped it.
    """
    try:
        completion = _Completion.model_validate_json(content)
        choice = completion.choices[0]
        message = _Message.model_validate(choice.message)
    except (ValidationError, IndexError) as error:
        raise malformed(content, "a chat completion") from error
    usage = read_tokens(completion.usage)
    refuse_unfinished(completion, choice, usage)
    reasoning = tokens(inner(inner(completion.usage, "completion_tokens_details"), "reasoning_tokens"))
    describe_answer(text_or_none(completion.id), text_or_none(completion.model), usage.cached_tokens, reasoning)
    return build_reply(read_parts(choice.message, message), agent, model, origin, usage, known)


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_parts(raw: Mapping[str, Any], message: _Message) -> list[ReadPart]:
    parts = []
    if kept := {name: raw[name] for name in SENT_BACK if raw.get(name)}:
        parts.append(ReadPart(opaque=opaque_json(kept)))
    if message.said:
        parts.append(ReadPart(text=message.said))
    for call in message.tool_calls or ():
        data = {name: value for name in SENT_BACK_OF_CALL if (value := getattr(call, name))}
        parts.append(
            ReadPart(
                name=call.function.name or "",
                arguments=call.function.arguments,
                given_id=call.id if isinstance(call.id, str) else "",
                data=opaque_json(data) if data else "",
            )
        )
    if message.function_call is not None and not message.tool_calls:
        parts.append(ReadPart(name=message.function_call.name or "", arguments=message.function_call.arguments))
    return parts


def read_tokens(usage: Any) -> Usage:
    """Each count by itself: an odd one must not cost the others, nor a good answer."""
    return Usage(
        input_tokens=tokens(inner(usage, "prompt_tokens")),
        output_tokens=tokens(inner(usage, "completion_tokens")),
        cached_tokens=tokens(inner(inner(usage, "prompt_tokens_details"), "cached_tokens")),
    )


def refuse_unfinished(completion: _Completion, choice: _Choice, usage: Usage) -> None:
    if completion.error:
        raise ModelUnavailable(f"the model failed: {completion.error}", "malformed", usage=usage)
    reason = str(choice.finish_reason or "").lower()
    if reason in FILTERED:
        raise ModelRejected("the provider's content filter stopped the answer", "content_filter", "content", usage)
    if reason in UNFINISHED:
        raise ModelUnavailable(f"the model's answer was cut off: {reason}", "cut_off", usage=usage)


@dataclass
class Collected:
    """A streamed answer, put together again."""

    message: dict[str, Any] = field(default_factory=dict)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Any = None
    answer_id: Any = None
    model: Any = None

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take over one chunk; return the text in it."""
        self.answer_id, self.model = chunk.get("id") or self.answer_id, chunk.get("model") or self.model
        self.usage = chunk.get("usage") or self.usage
        if chunk.get("error"):
            raise ModelUnavailable(f"the model's answer broke off: {chunk['error']}", "cut_off")
        choices = chunk.get("choices") or []
        if not choices or not isinstance(choices[0], dict):
            return ""
        self.finish_reason = choices[0].get("finish_reason") or self.finish_reason
        delta = choices[0].get("delta")
        return self._take(delta) if isinstance(delta, dict) else ""

    def _take(self, delta: Mapping[str, Any]) -> str:
        for name, value in delta.items():
            if name == "tool_calls" and isinstance(value, list):
                for position, call in enumerate(value):
                    self._take_call(position, call)
            elif isinstance(value, str) and name != "role":
                self.message[name] = self.message.get(name, "") + value
            elif isinstance(value, list):
                self.message[name] = [*self.message.get(name, []), *value]
            elif value is not None and name != "role":
                self.message[name] = value
        text = delta.get("content")
        return text if isinstance(text, str) else ""

    def _take_call(self, position: int, call: Mapping[str, Any]) -> None:
        index = call.get("index")
        slot = index if isinstance(index, int) else position
        if slot in self.calls and call.get("id") not in (None, "", self.calls[slot].get("id")):
            # Another call under the same index: some servers number none.
            slot = max(self.calls) + 1
        elif not isinstance(index, int) and not call.get("id") and self.calls:
            slot = max(self.calls)
        kept = self.calls.setdefault(slot, {"function": {"arguments": ""}})
        function = call.get("function") or {}
        for name in ("id", "extra_content"):
            if call.get(name):
                kept[name] = call[name]
        if function.get("name"):
            kept["function"]["name"] = function["name"]
        kept["function"]["arguments"] += function.get("arguments") or ""

    def completion(self) -> bytes:
        message = dict(self.message)
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return json.dumps(
            {"id": self.answer_id, "model": self.model, "choices": [choice], "usage": self.usage}
        ).encode()
