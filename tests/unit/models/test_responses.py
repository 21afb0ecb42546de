"""The model adapter: what is sent, what is read, and which failures may pass."""

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from switchboard import Agent, NoInput, Tool
from switchboard.messages import (
    Card,
    Identity,
    ModelReply,
    Note,
    Notice,
    ToolCall,
    ToolResult,
    TurnRequest,
    Usage,
    UserText,
    WireModel,
)
from switchboard.models.endpoint import classify, parse_retry_after
from switchboard.models.model import ModelRejected, ModelUnavailable
from switchboard.models.providers import COMPATIBLE, PROVIDERS
from switchboard.models.responses import read_reply, request_body


class Done(WireModel):
    done: bool


AGENT = Agent(
    name="Bank",
    handles="money",
    instructions="Help.",
    tools=(Tool("Accounts", "get_balance", "The balance.", NoInput, Done),),
)
REQUEST = TurnRequest(
    identity=Identity(session_id="s-1", customer_id="alice"),
    transcript=(
        UserText(text="balance?"),
        ModelReply(
            agent="Bank", text="One moment.", calls=(ToolCall(call_id="c1", tool="get_balance", arguments="{}"),)
        ),
        ToolResult(call_id="c1", ok=False, content="the bank is closed"),
        Note(text="go on"),
        Notice(text="sorry"),
        UserText(text="again"),
    ),
    peers=(Card(name="Airline", handles="flights"),),
)


def body() -> dict[str, Any]:
    return request_body(PROVIDERS["openai"], "gpt-x", AGENT, REQUEST, [])


def test_the_transcript_goes_back_as_typed_items() -> None:
    assert body()["input"] == [
        {"type": "message", "role": "user", "content": "balance?"},
        {"type": "message", "role": "assistant", "content": "One moment."},
        {"type": "function_call", "call_id": "c1", "name": "get_balance", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Error: the bank is closed"},
        {"type": "message", "role": "developer", "content": "go on"},
        {"type": "message", "role": "assistant", "content": "sorry"},
        {"type": "message", "role": "user", "content": "again"},
    ]


def test_body_for_unknown_endpoint_has_no_optional_field_or_role() -> None:
    careful = request_body(COMPATIBLE, "m", AGENT, REQUEST, [])
    assert careful.keys() == {"model", "instructions", "input", "tools"}
    assert {item.get("role") for item in careful["input"]} <= {"user", "assistant", "system", None}
    assert all("strict" not in tool for tool in careful["tools"])


def test_the_body_is_what_the_api_declares() -> None:
    """The low-level call drops the client's own types, so they are checked here."""
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)
    adapter.validate_python(body())
    assert set(body()) <= set(ResponseCreateParamsNonStreaming.__annotations__)
    assert json.loads(json.dumps(body())) == body()


def test_tools_and_hand_offs_are_offered_alike() -> None:
    assert [tool["name"] for tool in body()["tools"]] == ["get_balance", "handoff_to_Airline"]


def response(output: list[dict[str, Any]], **more: Any) -> bytes:
    return json.dumps({"output": output, "status": "completed", **more}).encode()


def message(text: str = "", refusal: str = "") -> dict[str, Any]:
    part = {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": text}
    return {"type": "message", "role": "assistant", "content": [part]}


def test_a_reply_is_read() -> None:
    content = response(
        [
            {"type": "reasoning", "summary": []},
            message("One moment."),
            {"type": "function_call", "call_id": "c1", "name": "get_balance", "arguments": "{}"},
        ],
        usage={"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
    )
    reply = read_reply(content, "Bank")
    assert (reply.agent, reply.text) == ("Bank", "One moment.")
    assert [(call.tool, call.arguments, call.given_id) for call in reply.calls] == [("get_balance", "{}", "c1")]
    assert reply.usage == Usage(input_tokens=7, output_tokens=5)


def test_a_refusal_is_what_the_customer_reads() -> None:
    assert (
        read_reply(response([message(refusal="I cannot help with that.")]), "Bank").text == "I cannot help with that."
    )


def test_every_call_gets_an_id_of_our_own() -> None:
    calls = [{"type": "function_call", "call_id": call_id, "name": "f", "arguments": ""} for call_id in ("a", "a", "")]
    read = read_reply(response(calls), "Bank").calls
    assert len({call.call_id for call in read}) == 3
    assert all(re.fullmatch("call_[0-9a-f]{24}", call.call_id) for call in read)
    assert [call.given_id for call in read] == ["a", "a", ""]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>bad gateway</html>",
        b"[]",
        b'{"output": 3}',
        response([], status="failed", error={"message": "overloaded"}),
        response([message("You owe 1")], status="incomplete"),
        response([message("You owe 1") | {"status": "incomplete"}]),
        response([{"type": "function_call", "status": "incomplete", "name": "f", "call_id": "c", "arguments": "{"}]),
        response([message("You owe 1")], incomplete_details={"reason": "max_output_tokens"}),
        response([message("You owe 1")], error={"message": "overloaded"}),
    ],
)
def test_what_is_no_answer_may_pass(content: bytes) -> None:
    with pytest.raises(ModelUnavailable):
        read_reply(content, "Bank")


