"""Recordings: which turn comes next, for whom, with which arguments; found in the request alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from switchboard.demo_model.engine import Engine
from switchboard.demo_model.faults import FormatError
from switchboard.demo_model.recordings import THE_END, parse_recordings, read_recordings
from switchboard.demo_model.settings import Mode, SettingsError, read_settings

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


def asked(engine: Engine, *items: list[dict[str, Any]], agent: str = "Airline", session: str = "s-1") -> Any:
    """What is answered: a text, the calls as (name, arguments), or the code of the error."""
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
RELEASED = [*said("Please confirm: cancel AAAAAA?"), *user("Yes."), *made("cancel_reservation", "c.confirmed")]


def test_another_agent_hands_off_to_the_one_that_plays(engine: Engine) -> None:
    [(name, _)] = asked(engine, user("Hello"), agent="Triage")
    assert name == "handoff_to_Airline"


def test_the_turns_follow_each_other_and_thoughts_are_skipped(engine: Engine) -> None:
    assert asked(engine, HELLO[:3]) == "Who are you?"
    assert asked(engine, HELLO, user("yes")) == [("get_user_details", {})]
    assert asked(engine, HELLO, FIRST_YES[:3]) == [("get_reservation_details", {"reservation_id": "AAAAAA"})]
    assert asked(engine, HELLO, FIRST_YES[:5]) == "Cancel it?"


def test_a_retry_gets_the_same_answer(engine: Engine) -> None:
    assert asked(engine, HELLO, user("yes")) == asked(engine, HELLO, user("yes"))


def test_of_equal_messages_the_one_with_the_same_past_is_meant(engine: Engine) -> None:
    assert asked(engine, HELLO, FIRST_YES, user("yes"))[0][0] == "cancel_reservation"


def test_the_place_is_found_when_the_oldest_messages_are_not_sent_any_more(engine: Engine) -> None:
    summary = user("[Record of the conversation before this, a summary and no instruction]\nHello, yes")
    assert asked(engine, summary, FIRST_YES, user("yes"))[0][0] == "cancel_reservation"
    assert asked(engine, summary, user("A human, please")) == [("transfer_to_human_agents", {"summary": "angry"})]


def test_a_call_that_the_mesh_makes_after_a_yes_is_no_turn_of_the_recording(engine: Engine) -> None:
    assert asked(engine, HELLO, FIRST_YES, HELD, RELEASED) == [("get_user_details", {"user_id": OTHER})]


def test_only_the_sessions_own_customer_is_left_out_of_the_arguments(engine: Engine) -> None:
    assert asked(engine, HELLO, user("yes")) == [("get_user_details", {})]
    assert asked(engine, HELLO, FIRST_YES, HELD) == [("get_user_details", {"user_id": OTHER})]


def test_a_message_that_was_not_recorded_goes_on_with_what_was_next(engine: Engine) -> None:
    stopped = [*said("I could not finish this."), *user("go on")]
    assert asked(engine, HELLO, FIRST_YES[:3], stopped)[0][0] == "get_reservation_details"


def test_a_recording_that_ends_with_a_tool_ends_in_a_text(engine: Engine) -> None:
    last = [*user("A human, please"), *made("transfer_to_human_agents", "t")]
    assert asked(engine, HELLO, FIRST_YES, last) == THE_END


@pytest.mark.parametrize(("text", "session"), [("Hello", "another"), ("never recorded", "s-1")])
def test_what_no_recording_has_is_an_error(engine: Engine, text: str, session: str) -> None:
    assert asked(engine, user(text), session=session) == "recording_lost"


def test_a_summary_is_no_turn_of_the_recording(engine: Engine) -> None:
    assert "Hello" in asked(engine, user("Customer: Hello"), agent="Summaries")


def test_a_text_before_a_text_or_a_call_goes_along_with_it() -> None:
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
        ([{"agent": "Airline", "messages": MESSAGES}] * 2, "no other"),
        ([{"agent": "Airline", "messages": [{"role": "assistant", "content": "Hi"}]}], "speak first"),
        ([{"agent": "Airline", "messages": [*user("Hi"), {"role": "assistant", "content": 7}]}], "content"),
        (
            [{"agent": "Airline", "messages": [*user("Hi"), {"role": "assistant", "tool_calls": [{}]}]}],
            r"tool_calls\[0\]",
        ),
        ([{"agent": "Airline", "messages": [{"role": "robot"}]}], r"messages\[0\]"),
        ([{"agent": "Airline", "messages": [], "customer_id": 7}], "customer_id"),
    ],
)
def test_a_recording_that_cannot_be_played_says_where(raw: object, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        parse_recordings(raw)


def test_a_server_starts_with_the_recordings_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps([{"task_id": 0, "trial": 1, "agent": "Airline", "messages": MESSAGES}]))
    assert list(read_recordings(file).by_session) == ["recording-0-1"]
    monkeypatch.setenv("DEMO_MODEL_MODE", "recordings")
    with pytest.raises(SettingsError, match="DEMO_MODEL_RECORDINGS"):
        read_settings()
    monkeypatch.setenv("DEMO_MODEL_RECORDINGS", str(file))
    assert read_settings().demo_model_mode is Mode.RECORDINGS


def test_recordings_and_scripts_take_each_others_place(engine: Engine) -> None:
    assert engine.mode == "recordings"
    engine.use_recordings(parse_recordings([]))
    assert asked(engine, user("Hello")) == "recording_lost"
    engine.drop_recordings()
    assert asked(engine, HELLO[:3]) == "Who are you?"


def test_a_call_tells_the_place_when_the_message_before_it_is_not_sent_any_more(engine: Engine) -> None:
    first, second = made("get_user_details", "call_m1_t0_c0"), made("get_reservation_details", "call_m1_t1_c0")
    assert asked(engine, first) == [("get_reservation_details", {"reservation_id": "AAAAAA"})]
    assert asked(engine, second, user("Yes."), made("cancel_reservation", "c.confirmed")) == "Cancel it?"
    assert asked(engine, second, user("yes"))[0][0] == "cancel_reservation"
