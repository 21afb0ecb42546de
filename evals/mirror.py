"""Translate the mesh's calls into the benchmark's, for its runner. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.tasks import first_difference
from switchboard.contract import parse_json
from switchboard.loop.call_report import calls_and_results
from switchboard.messages import Message

CUSTOMER = "user_id"
"""The benchmark's argument for the customer's id. In our mesh the session knows it, and the model cannot set it."""

YES = re.compile(
    r"^\W*(yes|yeah|yep|sure|ok|okay|correct|confirmed|i confirm|i agree|(please )?(proceed|go ahead|do (it|so|that))"
    r"|that (works|is (right|correct|fine))|that's (right|correct|fine)|sounds good)\b",
    re.IGNORECASE,
)
# A yes with conditions may mean something else, so it is sent as an ordinary message.
MORE = re.compile(r"\?|\b(but|however|except|instead|change|wait|different|not|don'?t|only|unless|first|also)\b", re.I)
YES_MAX_WORDS = 30

Parameters = Mapping[str, frozenset[str]]
"""The names of the benchmark's tools and of their arguments."""


@dataclass(frozen=True)
class Mirrored:
    """A call that the mesh made and that the benchmark knows. `content` is our tool's result."""

    name: str
    arguments: Mapping[str, Any]
    content: str


def mirror(messages: Sequence[Message], known: Parameters, customer_id: str) -> list[Mirrored]:
    """Return the calls that succeeded, in order, with the benchmark's arguments. Refused calls changed nothing."""
    return [
        Mirrored(call.tool, benchmark_arguments(call.arguments, known[call.tool], customer_id), result.content)
        for call, result in calls_and_results(messages)
        if call.tool in known and result is not None and result.ok
    ]


def benchmark_arguments(written: str, known: frozenset[str], customer_id: str) -> dict[str, Any]:
    given = parse_json(written or "{}")
    own = {CUSTOMER: customer_id} if CUSTOMER in known else {}
    return own | {name: value for name, value in given.items() if name in known and value is not None}


def means_yes(text: str) -> bool:
    """Return whether a text is a plain yes to a consent question. A simulated customer has no button to press."""
    return bool(YES.search(text)) and not MORE.search(text) and len(text.split()) <= YES_MAX_WORDS


def differs(call: Mirrored, content: str) -> str:
    """Return the first difference between the runner's result of a call and ours; empty if they are equal."""
    try:
        theirs = json.loads(content)
    except ValueError:
        theirs = content
    ours = json.loads(call.content)
    if isinstance(ours, str) or isinstance(theirs, str):
        return "" if isinstance(ours, str) == isinstance(theirs, str) else f"{call.name}: {content[:200]}"
    return first_difference(without_nulls(theirs), without_nulls(ours), call.name)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value
