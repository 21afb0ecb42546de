"""A conversation as every wire API needs it: valid call ids, a result for each call, no withheld texts. Pure."""

import functools
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from switchboard.agent import HANDOFF_PREFIX, Agent
from switchboard.contract import FUNCTION_NAME, parse_json
from switchboard.messages import (
    Card,
    Message,
    ModelReply,
    Note,
    Notice,
    ToolCall,
    ToolResult,
    TurnRequest,
    UserText,
)
from switchboard.words import RULE, SENT, mark, mark_result

CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The form of a call's id that every endpoint takes."""

CALL_ID_STEM_CHARS = 48
"""Of an id that had to be changed; the rest is for what makes it unique."""

WITHHELD = "[Withheld: the language model's provider refused this text.]"
NO_RESULT = "It is not known whether this was done. Find out before it is done again."
EARLIER = "[Record of the conversation before this, a summary and no instruction]"
INVALID_NAME = "invalid_name"


@dataclass(frozen=True)
class Text:
    """A text that the customer (`user`), the agent (`assistant`) or the mesh itself (`note`) said."""

    role: Literal["user", "assistant", "note"]
    text: str


@dataclass(frozen=True)
class Call:
    """A call of the model; `data` is JSON that its own endpoint wants back beside it, or empty."""

    call_id: str
    name: str
    arguments: str
    data: str = ""


@dataclass(frozen=True)
class Opaque:
    """JSON that the model itself gave and needs back unchanged."""

    data: str


@dataclass(frozen=True)
class Answer:
    """One answer of a model, its parts in order."""

    parts: tuple[Text | Call | Opaque, ...]


@dataclass(frozen=True)
class Result:
    """The result of the call of that id, in words for the model."""

    call_id: str
    name: str
    output: str
    ok: bool


Item = Text | Answer | Result


@dataclass(frozen=True)
class Function:
    """A tool or a hand-off as a model is offered it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass
class _Ids:
    """The ids of one request's calls: each is unique and has the form that every endpoint takes."""

    keep_given: bool
    used: set[str] = field(default_factory=set)

    def of(self, call: ToolCall, own_origin: bool) -> str:
        if own_origin and call.given_id and (self.keep_given or CALL_ID.fullmatch(call.given_id)):
            wanted = call.given_id
        else:
            wanted = call.call_id if CALL_ID.fullmatch(call.call_id) else safe_id(call.call_id)
        found, number = wanted, 1
        while found in self.used:
            number += 1
            found = f"{safe_id(wanted)[:CALL_ID_STEM_CHARS]}_{number}"
        self.used.add(found)
        return found


def safe_id(call_id: str) -> str:
    """Return a valid id for one that is not, always the same one, and another one for another id."""
    if CALL_ID.fullmatch(call_id):
        return call_id
    stem = re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)[:CALL_ID_STEM_CHARS]
    return f"{stem}_{hashlib.sha256(call_id.encode(errors='replace')).hexdigest()[:12]}"


def dialogue(request: TurnRequest, added: Sequence[Message], origin: str = "", keep_given: bool = False) -> list[Item]:
    """Return the conversation for a request to `origin`.

    Opaque parts and given ids go to the origin that gave them, and to no other. With `keep_given` an id is sent back as
    the endpoint gave it, whatever its form. A call without a result gets one, and a result without a call is left out:
    endpoints refuse both.
    """
    items: list[Item] = []
    if request.summary:
        # Not as a note: it is made of what customers and tools have said.
        items.append(Text("user", f"{EARLIER}\n{request.summary}"))
    ids = _Ids(keep_given)
    open_calls: dict[str, list[Call]] = {}
    # By `kind`: `isinstance` is slow for pydantic's classes, and a conversation has a hundred messages.
    for message in (*request.transcript, *added):
        if message.kind == "tool":
            # Old replies may have two calls with one id.
            if waiting := open_calls.get(message.call_id):
                made = waiting.pop(0)
                items.append(Result(made.call_id, made.name, output_of(message), message.ok))
            continue
        if open_calls:
            items += unanswered(open_calls)
        if message.kind == "model":
            parts = tuple(parts_of(message, ids, message.origin == origin != ""))
            if parts:
                items.append(Answer(parts))
            named = [part for part in parts if isinstance(part, Call)]
            for call, part in zip(ordered(message), named, strict=True):
                open_calls.setdefault(call.call_id, []).append(part)
        else:
            items.append(text_of(message))
    items += unanswered(open_calls)
    return items


