"""Mirroring the mesh's calls for the benchmark's runner, and recognising a customer's yes."""

import json
from typing import Any

import pytest

from evals.mirror import Mirrored, benchmark_arguments, differs, means_yes, mirror
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult

KNOWN = {
    "get_user_details": frozenset({"user_id"}),
    "cancel_reservation": frozenset({"reservation_id"}),
}


def step(tool: str, ok: bool, call_id: str, held: bool = False, **arguments: Any) -> list[Message]:
    call = ToolCall(call_id=call_id, tool=tool, arguments=json.dumps(arguments))
    outcome: Any = "held" if held else "known"
    return [
        ModelReply(agent="Airline", calls=(call,)),
        ToolResult(call_id=call_id, ok=ok, content=json.dumps(tool), outcome=outcome),
    ]


def test_only_successful_known_calls_are_mirrored() -> None:
    messages = [
        *step("handoff_to_Airline", True, "h"),
        *step("get_user_details", True, "a"),
        *step("get_seat_map", True, "b", reservation_id="AAAAAA"),
        *step("cancel_reservation", False, "c", held=True, reservation_id="AAAAAA"),
        *step("cancel_reservation", False, "d", reservation_id="BBBBBB"),
        *step("cancel_reservation", True, "c.confirmed", reservation_id="AAAAAA", reason="health"),
    ]
    shown = [(call.name, call.arguments) for call in mirror(messages, KNOWN, "mia_li_3668")]
    assert shown == [
        ("get_user_details", {"user_id": "mia_li_3668"}),
        ("cancel_reservation", {"reservation_id": "AAAAAA"}),
    ]


def test_arguments_are_translated_to_the_benchmarks() -> None:
    written = '{"reservation_id": "AAAAAA", "reason": null, "other": 1}'
    assert benchmark_arguments(written, frozenset({"user_id", "reservation_id", "reason"}), "me") == {
        "user_id": "me",
        "reservation_id": "AAAAAA",
    }
    assert benchmark_arguments("", frozenset(), "me") == {}


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Yes", True),
        ("yes, please proceed.", True),
        ("Sure, go ahead with that.", True),
        ("That's correct, please do it.", True),
        ("I confirm.", True),
        ("Yes, but use my other card", False),
        ("Yes. Also, can you add a bag", False),
        ("Is that refundable?", False),
        ("No", False),
        ("Yesterday I booked", False),
        ("I would like to cancel", False),
        ("Yes " + "word " * 40, False),
    ],
)
def test_only_a_plain_yes_counts_as_consent(text: str, yes: bool) -> None:
    assert means_yes(text) is yes


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ({"a": 1, "status": None}, '{"a": 1.0}', True),
        ({"a": [{"b": None}]}, '{"a": [{}]}', True),
        ({"a": 1}, '{"a": 2}', False),
        ("Transfer successful", "Transfer successful", True),
        ("Certificate sent", "in other words", True),
        ({"a": 1}, "Error: something", False),
    ],
)
def test_runners_result_must_equal_ours(ours: Any, theirs: str, same: bool) -> None:
    assert (differs(Mirrored("tool", {}, json.dumps(ours)), theirs) == "") is same
