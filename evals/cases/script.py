"""A case's script as scenes for the demo model. Pure."""

from collections.abc import Sequence
from typing import Any

from evals.cases.form import Case, Step
from switchboard.agent import HANDOFF_PREFIX

FIRST_AGENT = "Triage"
YES = "Yes."
"""What a session writes down for a confirmation."""

RELEASED: dict[str, Any] = {"empty": True}
"""Stands in for the calls that the mesh itself makes after a yes: they count as what a model said."""

Scene = dict[str, Any]


def scenes(case: Case) -> list[Scene]:
    """The first agent hands every message of the case to the one that plays; that one does as the script says."""
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
