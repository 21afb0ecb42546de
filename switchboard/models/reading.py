"""Reads what a model meant: strict on meaning, lenient on form. Pure, but for the ids that new calls get."""

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace

from switchboard.contract import FUNCTION_NAME, parse_json
from switchboard.messages import ModelReply, Part, ToolCall, Usage
from switchboard.models.model import ModelUnavailable

REPLY_MAX_BYTES = 1024 * 1024
"""A longer answer is taken for a malformed one: a customer reads none of that size, and it would be journaled."""

OPAQUE_MAX_BYTES = 64 * 1024
"""Of one answer. Encrypted reasoning is 1.6 kB on average and was 16 kB at most."""

DOUBLE_ENCODED_MAX = 2
"""How often JSON inside a JSON string is unpacked."""

TOKENS_MAX = 100_000_000
"""Of one answer; more is no count, and would end a session's budget for good."""

SHOWN_CHARS = 200
"""Of a malformed answer in an error message."""

FENCE = re.compile(r"\A```[a-zA-Z]*\s*\n(.*?)\n?\s*```\Z", re.DOTALL)
CONTROL_TOKEN = re.compile(r"<\|.*", re.DOTALL)
NAME_PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "default_api:")
CALL_MARKS = (
    re.compile(r"\A<tool_call>\s*(.*?)\s*</tool_call>\Z", re.DOTALL),
    re.compile(r"\A<function_call>\s*(.*?)\s*</function_call>\Z", re.DOTALL),
    re.compile(r"\A\[TOOL_CALLS\]\s*(.*)\Z", re.DOTALL),
    re.compile(r"\A<\|python_tag\|>\s*(.*)\Z", re.DOTALL),
    FENCE,
)


@dataclass(frozen=True)
class ReadPart:
    """One part of an answer as a wire API's module has read it.

    `opaque` is JSON to send back unchanged. `text` is for the customer unless `commentary`. A call has a `name`.
    """

    opaque: str = ""
    text: str = ""
    commentary: bool = False
    name: str | None = None
    arguments: Any = None
    given_id: str = ""
    data: str = ""


def build_reply(
    parts: Sequence[ReadPart], agent: str, model: str, origin: str, usage: Usage, known: Iterable[str]
) -> ModelReply:
    """Return a reply of these parts. `known` are the names that the model may call.

    The text is the final answer's. Commentary is the text only beside calls: by itself it does not end a turn.
    """
    names = frozenset(known)
    calls = [part for part in parts if part.name is not None]
    final = "".join(part.text for part in parts if not part.commentary)
    if not calls and (called := calls_in_text(final, names)):
        parts = [*(part for part in parts if not part.text), *called]
        calls, final = list(called), ""
    text = final or ("".join(part.text for part in parts) if calls else "")
    kept = kept_parts(parts)
    return ModelReply(
        agent=agent,
        model=model,
        origin=origin,
        text=text,
        calls=tuple(
            ToolCall(
                call_id=new_call_id(),
                tool=clean_name(call.name or "", names),
                arguments=arguments_text(call.arguments),
                given_id=call.given_id[:OPAQUE_MAX_BYTES],
            )
            for call in calls
        ),
        usage=usage,
        parts=kept,
    )


def kept_parts(parts: Sequence[ReadPart]) -> tuple[Part, ...]:
    """The order of the parts, if there is anything that the model needs back; empty when that is too large to keep."""
    size = sum(len(part.opaque.encode()) + len(part.data.encode()) for part in parts)
    if not 0 < size <= OPAQUE_MAX_BYTES:
        return ()
    kept: list[Part] = []
    calls = 0
    for part in parts:
        if part.opaque:
            kept.append(Part(kind="opaque", data=part.opaque))
        elif part.name is not None:
            kept.append(Part(kind="call", call=calls, data=part.data))
            calls += 1
        elif part.text:
            kept.append(Part(kind="text", data=part.text))
    return tuple(kept)


def new_call_id() -> str:
    """Return an id for a call. It is drawn inside a journaled model call, so that a replay finds the same one."""
    return f"call_{uuid.uuid4().hex[:24]}"