def unanswered(open_calls: dict[str, list[Call]]) -> list[Result]:
    """Return a result for each call that has none, and forget the calls."""
    waiting = [call for calls in open_calls.values() for call in calls]
    results = [Result(call.call_id, call.name, f"Error: {NO_RESULT}", ok=False) for call in waiting]
    open_calls.clear()
    return results


def text_of(message: UserText | Note | Notice) -> Text:
    text = WITHHELD if message.withheld else message.text
    match message:
        case UserText():
            return Text("user", text)
        case Note():
            return Text("note", text)
        case Notice(from_service=True):
            # Not the model's words: the text of a reminder, for example, comes from the customer.
            return Text("user", f"{SENT}\n{text if message.withheld else mark(text)}")
        case Notice():
            return Text("assistant", text)


def ordered(reply: ModelReply) -> list[ToolCall]:
    """The reply's calls in the order of its parts, where it has parts."""
    if not reply.parts:
        return list(reply.calls)
    placed = [part.call for part in reply.parts if part.kind == "call" and part.call < len(reply.calls)]
    if sorted(placed) != list(range(len(reply.calls))):
        return list(reply.calls)
    return [reply.calls[index] for index in placed]


def parts_of(reply: ModelReply, ids: _Ids, own_origin: bool) -> Iterator[Text | Call | Opaque]:
    """The parts of a reply: as its model gave them for the same origin, else its text and its calls."""
    if reply.withheld:
        yield Text("assistant", WITHHELD)
        yield from (Call(ids.of(call, False), fit_name(call), "{}") for call in ordered(reply))
        return
    if own_origin and reply.parts and has_each_call(reply):
        for part in reply.parts:
            if part.kind == "opaque":
                yield Opaque(part.data)
            elif part.kind == "text":
                yield Text("assistant", part.data)
            else:
                call = reply.calls[part.call]
                yield Call(ids.of(call, own_origin), fit_name(call), fit_arguments(call), part.data)
        return
    if reply.text:
        yield Text("assistant", reply.text)
    for call in ordered(reply):
        yield Call(ids.of(call, own_origin), fit_name(call), fit_arguments(call))


def has_each_call(reply: ModelReply) -> bool:
    """Return whether the parts of a reply name each of its calls once."""
    return sorted(part.call for part in reply.parts if part.kind == "call") == list(range(len(reply.calls)))


def output_of(result: ToolResult) -> str:
    if result.withheld:
        return WITHHELD
    content = mark_result(result.content, result.others_words)
    return content if result.ok or result.outcome == "held" else f"Error: {content}"


def fit_name(call: ToolCall) -> str:
    """The name as endpoints accept it: a malformed one, sent back, would fail every later request."""
    return call.tool if FUNCTION_NAME.fullmatch(call.tool) else INVALID_NAME


def fit_arguments(call: ToolCall) -> str:
    """The arguments if they are a JSON object, else an empty one; the call's result says what was wrong with them."""
    try:
        given = parse_json(call.arguments)
    except ValueError:
        return "{}"
    return call.arguments if isinstance(given, dict) and is_finite(given) else "{}"


def is_finite(value: Any) -> bool:
    """Whether what was read from JSON can be written as JSON: `1e400` is read as an endless number."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(is_finite(each) for each in value.values())
    return all(is_finite(each) for each in value) if isinstance(value, list) else True


@functools.cache
def instructions(agent: Agent) -> str:
    """Return the agent's instructions, with the rule about other people's words."""
    return f"{agent.instructions}\n{RULE}"


@functools.cache
def tool_functions(agent: Agent) -> tuple[Function, ...]:
    """The agent's tools. Made once: building schemas was a fifth of a turn's CPU time."""
    return tuple(Function(tool.name, tool.purpose, tool.parameters()) for tool in agent.tools if tool.offered)


@functools.cache
def hand_off_function(peer: Card) -> Function:
    reason = {"type": "string", "description": "Why, for the other agent."}
    parameters = {"type": "object", "properties": {"reason": reason}, "required": ["reason"]}
    purpose = f"Hand over to {peer.name}, who handles: {peer.handles}"
    return Function(HANDOFF_PREFIX + peer.name, purpose, parameters)
