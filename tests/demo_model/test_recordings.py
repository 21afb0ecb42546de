"""Recordings: the next turn, its agent and its arguments, determined by the request alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from switchboard.demo_model.engine import Engine
from switchboard.demo_model.faults import FormatError
from switchboard.demo_model.recordings import RECORDING_ENDED, parse_recordings, read_recordings
from switchboard.demo_model.settings import Mode, SettingsError, read_settings
from switchboard.loop import decide
from switchboard.models.dialogue import safe_id

ME, OTHER = "mia_li_3668", "raj_sanchez_7340"


def recorded_call(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "x", "function": {"name": name, "arguments": json.dumps(arguments)}}],
    }


ANSWERED = {"role": "tool", "tool_call_id": "x", "content": "{}"}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Who are you?"},
    {"role": "user", "content": "yes"},
    recorded_call("think", thought="hm"),
    ANSWERED,
    recorded_call("get_user_details", user_id=ME),
    ANSWERED,
    recorded_call("get_reservation_details", reservation_id="AAAAAA"),
    ANSWERED,
    {"role": "assistant", "content": "Cancel it?"},
    {"role": "user", "content": "yes"},
    recorded_call("cancel_reservation", reservation_id="AAAAAA"),
    ANSWERED,
    recorded_call("get_user_details", user_id=OTHER),
    ANSWERED,
    {"role": "assistant", "content": "Cancelled."},
    {"role": "user", "content": "A human, please"},
    recorded_call("transfer_to_human_agents", summary="angry"),
    ANSWERED,
]
TOOLS = {
    "get_user_details": (),
    "get_reservation_details": ("reservation_id",),
    "cancel_reservation": ("reservation_id",),
    "transfer_to_human_agents": ("summary",),
}


def offer(name: str, *fields: str) -> dict[str, Any]:
    properties = {field: {"type": "string"} for field in fields}
    return {"type": "function", "name": name, "parameters": {"type": "object", "properties": properties}}


OFFERS = {
    "Triage": [offer("handoff_to_Bank", "reason"), offer("handoff_to_Airline", "reason")],
    "Airline": [*(offer(name, *fields) for name, fields in TOOLS.items()), offer("handoff_to_Bank", "reason")],
    "Summaries": [],
}


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def made(name: str, call_id: str) -> list[dict[str, Any]]:
    return [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"},
        {"type": "function_call_output", "call_id": call_id, "output": "{}"},
    ]


@pytest.fixture
def engine() -> Engine:
    entry = {"session": "s-1", "agent": "Airline", "customer_id": ME, "messages": MESSAGES, "reward": 1}
    return Engine(recordings=parse_recordings([entry]))


def reply_to(engine: Engine, *items: list[dict[str, Any]], agent: str = "Airline", session: str = "s-1") -> Any:
    """Return the reply: a text, the calls as (name, arguments), or the error's code."""
    body = {
        "model": "demo",
        "instructions": "Summarize this." if agent == "Summaries" else "",
        "input": [item for group in items for item in group],
        "tools": OFFERS[agent],
        "metadata": {"session": session, "agent": agent},
    }
    answer = orjson.loads(asyncio.run(engine.answer(orjson.dumps(body))).body)
    if answer["error"]:
        return answer["error"]["code"]
    output = answer["output"]
    calls = [(item["name"], json.loads(item["arguments"])) for item in output if item["type"] == "function_call"]
    return calls or output[0]["content"][0]["text"]


HELLO = [*user("Hello"), *made("handoff_to_Airline", "h"), *said("Who are you?")]
FIRST_YES = [*user("yes"), *made("get_user_details", "a"), *made("get_reservation_details", "b"), *said("Cancel it?")]
HELD = [*user("yes"), *made("cancel_reservation", "c")]
CONFIRMED = "c" + decide.CONFIRMED


def released(call_id: str) -> list[dict[str, Any]]:
    return [*said("Please confirm: cancel AAAAAA?"), *user("Yes."), *made("cancel_reservation", call_id)]


def test_other_agent_hands_off_to_the_agent_of_the_recording(engine: Engine) -> None:
    [(name, _)] = reply_to(engine, user("Hello"), agent="Triage")
    assert name == "handoff_to_Airline"


def test_turns_are_replayed_in_order_without_think_calls(engine: Engine) -> None:
    assert reply_to(engine, HELLO[:3]) == "Who are you?"
    assert reply_to(engine, HELLO, user("yes")) == [("get_user_details", {})]
    assert reply_to(engine, HELLO, FIRST_YES[:3]) == [("get_reservation_details", {"reservation_id": "AAAAAA"})]
    assert reply_to(engine, HELLO, FIRST_YES[:5]) == "Cancel it?"


def test_retry_gets_the_same_reply(engine: Engine) -> None:
    assert reply_to(engine, HELLO, user("yes")) == reply_to(engine, HELLO, user("yes"))


def test_repeated_message_is_located_by_the_messages_before_it(engine: Engine) -> None:
    assert reply_to(engine, HELLO, FIRST_YES, user("yes"))[0][0] == "cancel_reservation"


