"""Checks requests against the providers' own types: of the clients, and of OpenAI's OpenAPI document if it is given."""

import functools
import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from switchboard.models.chat_completions import SENT_BACK

OPENAI_OPENAPI = "OPENAI_OPENAPI"
"""Environment variable with the path of OpenAI's OpenAPI document as JSON (openapi.json of openai/openai-openapi)."""

TYPES: Mapping[str, tuple[str, str]] = {
    "responses": ("openai.types.responses.response_create_params", "ResponseCreateParamsNonStreaming"),
    "chat": ("openai.types.chat.completion_create_params", "CompletionCreateParamsNonStreaming"),
    "messages": ("anthropic.types.message_create_params", "MessageCreateParamsNonStreaming"),
}
"""Modules and names of the clients' types. Each process that collects tests would need seconds to import them."""

COMPONENTS = {"responses": "CreateResponse", "chat": "CreateChatCompletionRequest"}


@functools.cache
def type_of_requests(api: str) -> TypeAdapter[Any]:
    module, name = TYPES[api]
    return TypeAdapter(getattr(importlib.import_module(module), name))


def problems_of_types(api: str, body: Any) -> Iterator[str]:
    """What the client's types do not know about a request, at any depth."""
    try:
        known = whole(type_of_requests(api).validate_python(with_strict(body) if api == "responses" else body))
    except ValidationError as error:
        yield f"the API does not know this request: {error}"
        return
    yield from (f"the API does not know {place}" for place in dropped(body, known) if not sent_back(api, place))


def with_strict(body: Any) -> Any:
    """The request with `strict` in its tools: the types demand it, but the API has a default, and some servers none."""
    tools = [{"strict": None, **tool} if tool["type"] == "function" else tool for tool in body.get("tools", ())]
    return {**body, "tools": tools} if tools else body


def whole(value: Any) -> Any:
    """The value with its iterators read to the end: pydantic checks them no earlier."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [whole(inner) for inner in value]
    return value


def dropped(given: Any, known: Any, place: str = "request") -> Iterator[str]:
    """The places that are not in the value that the types have read: they leave out fields that they do not know."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, inner in given.items():
            if name in known:
                yield from dropped(inner, known[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}"
    elif isinstance(given, list) and isinstance(known, list):
        for index, (inner, other) in enumerate(zip(given, known, strict=True)):
            yield from dropped(inner, other, f"{place}[{index}]")


def sent_back(api: str, place: str) -> bool:
    """Whether a place is one of the fields that other servers than OpenAI's add to Chat Completions and want back."""
    return api == "chat" and place.rpartition(".")[2] in SENT_BACK


def problems_of_document(api: str, body: Any) -> Iterator[str]:
    """What OpenAI's document does not allow in a request. Nothing for an API that is not OpenAI's."""
    if api in COMPONENTS:
        yield from (f"{error.json_path}: {error.message[:500]}" for error in validator(api).iter_errors(body))


@functools.cache
def validator(api: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{COMPONENTS[api]}", "components": document()})


@functools.cache
def document() -> Any:
    return json.loads(Path(os.environ[OPENAI_OPENAPI]).read_text())["components"]
