"""Parses requests and builds responses of the Responses API. Makes no decisions."""

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from switchboard.words import SENT, unmark

# Rule of thumb for English. There is no tokenizer here, and usage only has to be plausible.
BYTES_PER_TOKEN = 4
CALL_ID_HEX_CHARS = 24

JsonObject = dict[str, object]
T = TypeVar("T")


class ApiError(Exception):
    """An error response in OpenAI's format: HTTP status, `message`, `type`, `code` and `param`."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind or ("server_error" if status >= 500 else "invalid_request_error")

    def body(self) -> bytes:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Output:
    call_id: str
    text: str


Item = Message | Call | Output


@dataclass(frozen=True, slots=True)
class Request:
    """One `POST /v1/responses`, as rules, scripts and recordings see it."""

    model: str
    instructions: str
    items: tuple[Item, ...]
    tools_json: bytes
    metadata: Mapping[str, str]
    cache_key: str | None
    calls_allowed: bool
    parallel_calls: bool
    size_bytes: int
    echo: JsonObject
    streams: bool = False

    @property
    def session(self) -> str:
        """The conversation's id, or "" if the request has none."""
        return self.metadata.get("session") or self.cache_key or ""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A function call in a reply. `arguments` is raw JSON text, which a fault may have made invalid.

    Without a `call_id`, one is derived from the call's position.
    """

    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's reply: a text, calls, both, a refusal, or nothing."""

    text: str = ""
    calls: tuple[NewCall, ...] = ()
    refusal: str = ""
    incomplete: bool = False
    latency_ms: int = field(default=0, compare=False)


def read_request(body: bytes) -> Request:
    """Parse a request. Raises ApiError (400) with the invalid parameter."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}.", code="invalid_json") from error
    if not isinstance(data, dict):
        raise ApiError(400, "The request body must be a JSON object.", code="invalid_type")
    _reject_unsupported(data)
    tools = _optional(data, "tools", list, [])
    items = _read_input(data.get("input"))
    _check_pairs(items)
    return Request(
        model=_required_text(data, "model"),
        instructions=_optional(data, "instructions", str, ""),
        items=items,
        tools_json=orjson.dumps(tools),
        metadata=_read_metadata(data),
        cache_key=_optional(data, "prompt_cache_key", str, "") or None,
        calls_allowed=data.get("tool_choice") != "none",
        parallel_calls=data.get("parallel_tool_calls") is not False,
        size_bytes=len(body),
        echo=data,
        streams=_optional(data, "stream", bool, False),
    )


def _reject_unsupported(data: JsonObject) -> None:
    for name in ("previous_response_id", "conversation"):
        if data.get(name) is not None:
            raise ApiError(
                400,
                f"This server keeps no state. Send the whole `input` instead of `{name}`.",
                param=name,
                code="unsupported",
            )


def _required_text(data: JsonObject, name: str) -> str:
    value = data.get(name)
    if isinstance(value, str) and value:
        return value
    raise ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _optional(data: JsonObject, name: str, kind: type[T], default: T) -> T:
    value = data.get(name)
    if value is None:
        return default
    if isinstance(value, kind):
        return value
    raise ApiError(400, f"Invalid type for '{name}': expected {kind.__name__}.", param=name, code="invalid_type")


def _read_metadata(data: JsonObject) -> dict[str, str]:
    metadata = _optional(data, "metadata", dict, {})
    if all(isinstance(value, str) for value in metadata.values()):
        return metadata
    raise ApiError(400, "Every value of 'metadata' must be a string.", param="metadata", code="invalid_type")


def _read_input(value: object) -> tuple[Item, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if not isinstance(value, list):
        raise ApiError(
            400, "'input' must be a string or a list of items.", param="input", code="missing_required_parameter"
        )
    return tuple(item for i, raw in enumerate(value) if (item := _read_item(raw, f"input[{i}]")))


def _read_item(raw: object, where: str) -> Item | None:
    """Parse one input item. Returns None for kinds without content to read, such as reasoning."""
    if not isinstance(raw, dict):
        raise ApiError(400, f"{where} must be an object.", param=where, code="invalid_type")
    kind = raw.get("type", "message")
    if kind == "message":
        return _message(_item_text(raw, "role", where), _content_text(raw.get("content"), f"{where}.content"))
    if kind == "function_call":
        return Call(*(_item_text(raw, name, where) for name in ("call_id", "name", "arguments")))
    if kind == "function_call_output":
        return Output(_item_text(raw, "call_id", where), unmark(_content_text(raw.get("output"), f"{where}.output")))
    return None


def _message(role: str, text: str) -> Message:
    """Return a message without marks of other people's words. The record of a service's message counts as a reply."""
    sent = text.removeprefix(f"{SENT}\n")
    return Message(role if sent == text else "assistant", unmark(sent))


def _item_text(raw: JsonObject, name: str, where: str) -> str:
    value = raw.get(name)
    if isinstance(value, str):
        return value
    param = f"{where}.{name}"
    raise ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def _content_text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ApiError(400, f"'{where}' must be a string or a list of parts.", param=where, code="invalid_type")
    parts = (part.get("text") or part.get("refusal") for part in content if isinstance(part, dict))
    return "\n".join(part for part in parts if isinstance(part, str))


def _check_pairs(items: tuple[Item, ...]) -> None:
    """Raise ApiError for a call without output and for an output without a call, as OpenAI's API does."""
    calls = {item.call_id for item in items if isinstance(item, Call)}
    outputs = {item.call_id for item in items if isinstance(item, Output)}
    for call_id in sorted(calls - outputs):
        raise ApiError(400, f"No tool output found for function call {call_id}.", param="input")
    for call_id in sorted(outputs - calls):
        raise ApiError(400, f"No tool call found for function call output with call_id {call_id}.", param="input")


