"""The benchmark's messages, the model's script, and the expected results of each turn. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.contract import AGENT
from switchboard.testing import JSON, calls, says, scene

TOOL_MS = 100
"""Duration of every tool call, and so the minimum for a fan-out of any number of tools."""

FAN_OUTS = (1, 4, 16)

TRIAGE = "Triage"
SUMMARIES = "Summaries"
STORY = (
    "I am travelling with my sister and her two children next month and I would like to know what is booked for us so "
    "far, whether the bags are paid for, and if the seats are next to each other, because the little one is afraid."
)
STORY_REPLY = (
    "Both bookings are paid for and each has one bag of 23 kg. Your seats are by the aisle in neighbouring rows, so "
    "the little one would sit behind you; I can look for four seats in one row if you like. The meals are without "
    "meat, as you asked for last time, and there is no insurance on either of them. The children's papers are in order."
)

SUMMARY = (
    "The customer travels with their sister and two children next month. Both bookings are paid for, with one bag of "
    "23 kg each. The seats are by the aisle in neighbouring rows; four seats in one row were offered, and the customer "
    "has not decided. The meals are without meat. There is no insurance. The children's papers are in order."
)


@dataclass(frozen=True)
class Task:
    """A message, the expected reply, and the expected number of successful tool results."""

    text: str
    reply: str
    results: int


HELLO = Task("Hello, who is there?", "The bench is ready.", 0)
LOOK_UPS = Task(STORY, STORY_REPLY, 2)


def fan_out(tools: int) -> Task:
    """Return a task that calls this many tools in parallel. The expected reply quotes the last result."""
    return Task(f"Run {tools} tasks at once, please.", f"{tools} tasks are done, the last one is task {tools}.", tools)


BOOKING_MS = (200, 200, 600, 600)
"""Durations of the tools of a turn that a crash interrupts. The crash comes between the first two and the others."""

BOOKINGS_DONE = f"{len(BOOKING_MS)} bookings are done."
TURN_MODEL_CALLS = 2
"""Number of model calls of a turn with tools, without a triage agent's."""


def bookings_text(session: str) -> str:
    return f"Make the bookings of {session}, please."


def bookings(session: str) -> list[JSON]:
    """Return the arguments of the tool calls of a turn that a crash interrupts. Each name is unique."""
    return [
        {"name": f"{session} booking {number}", "milliseconds": milliseconds}
        for number, milliseconds in enumerate(BOOKING_MS)
    ]


def script(booking_sessions: Sequence[str] = ()) -> list[JSON]:
    """Return the demo model's script. Triage hands every message off; the peers have no triage agent."""
    hand_off = calls((f"handoff_to_{AGENT}", {"reason": "A measurement."}))
    return [
        {"user": {"matches": "."}, "agent": TRIAGE, "steps": [hand_off]},
        {"user": {"matches": "."}, "agent": SUMMARIES, "steps": [says(SUMMARY)]},
        {**scene(HELLO.text, says(HELLO.reply)), "steps_from": "hand_off"},
        scene(LOOK_UPS.text, look_up_calls(), says(LOOK_UPS.reply)),
        *(scene(fan_out(tools).text, wait_calls(tools), says(fan_out_reply(tools))) for tools in FAN_OUTS),
        *(
            scene(bookings_text(session), calls(*(("book", each) for each in bookings(session))), says(BOOKINGS_DONE))
            for session in booking_sessions
        ),
    ]


def wait_calls(tools: int) -> Any:
    return calls(*(("wait", {"name": f"task {number}", "milliseconds": TOOL_MS}) for number in range(1, tools + 1)))


def look_up_calls() -> Any:
    return calls(("look_up", {"name": "my booking"}), ("look_up", {"name": "my sister's booking"}))


def fan_out_reply(tools: int) -> str:
    """Return the reply in the script, with a placeholder for the name in the last result."""
    return f"{tools} tasks are done, the last one is {{wait.said}}."
