"""Translate a case's script into scenes for the demo model. Pure."""

from collections.abc import Sequence
from typing import Any

from evals.cases.form import Case, Step
from switchboard.agent import HANDOFF_PREFIX

FIRST_AGENT = "Triage"
YES = "Yes."
"""The user message that a session stores for a confirmation."""

RELEASED: dict[str, Any] = {"empty": True}
"""Placeholder for the calls that the mesh itself makes after a yes, which count as a model reply."""

Scene = dict[str, Any]


def scenes(case: Case) -> list[Scene]:
    """Return the scenes: the first agent hands off every message to the case's agent, which follows the script."""
    hand_off = {"calls": [{"name": HANDOFF_PREFIX + case.agent, "arguments": {"reason": "scripted"}}]}
    handed_over: Scene = {"user": {"matches": "(?s).*"}, "agent": FIRST_AGENT, "steps": [hand_off]}
    return [
        *([handed_over] if case.agent != FIRST_AGENT else []),
        *(scene(case.agent, turn.says, steps(turn.script)) for turn in case.turns),
        *(scene(case.agent, YES, [RELEASED, *steps(turn.after_yes)]) for turn in case.turns if turn.after_yes),
    ]


def scene(agent: str, user: str, said: list[Scene]) -> Scene:
    since = "user" if agent == FIRST_AGENT else "hand_off"
    return {"user": user, "agent": agent, "steps_from": since, "steps": said}


def steps(script: Sequence[Step]) -> list[Scene]:
    return [
        {"calls": [{"name": call.tool, "arguments": call.arguments} for call in step.calls]}
        if step.calls
        else {"text": step.text}
        for step in script
    ]