def clean_name(name: str, known: frozenset[str]) -> str:
    """Return the tool's name without a control token or a namespace that the model let slip, where that is a tool."""
    if name in known:
        return name
    cleaned = CONTROL_TOKEN.sub("", name).strip().strip("\"'`").removesuffix("()").strip()
    for prefix in NAME_PREFIXES:
        cleaned = cleaned.removeprefix(prefix)
    return cleaned if cleaned in known else name


def arguments_text(arguments: Any) -> str:
    """Return the arguments as the text of a JSON object, where they are one in another dress; else as they are."""
    if arguments is None:
        return ""
    if not isinstance(arguments, str):
        return json.dumps(arguments, ensure_ascii=False)
    text = CONTROL_TOKEN.sub("", arguments).strip() if not is_object(arguments) else arguments
    if fenced := FENCE.match(text):
        text = fenced[1]
    for _ in range(DOUBLE_ENCODED_MAX):
        inner = parsed(text)
        if not isinstance(inner, str):
            break
        text = inner
    return text if is_object(text) else arguments


def is_object(text: str) -> bool:
    return isinstance(parsed(text), dict)


def parsed(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return None


def calls_in_text(text: str, known: frozenset[str]) -> tuple[ReadPart, ...]:
    """Return the calls of an answer whose text is nothing but calls, as models write them that were not trained to.

    Each has to name a tool that exists: any other text is an answer.
    """
    stripped = text.strip()
    for mark in CALL_MARKS:
        if found := mark.match(stripped):
            stripped = found[1].strip()
            break
    given = parsed(stripped)
    candidates = given if isinstance(given, list) else [given]
    calls = [call_in(candidate, known) for candidate in candidates]
    found_calls = tuple(call for call in calls if call is not None)
    return found_calls if len(found_calls) == len(candidates) else ()


def call_in(candidate: Any, known: frozenset[str]) -> ReadPart | None:
    """Read `{"name": …, "arguments": …}` in its usual spellings; None for anything else."""
    if not isinstance(candidate, dict):
        return None
    inner = candidate.get("function")
    if isinstance(inner, dict):
        candidate = inner
    name = next((candidate[key] for key in ("name", "tool", "function") if isinstance(candidate.get(key), str)), None)
    arguments = next((candidate[key] for key in ("arguments", "parameters", "args", "input") if key in candidate), None)
    if name is None or arguments is None or not isinstance(arguments, dict | str):
        return None
    cleaned = clean_name(name, known)
    if cleaned not in known or not FUNCTION_NAME.fullmatch(cleaned):
        return None
    return ReadPart(name=cleaned, arguments=arguments)


def opaque_json(value: Any) -> str:
    """Return JSON to send back unchanged; empty when it holds a number that no JSON can, such as an endless one."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return ""


def refuse_long(content: bytes) -> None:
    """Raise ModelUnavailable for an answer that is too long to be one."""
    if len(content) > REPLY_MAX_BYTES:
        raise ModelUnavailable(
            f"the model's answer has {len(content)} bytes, at most {REPLY_MAX_BYTES} are accepted", "malformed"
        )


def malformed(content: bytes, what: str) -> ModelUnavailable:
    return ModelUnavailable(f"the endpoint's answer is not {what}: {content[:SHOWN_CHARS]!r}", "malformed")


def tokens(value: Any) -> int:
    """Return a count of tokens that can be added up: endpoints send null, -1 or a fraction for unknown ones."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(max(value, 0), TOKENS_MAX))


def inner(value: Any, name: str) -> Any:
    """Return a field of an object; None where there is no such field, or no object."""
    return value.get(name) if isinstance(value, dict) else None


def describe_answer(answer_id: str | None, model: str | None, cached: int | None, reasoning: int | None) -> None:
    """Add to the span of the call, if there is one, what only the answer says."""
    attributes = {
        "gen_ai.response.id": answer_id,
        "gen_ai.response.model": model,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.reasoning.output_tokens": reasoning,
    }
    span = trace.get_current_span()
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
