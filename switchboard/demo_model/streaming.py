"""A response as the events of the Responses API's streams, word by word. Pure."""

import re
from collections.abc import Iterator
from itertools import count

import orjson

from switchboard.demo_model.wire import JsonObject

WORDS = re.compile(r"\s*\S+\s*")


def stream_events(body: bytes) -> Iterator[bytes]:
    """Yield the events of a 200 response's body, as server-sent events, in the order in which OpenAI sends them."""
    response: JsonObject = orjson.loads(body)
    numbers = count()
    begun = response | {"status": "in_progress", "output": [], "usage": None}
    output = response["output"]
    assert isinstance(output, list)
    events = [
        event("response.created", response=begun),
        event("response.in_progress", response=begun),
        *(each for index, item in enumerate(output) for each in item_events(item, index)),
        event(f"response.{response['status']}", response=response),
    ]
    for each in events:
        data = orjson.dumps(each | {"sequence_number": next(numbers)})
        yield b"event: " + str(each["type"]).encode() + b"\ndata: " + data + b"\n\n"


def event(kind: str, **fields: object) -> JsonObject:
    return {"type": kind, **fields}


def item_events(item: JsonObject, index: int) -> Iterator[JsonObject]:
    """Yield the events of one item of the output."""
    place = {"output_index": index}
    if item["type"] == "message":
        yield event("response.output_item.added", **place, item=item | {"status": "in_progress", "content": []})
        parts = item["content"]
        assert isinstance(parts, list)
        for number, part in enumerate(parts):
            yield from part_events(part, place | {"item_id": item["id"], "content_index": number})
    else:
        yield event("response.output_item.added", **place, item=item | {"status": "in_progress", "arguments": ""})
        arguments = place | {"item_id": item["id"]}
        yield event("response.function_call_arguments.delta", **arguments, delta=item["arguments"])
        yield event(
            "response.function_call_arguments.done", **arguments, name=item["name"], arguments=item["arguments"]
        )
    yield event("response.output_item.done", **place, item=item)


def part_events(part: JsonObject, place: JsonObject) -> Iterator[JsonObject]:
    """Yield the events of a text or a refusal: one for each word."""
    kind = "refusal" if part["type"] == "refusal" else "output_text"
    field = "refusal" if kind == "refusal" else "text"
    more: JsonObject = {"logprobs": []} if kind == "output_text" else {}
    text = str(part[field])
    yield event("response.content_part.added", **place, part=part | {field: ""})
    for word in WORDS.findall(text) or [text]:
        yield event(f"response.{kind}.delta", **place, delta=word, **more)
    yield event(f"response.{kind}.done", **place, **{field: text}, **more)
    yield event("response.content_part.done", **place, part=part)