def failure(status: int, code: str | None = None, headers: dict[str, str] | None = None) -> openai.APIStatusError:
    answer = httpx2.Response(status, headers=headers, request=httpx2.Request("POST", "http://model"))
    return openai.APIStatusError("no", response=answer, body={"code": code})


@pytest.mark.parametrize("status", [408, 409, 425, 429, 498, 500, 502, 503, 529])
def test_these_failures_may_pass(status: int) -> None:
    assert isinstance(classify(failure(status)), ModelUnavailable)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, None),
        (401, "invalid_api_key"),
        (403, None),
        (404, "model_not_found"),
        (422, None),
        (429, "insufficient_quota"),
    ],
)
def test_these_failures_never_pass(status: int, code: str | None) -> None:
    assert isinstance(classify(failure(status, code)), ModelRejected)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, {"code": "invalid_api_key"}, "setup"),
        (404, {"code": "model_not_found"}, "setup"),
        (400, {"code": "content_filter"}, "content"),
        (403, {"code": "content_policy_violation"}, "content"),
        (400, {"message": "invalid request"}, "content"),
        (422, {}, "content"),
        (400, {"code": "context_length_exceeded"}, "too_long"),
        (413, {"error": {"type": "request_too_large"}}, "too_long"),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}, "too_long"),
    ],
)
def test_rejection_says_what_was_refused(status: int, body: dict[str, Any], reason: str) -> None:
    answer = httpx2.Response(status, request=httpx2.Request("POST", "http://model"))
    rejected = classify(openai.APIStatusError(str(body.get("message", "no")), response=answer, body=body))
    assert isinstance(rejected, ModelRejected)
    assert rejected.reason == reason


@pytest.mark.parametrize(
    ("headers", "pause", "give_up"),
    [
        ({}, None, False),
        ({"retry-after": "2"}, timedelta(seconds=2), False),
        ({"retry-after": "0.5"}, timedelta(seconds=0.5), False),
        ({"retry-after-ms": "300", "retry-after": "9"}, timedelta(milliseconds=300), False),
        ({"retry-after": "3600"}, None, True),
        ({"retry-after": "-4"}, timedelta(0), False),
        ({"retry-after": "soon"}, None, False),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, timedelta(0), False),
        ({"retry-after": "inf"}, None, False),
    ],
)
def test_retry_after_is_kept_within_bounds_or_gives_the_model_up(
    headers: dict[str, str], pause: timedelta | None, give_up: bool
) -> None:
    failed = classify(failure(503, headers=headers))
    assert isinstance(failed, ModelUnavailable)
    assert (failed.retry_after, failed.give_up) == (pause, give_up)


def test_a_pause_until_a_date_is_kept() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    pause = parse_retry_after(httpx2.Headers({"retry-after": until}))
    assert pause is not None
    assert timedelta(seconds=15) < pause <= timedelta(seconds=20)


def test_what_endpoints_leave_out_or_set_to_null_is_no_error() -> None:
    odd: list[dict[str, Any]] = [
        {"type": "reasoning", "content": "hm", "name": None},
        {"type": "message", "content": None},
        {"type": "message", "content": [{"type": "output_text", "text": "Hi", "refusal": None}]},
        {"type": "function_call", "call_id": None, "name": "a", "arguments": None},
        {"type": "function_call", "call_id": "c", "name": "b", "arguments": {"x": 1}},
    ]
    reply = read_reply(response(odd, status=None, usage={"input_tokens": None, "output_tokens": -5}), "Bank")
    assert reply.text == "Hi"
    assert [(call.tool, call.arguments) for call in reply.calls] == [("a", ""), ("b", '{"x": 1}')]
    assert reply.usage == Usage()


@pytest.mark.parametrize(
    ("name", "arguments", "sent"),
    [
        ("get_balance", '{"a": 1}', ("get_balance", '{"a": 1}')),
        ("get balance;drop", "{}", ("invalid_name", "{}")),
        ("x" * 65, '{"broken":', ("invalid_name", "{}")),
        ("", "[1]", ("invalid_name", "{}")),
    ],
)
def test_a_models_nonsense_is_not_sent_back_to_it(name: str, arguments: str, sent: tuple[str, str]) -> None:
    call = ToolCall(call_id="1", tool=name, arguments=arguments)
    request = TurnRequest(identity=REQUEST.identity, transcript=(ModelReply(agent="Bank", calls=(call,)),))
    item, _ = request_body(COMPATIBLE, "m", AGENT, request, [])["input"]
    assert (item["name"], item["arguments"]) == sent


def test_a_summary_is_a_record_and_no_instruction() -> None:
    asked = REQUEST.model_copy(update={"summary": "They moved house."})
    first = request_body(COMPATIBLE, "gpt-x", AGENT, asked, [])["input"][0]
    assert first["role"] == "user"
    assert "no instruction" in first["content"]
