"""A model whose every word is the time at which it was sent, in nanoseconds of the machine's monotonic clock.

`python -m bench.clock_model` serves the Responses API on PORT: CLOCK_WORDS words, one every CLOCK_WORD_MS milliseconds,
the first one CLOCK_FIRST_WORD_MS milliseconds after the request.
"""

import asyncio
import json
import os
import time
from typing import Any

import uvloop
from aiohttp import web

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 200,
}


WORD_HERE = "<word>"


def response(text: str, status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "clock",
        "output": [item] if text else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE,
    }


async def answer(request: web.Request) -> web.StreamResponse:
    words, word_s, first_s = int(os.environ["CLOCK_WORDS"]), seconds("CLOCK_WORD_MS"), seconds("CLOCK_FIRST_WORD_MS")
    asked = await request.json()
    if not asked.get("stream"):
        await asyncio.sleep(words * word_s)
        return web.json_response(response("done"))
    stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await stream.prepare(request)

    async def send(kind: str, **fields: Any) -> None:
        await stream.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())

    await send("response.created", response=response("", "in_progress"))
    text, place = "", {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    kind = "response.output_text.delta"
    # Made once: the model takes its time from the same cores as what is measured.
    begins, ends = json.dumps({"type": kind, "logprobs": [], **place, "delta": WORD_HERE}).split(WORD_HERE)
    begin = time.monotonic() + first_s
    for number in range(words):
        await asyncio.sleep(max(begin + number * word_s - time.monotonic(), 0))
        word = f"{time.monotonic_ns()} "
        text += word
        await stream.write(f"event: {kind}\ndata: {begins}{word}{ends}\n\n".encode())
    await send("response.completed", response=response(text))
    await stream.write_eof()
    return stream


def seconds(name: str) -> float:
    """Return a setting in milliseconds."""
    return float(os.environ[name]) / 1000


async def healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def main() -> None:
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/v1/responses", answer)
    app.router.add_get("/health", healthy)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, loop=loop)


if __name__ == "__main__":
    main()