def test_position_is_found_without_the_oldest_messages(engine: Engine) -> None:
    summary = user("[Record of the conversation before this, a summary and no instruction]\nHello, yes")
    assert reply_to(engine, summary, FIRST_YES, user("yes"))[0][0] == "cancel_reservation"
    assert reply_to(engine, summary, user("A human, please")) == [("transfer_to_human_agents", {"summary": "angry"})]


@pytest.mark.parametrize("call_id", [CONFIRMED, safe_id(CONFIRMED)])
def test_confirmed_call_is_not_a_turn_of_the_recording(engine: Engine, call_id: str) -> None:
    assert reply_to(engine, HELLO, FIRST_YES, HELD, released(call_id)) == [("get_user_details", {"user_id": OTHER})]


def test_only_the_recordings_own_customer_is_removed_from_arguments(engine: Engine) -> None:
    assert reply_to(engine, HELLO, user("yes")) == [("get_user_details", {})]
    assert reply_to(engine, HELLO, FIRST_YES, HELD) == [("get_user_details", {"user_id": OTHER})]


def test_unrecorded_message_gets_the_next_turn(engine: Engine) -> None:
    stopped = [*said("I could not finish this."), *user("go on")]
    assert reply_to(engine, HELLO, FIRST_YES[:3], stopped)[0][0] == "get_reservation_details"


def test_recording_that_ends_with_a_tool_result_ends_with_a_text(engine: Engine) -> None:
    last = [*user("A human, please"), *made("transfer_to_human_agents", "t")]
    assert reply_to(engine, HELLO, FIRST_YES, last) == RECORDING_ENDED


@pytest.mark.parametrize(("text", "session"), [("Hello", "another"), ("never recorded", "s-1")])
def test_unknown_session_or_message_is_an_error(engine: Engine, text: str, session: str) -> None:
    assert reply_to(engine, user(text), session=session) == "recording_lost"


def test_summary_request_is_not_a_turn_of_the_recording(engine: Engine) -> None:
    assert "Hello" in reply_to(engine, user("Customer: Hello"), agent="Summaries")


def test_text_is_merged_into_the_following_text_or_call() -> None:
    texts = [{"role": "assistant", "content": part} for part in ("One", "Two")]
    calling = recorded_call("get_user_details") | {"content": "Looking."}
    entry = {"task_id": 7, "trial": 2, "agent": "Airline", "messages": [*user("Hello"), texts[0], calling, *texts]}
    [(session, recording)] = parse_recordings([entry]).by_session.items()
    assert session == "recording-7-2"
    assert [(turn.text, len(turn.calls)) for turn in recording.turns[0]] == [("One\n\nLooking.", 1), ("One\n\nTwo", 0)]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({}, "list"),
        ([{}], "messages"),
        ([{"agent": "Airline", "messages": MESSAGES}] * 2, "differ from"),
        ([{"agent": "Airline", "messages": [{"role": "assistant", "content": "Hi"}]}], "first message must be"),
        ([{"agent": "Airline", "messages": [*user("Hi"), {"role": "assistant", "content": 7}]}], "content"),
        (
            [{"agent": "Airline", "messages": [*user("Hi"), {"role": "assistant", "tool_calls": [{}]}]}],
            r"tool_calls\[0\]",
        ),
        ([{"agent": "Airline", "messages": [{"role": "robot"}]}], r"messages\[0\]"),
        ([{"agent": "Airline", "messages": [], "customer_id": 7}], "customer_id"),
    ],
)
def test_invalid_recording_is_rejected_with_its_location(raw: object, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        parse_recordings(raw)


def test_recordings_mode_needs_and_reads_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps([{"task_id": 0, "trial": 1, "agent": "Airline", "messages": MESSAGES}]))
    assert list(read_recordings(file).by_session) == ["recording-0-1"]
    monkeypatch.setenv("DEMO_MODEL_MODE", "recordings")
    with pytest.raises(SettingsError, match="DEMO_MODEL_RECORDINGS"):
        read_settings()
    monkeypatch.setenv("DEMO_MODEL_RECORDINGS", str(file))
    assert read_settings().demo_model_mode is Mode.RECORDINGS


def test_recordings_can_be_replaced_and_restored(engine: Engine) -> None:
    assert engine.mode == "recordings"
    engine.use_recordings(parse_recordings([]))
    assert reply_to(engine, user("Hello")) == "recording_lost"
    engine.drop_recordings()
    assert reply_to(engine, HELLO[:3]) == "Who are you?"


def test_call_id_gives_the_position_without_its_message(engine: Engine) -> None:
    first, second = made("get_user_details", "call_m1_t0_c0"), made("get_reservation_details", "call_m1_t1_c0")
    assert reply_to(engine, first) == [("get_reservation_details", {"reservation_id": "AAAAAA"})]
    assert reply_to(engine, second, user("Yes."), made("cancel_reservation", CONFIRMED)) == "Cancel it?"
    assert reply_to(engine, second, user("yes"))[0][0] == "cancel_reservation"
