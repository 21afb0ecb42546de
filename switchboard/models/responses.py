"""OpenAI's Responses API: builds the request, reads the answer."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

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

PATH = "/responses"
COMMENTARY = "commentary"
RESERVED = frozenset({"model", "input", "instructions", "tools", "stream"})
"""Fields that options cannot set."""

UNFINISHED = frozenset({"failed", "cancelled", "incomplete", "in_progress", "queued", "searching"})
"""States of an answer, or of one of its items, that must not reach a customer.

The answer may be cut off, for example in the middle of an amount.
"""

FILTERED = "content_filter"
TEXT_DELTA = "response.output_text.delta"
STREAM_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ResponsesModel(EndpointModel):
    """A model behind an endpoint that speaks the Responses API."""

    api = "responses"
    path = PATH
    reserved = RESERVED

    @staticmethod
    def _build(*arguments: Any) -> dict[str, Any]:
        return request_body(*arguments)

    @staticmethod
    def _read(*arguments: Any) -> ModelReply:
        return read_reply(*arguments)

    async def _watched(self, body: Mapping[str, Any], observer: Observer) -> bytes:
        """Stream the answer, show its text to the observer, and return the answer that the last event holds."""
        answer: list[bytes] = []

        def take(event: dict[str, Any]) -> bool:
            kind = event.get("type")
            if kind == "error":
                raise ModelUnavailable(f"the model's answer broke off: {event.get('message')}", "cut_off")
            if kind == TEXT_DELTA and isinstance(event.get("delta"), str):
                observer.text_delta(event["delta"])
            if kind in STREAM_ENDS:
                answer.append(json.dumps(event["response"]).encode())
            return bool(answer)

        await self._endpoint.watch(PATH, body, take)
        if not answer:
            raise ModelUnavailable("the model's stream ended before its answer was complete", "cut_off")
        return answer[0]


def request_body(
    provider: Provider,
    model: str,
    agent: Agent,
    request: TurnRequest,
    added: Sequence[Message],
    origin: str = "",
) -> dict[str, Any]:
    """Return the body of POST /responses: the agent's instructions, the conversation, and what the agent may call."""
    sends, strict = provider.sends, "strict" in provider.sends
    said = dialogue(request, added, origin, provider.keeps_call_ids)
    body: dict[str, Any] = {
        "model": model,
        "instructions": instructions(agent),
        "input": [each for item in said for each in input_items(item, provider)],
        "tools": [*tools(agent, strict), *(tool_of(hand_off_function(peer), strict) for peer in request.peers)],
    }
    if "parallel_tool_calls" in sends:
        body["parallel_tool_calls"] = True
    if "store" in sends:
        # Restate keeps the conversation; the endpoint need not keep a second copy of it.
        body["store"] = False
    if "encrypted_reasoning" in sends:
        body["include"] = ["reasoning.encrypted_content"]
    if "prompt_cache_key" in sends:
        body["prompt_cache_key"] = request.identity.session_id
    if "metadata" in sends:
        body["metadata"] = {"session": request.identity.session_id, "agent": agent.name}
    return body


@functools.cache
def tools(agent: Agent, strict: bool) -> tuple[dict[str, Any], ...]:
    return tuple(tool_of(function, strict) for function in tool_functions(agent))


def tool_of(function: Function, strict: bool) -> dict[str, Any]:
    described = {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
    }
    # Our schemas have optional fields, which the strict mode forbids; where `strict` is known, its default is true.
    return {**described, "strict": False} if strict else described


def input_items(item: Item, provider: Provider) -> list[dict[str, Any]]:
    """One item of the dialogue as the API's own typed items."""
    match item:
        case Text(role=role, text=text):
            return [message_item(provider.notes if role == "note" else role, text)]
        case Result(call_id=call_id, output=output):
            return [{"type": "function_call_output", "call_id": call_id, "output": output}]
        case Answer(parts=parts):
            return [answer_item(part) for part in with_followers(parts)]


def message_item(role: str, text: str) -> dict[str, Any]:
    # Servers that convert to Chat Completions tell items apart by their type, and refuse one without.
    return {"type": "message", "role": role, "content": text}


