"""HTTP server: the model API and the control API under /demo, as a plain ASGI application."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from switchboard.demo_model.engine import Answer, Engine, NoAnswer
from switchboard.demo_model.faults import FaultKind, FormatError, parse_faults, whole_number
from switchboard.demo_model.hangup import close_connection
from switchboard.demo_model.recordings import parse_recordings
from switchboard.demo_model.script import parse_script
from switchboard.demo_model.settings import LATENCY_MAX_MS
from switchboard.demo_model.streaming import stream_events
from switchboard.demo_model.wire import ApiError, JsonObject
from switchboard.web_pages import OwnPages

BODY_MAX_BYTES = 32 * 1024 * 1024
SILENCE_MAX_S = 600
MODEL_NAME = "demo-model"

# ASGI has no narrower types.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Engine, bytes, dict[str, list[str]]], JsonObject]

_JSON_HEADER = (b"content-type", b"application/json")
_STREAM_HEADER = (b"content-type", b"text/event-stream; charset=utf-8")
DELTA = b"_text.delta"
"""In the events of words."""


def create_app(engine: Engine, pages: OwnPages | None = None) -> App:
    """Return the ASGI application that serves `engine`. Web pages that `pages` does not know are refused."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            _refuse_web_page(scope, pages)
            body = await _read_body(receive)
            if scope["path"] == "/v1/responses" and scope["method"] == "POST":
                answer = await engine.answer(body)
            else:
                answer = _control(engine, scope, body)
        except ApiError as error:
            answer = Answer(error.status, error.body())
        except NoAnswer as fault:
            await _send_nothing(fault.kind, engine, scope, receive)
            return
        if answer.streams:
            await _send_stream(send, engine, answer, scope)
        else:
            await _send_answer(send, answer)

    return app


def _refuse_web_page(scope: Scope, pages: OwnPages | None) -> None:
    headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    if pages is not None and (reason := pages.refusal(headers)):
        raise ApiError(403, reason, code="web_page")


async def _read_body(receive: Receive) -> bytes:
    event = await receive()
    body: bytes = event.get("body", b"")
    if not event.get("more_body"):
        return body
    chunks, size = [body], len(body)
    while event.get("more_body"):
        event = await receive()
        chunks.append(event.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_MAX_BYTES:
            raise ApiError(413, f"The request body is longer than {BODY_MAX_BYTES} bytes.", code="too_large")
    return b"".join(chunks)


async def _send_answer(send: Send, answer: Answer) -> None:
    headers = [_JSON_HEADER, (b"content-length", str(len(answer.body)).encode())]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(send: Send, engine: Engine, answer: Answer, scope: Scope) -> None:
    """Send the response as events, one word after the other."""
    events = list(stream_events(answer.body))
    await send({"type": "http.response.start", "status": answer.status, "headers": [_STREAM_HEADER]})
    for index, event in enumerate(events):
        if answer.breaks_off and index > len(events) // 2:
            close_connection(scope["client"])
            return
        await send({"type": "http.response.body", "body": event, "more_body": True})
        if DELTA in event:
            await engine.pause(engine.word_ms)
    await send({"type": "http.response.body", "body": b""})


async def _send_nothing(kind: FaultKind, engine: Engine, scope: Scope, receive: Receive) -> None:
    """Close the connection without a response.

    A timeout fault waits first: until the client disconnects, the server stops, or SILENCE_MAX_S have passed.
    """
    if kind is FaultKind.TIMEOUT:
        disconnected = asyncio.ensure_future(receive())
        stopping = asyncio.ensure_future(engine.stopping.wait())
        _, pending = await asyncio.wait(
            [disconnected, stopping], timeout=SILENCE_MAX_S, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
    close_connection(scope["client"])


def _control(engine: Engine, scope: Scope, body: bytes) -> Answer:
    """Answer a request to any other path than the model's. These requests are rare and small."""
    method, path = scope["method"], scope["path"]
    handler = _ROUTES.get((method, path))
    if handler is None:
        known = any(path == route for _, route in _ROUTES) or path == "/v1/responses"
        raise ApiError(405 if known else 404, f"Unknown request URL: {method} {path}.", code="unknown_url")
    query = parse_qs(scope["query_string"].decode("latin-1"))
    try:
        return Answer(200, orjson.dumps(handler(engine, body, query)))
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}.", code="invalid_json") from error
    except FormatError as error:
        raise ApiError(400, f"{error}.", code="invalid_value") from error


def _health(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    return {"status": "ok", "mode": engine.mode}


def _models(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    model = {"id": MODEL_NAME, "object": "model", "created": 0, "owned_by": "switchboard"}
    return {"object": "list", "data": [model]}


def _put_faults(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.faults.replace(parse_faults(orjson.loads(body)))
    return _faults(engine, body, query)


def _delete_faults(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.faults.replace([])
    return _faults(engine, body, query)


def _faults(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    return {"faults": engine.faults.as_json()}


def _put_script(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.use_script(parse_script(orjson.loads(body)))
    return {"mode": engine.mode}


def _delete_script(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.drop_script()
    return {"mode": engine.mode}


def _put_recordings(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.use_recordings(parse_recordings(orjson.loads(body)))
    return {"mode": engine.mode}


def _delete_recordings(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.drop_recordings()
    return {"mode": engine.mode}


def _put_latency(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    raw = orjson.loads(body)
    engine.latency_ms = whole_number(raw.get("ms") if isinstance(raw, dict) else None, "ms", highest=LATENCY_MAX_MS)
    return {"ms": engine.latency_ms}


def _requests(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    session, full = query.get("session", [""])[0], query.get("full") == ["1"]
    return {"requests": list(engine.recorder.as_json(session, full))}


def _delete_requests(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    engine.recorder.clear()
    return {"count": engine.recorder.count}


def _count(engine: Engine, body: bytes, query: dict[str, list[str]]) -> JsonObject:
    return {"count": engine.recorder.count}


_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/health"): _health,
    ("GET", "/v1/models"): _models,
    ("GET", "/demo/faults"): _faults,
    ("PUT", "/demo/faults"): _put_faults,
    ("DELETE", "/demo/faults"): _delete_faults,
    ("PUT", "/demo/script"): _put_script,
    ("DELETE", "/demo/script"): _delete_script,
    ("PUT", "/demo/recordings"): _put_recordings,
    ("DELETE", "/demo/recordings"): _delete_recordings,
    ("PUT", "/demo/latency"): _put_latency,
    ("GET", "/demo/requests"): _requests,
    ("DELETE", "/demo/requests"): _delete_requests,
    ("GET", "/demo/count"): _count,
}