def build_response(request: Request, reply: Reply) -> bytes:
    """Build the body of a 200 response: a Response object of the API."""
    output = _output_items(request, reply)
    echo = request.echo
    return orjson.dumps(
        {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "incomplete" if reply.incomplete else "completed",
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if reply.incomplete else None,
            "instructions": request.instructions or None,
            "max_output_tokens": echo.get("max_output_tokens"),
            "metadata": request.metadata,
            "model": request.model,
            "output": output,
            "parallel_tool_calls": request.parallel_calls,
            "previous_response_id": None,
            "prompt_cache_key": request.cache_key,
            "reasoning": echo.get("reasoning") or {"effort": None, "summary": None},
            "store": False,
            "temperature": echo.get("temperature", 1.0),
            "text": echo.get("text") or {"format": {"type": "text"}},
            "tool_choice": echo.get("tool_choice") or "auto",
            "tools": orjson.Fragment(request.tools_json),
            "top_p": echo.get("top_p", 1.0),
            "truncation": echo.get("truncation") or "disabled",
            "usage": _usage(request.size_bytes, len(orjson.dumps(output)) if output else 0),
            "user": echo.get("user"),
        }
    )


def _usage(input_bytes: int, output_bytes: int) -> JsonObject:
    input_tokens, output_tokens = input_bytes // BYTES_PER_TOKEN, output_bytes // BYTES_PER_TOKEN
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


def _output_items(request: Request, reply: Reply) -> list[JsonObject]:
    status = "incomplete" if reply.incomplete else "completed"
    items: list[JsonObject] = []
    if reply.text or reply.refusal:
        part: JsonObject = (
            {"type": "refusal", "refusal": reply.refusal}
            if reply.refusal
            else {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        )
        items.append(
            {
                "id": f"msg_{uuid.uuid4().hex}",
                "type": "message",
                "role": "assistant",
                "status": status,
                "content": [part],
            }
        )
    for offset, call in enumerate(reply.calls):
        items.append(
            {
                "id": f"fc_{uuid.uuid4().hex}",
                "type": "function_call",
                "status": status,
                "call_id": call.call_id or call_id(len(request.items) + offset, call.name),
                "name": call.name,
                "arguments": call.arguments,
            }
        )
    return items


def call_id(position: int, name: str) -> str:
    """Return the id of a call at this position of a conversation. It is the same when a request is retried."""
    digest = hashlib.blake2b(f"{position}:{name}".encode(), digest_size=CALL_ID_HEX_CHARS // 2)
    return f"call_{digest.hexdigest()}"