def answer_item(part: Text | Call | Opaque) -> dict[str, Any]:
    match part:
        case Text(text=text):
            return message_item("assistant", text)
        case Opaque(data=data):
            kept: dict[str, Any] = json.loads(data)
            return kept
        case Call(call_id=call_id, name=name, arguments=arguments):
            return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def with_followers(parts: Sequence[Text | Call | Opaque]) -> Sequence[Text | Call | Opaque]:
    """The parts without reasoning at the end: the API refuses reasoning that nothing follows."""
    end = len(parts)
    while end and isinstance(last := parts[end - 1], Opaque) and json.loads(last.data).get("type") == "reasoning":
        end -= 1
    return parts[:end]


# The few fields of the API's answer that the loop needs. Endpoints differ in what they leave out or set to null, so
# everything is optional, and what is neither a message nor a call passes unread.
class _Part(BaseModel):
    text: str | None = None
    refusal: str | None = None


class _Message(BaseModel):
    type: Literal["message"]
    status: str | None = None
    phase: str | None = None
    content: list[_Part] | str | None = None

    @property
    def said(self) -> str:
        """The text; a refusal of the model is its text too: the customer should read it."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text or part.refusal or "" for part in self.content or ())


class _Call(BaseModel):
    type: Literal["function_call"]
    status: str | None = None
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: Any = None


class _Response(BaseModel):
    id: str | None = None
    model: str | None = None
    output: list[dict[str, Any]]
    status: str | None = None
    error: Any = None
    incomplete_details: Any = None
    usage: Any = None


def read_reply(content: bytes, agent: str, model: str = "", origin: str = "", known: Sequence[str] = ()) -> ModelReply:
    """Return the endpoint's answer.

    Raises ModelUnavailable when it is none, was cut off or says itself that the model failed, and ModelRejected when a
    filter stopped it.
    """
    try:
        response = _Response.model_validate_json(content)
    except ValidationError as error:
        raise malformed(content, "a response") from error
    usage = read_tokens(response.usage)
    refuse_unfinished(response, usage)
    reasoning = tokens(inner(inner(response.usage, "output_tokens_details"), "reasoning_tokens"))
    describe_answer(response.id, response.model, usage.cached_tokens, reasoning)
    parts = [part for item in response.output if (part := read_item(item, content, usage)) is not None]
    return build_reply(parts, agent, model, origin, usage, known)


def read_tokens(usage: Any) -> Usage:
    """Each count by itself: an odd one must not cost the others, nor a good answer."""
    return Usage(
        input_tokens=tokens(inner(usage, "input_tokens")),
        output_tokens=tokens(inner(usage, "output_tokens")),
        cached_tokens=tokens(inner(inner(usage, "input_tokens_details"), "cached_tokens")),
    )


def refuse_unfinished(response: _Response, usage: Usage) -> None:
    details = response.incomplete_details
    reason = details.get("reason") if isinstance(details, dict) else details
    if reason == FILTERED:
        raise ModelRejected("the provider's content filter stopped the answer", FILTERED, "content", usage)
    if response.error:
        message = response.error.get("message") if isinstance(response.error, dict) else response.error
        raise ModelUnavailable(f"the model failed: {message}", "malformed", usage=usage)
    if response.status in UNFINISHED or reason:
        why = f"the model's answer is {response.status or 'incomplete'}: {reason or 'no reason given'}"
        raise ModelUnavailable(why, "cut_off", usage=usage)


def read_item(item: dict[str, Any], content: bytes, usage: Usage) -> ReadPart | None:
    """One item of the answer; None for an item that is not needed."""
    kind = item.get("type")
    if kind in ("message", "function_call") and str(item.get("status")) in UNFINISHED:
        raise ModelUnavailable(f"a part of the model's answer is {item['status']}", "cut_off", usage=usage)
    try:
        if kind == "message":
            message = _Message.model_validate(item)
            kept = opaque_json(item) if message.phase else ""
            return ReadPart(opaque=kept, text=message.said, commentary=message.phase == COMMENTARY)
        if kind == "function_call":
            call = _Call.model_validate(item)
            return ReadPart(name=call.name or "", arguments=call.arguments, given_id=call.call_id or call.id or "")
    except ValidationError as error:
        raise malformed(content, "a response") from error
    if kind == "reasoning":
        return ReadPart(opaque=opaque_json(item))
    return None
