"""What the models of the bank and the airline predict of a call, and how a result is compared with it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from switchboard.testing import JSON
from tests.generated.script import Call

UNFIT = "unfit"
"""Broken by arguments that the tool's schema rejects."""

UNKNOWN = "unknown"
"""Broken by a name of something that does not exist, or that is in a state that forbids the call."""


@dataclass(frozen=True)
class Refused:
    """The call is not made. `broken` has every rule that it breaks, of which the tool names one."""

    broken: frozenset[str]


@dataclass(frozen=True)
class Asked:
    """The customer is asked. The question contains each of these texts."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """The call is made. `facts` is a part of its result."""

    facts: JSON = field(default_factory=dict)


Outcome = Refused | Asked | Done


def refused(broken: Iterable[str]) -> Refused | None:
    found = frozenset(broken)
    return Refused(found) if found else None


def money(amount: Decimal, currency: str) -> str:
    """Return an amount as customers read it, such as "2,431.80 EUR"."""
    return f"{amount:,.2f} {currency}"


def contains(found: Any, expected: Any) -> bool:
    """Return whether a result has the expected facts. Amounts may be numbers or texts."""
    if isinstance(expected, Decimal):
        return not isinstance(found, dict | list | None) and Decimal(str(found)) == expected
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(contains(found.get(name), fact) for name, fact in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(contains(one, fact) for one, fact in zip(found, expected, strict=True))
        )
    return bool(found == expected)


NEW = "new "
"""Begins the name of something whose id the mesh has not said yet. Calls of one step may make several."""


def name_of_new(own: Mapping[str, object]) -> str:
    return f"{NEW}{len(own)}"


def known(own: Mapping[str, object]) -> int:
    """Return of how many the mesh has said the id."""
    return sum(not name.startswith(NEW) for name in own)


def note_new(own: dict[str, Any], own_id: str) -> None:
    """Give the first of the new ones its id."""
    own[own_id] = own.pop(next(name for name in own if name.startswith(NEW)))


class Mismatch(AssertionError):
    """The mesh did something else than the model predicted."""

    found_after = 0


def expect(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise Mismatch(f"{what}\n  predicted: {expected}\n  found:     {found}")


def wrong_results(calls: Sequence[Call], outcomes: dict[int, Outcome], results: Sequence[JSON]) -> list[str]:
    """Return what differs between the predicted and the real results of one step."""
    if len(results) != len(calls):
        return [f"{len(calls)} calls have {len(results)} results: {results}"]
    return [
        f"{call.tool} {call.arguments}\n  predicted: {outcomes[position]}\n  found:     {result['content']}"
        for position, (call, result) in enumerate(zip(calls, results, strict=True))
        if not as_predicted(outcomes[position], result)
    ]


def as_predicted(outcome: Outcome, result: JSON) -> bool:
    match outcome:
        case Done():
            return bool(result["ok"]) and contains(parsed(result["content"]), outcome.facts)
        case Asked():
            return not result["ok"] and result.get("outcome") == "held"
        case Refused():
            named = set(re.findall(r"\(rule (\w+)\)", result["content"]))
            fits = (UNFIT in outcome.broken) == ("do not fit" in result["content"])
            known = result.get("outcome", "known") == "known"
            return not result["ok"] and known and named <= outcome.broken and fits


BY_ANOTHER_CHANGE = (
    "Another change of reservation {} is in progress. Please try again in a minute.",
    "Reservation {} was changed in the meantime. Look it up again.",
)


def during_another_change(calls: Sequence[Call], results: Sequence[JSON]) -> dict[int, Outcome]:
    """Return the calls that were refused because another call of their step was changing the same reservation."""
    made = {call.arguments.get("reservation_id") for call, one in zip(calls, results, strict=False) if one["ok"]}
    return {
        position: Refused(frozenset())
        for position, (call, one) in enumerate(zip(calls, results, strict=False))
        if (own_id := call.arguments.get("reservation_id")) in made
        and any(text.format(own_id) in one["content"] for text in BY_ANOTHER_CHANGE)
    }


def parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return content
