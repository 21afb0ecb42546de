"""Recorded conversations of an airline agent, and what of a replayed one is other than it was, and why. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from evals.tasks import ERROR, BadFile, Record, World, first_difference, shown
from services.tools.airline.rules import RULES
from switchboard.agent import HANDOFF_PREFIX
from switchboard.loop.decide import CONFIRMED
from switchboard.messages import Message, ModelReply, ToolResult

WRITES = (
    "book_reservation",
    "cancel_reservation",
    "update_reservation_flights",
    "update_reservation_passengers",
    "update_reservation_baggages",
    "send_certificate",
)
NOT_PLAYED = frozenset({"think"})
"""By which a recorded agent spoke to itself. No agent of ours has it, and nothing came of it."""

ONE_STOP = "search_onestop_flight"
SEARCHES = ("search_direct_flight", ONE_STOP)
SEATS, PRICES = "available_seats", "prices"

UNKNOWN_TOOL = "Unknown action"
"""How the recordings' tools answered a name that none of them had."""

LeftOut = Callable[[Record], set[str]]
"""The fields of a record that are not to be compared."""

CUT = "\n[cut: "
RULE = re.compile(r"\(rule ([A-Z]+\d+)\)")

OLDER_REFERENCE = {
    ("update_reservation_flights", "C1"): "it changes the flights of basic economy",
    ("update_reservation_flights", "C2"): "it lets a reservation end elsewhere",
    ("update_reservation_baggages", "L1"): "it has a regular member in economy pay for the first bag",
    ("book_reservation", "L1"): "it has three free bags for a gold member in business, where there are four",
    ("cancel_reservation", "X2"): "it cancels what has been flown in part",
    ("send_certificate", "K4"): "it compensates a delay although nothing was changed or cancelled",
}
"""Where the older reference, by which recordings were graded, breaks the written policy; there the policy wins."""


class Function(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    arguments: str


class Call(BaseModel):
    model_config = ConfigDict(frozen=True)

    function: Function


class Said(BaseModel):
    """One message in Chat Completions form."""

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "assistant", "tool", "system"]
    content: str | None = None
    tool_calls: tuple[Call, ...] | None = None


class ReferenceWrite(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    arguments: dict[str, JsonValue]


class Recording(BaseModel):
    """One conversation, and the writes that were right for its customer."""

    model_config = ConfigDict(frozen=True)

    task_id: int | str
    trial: int | str
    messages: tuple[Said, ...]
    reference_writes: tuple[ReferenceWrite, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.task_id}/{self.trial}"

    @property
    def session(self) -> str:
        """As the demo model names the session that plays it."""
        return f"recording-{self.task_id}-{self.trial}"

    def customers_messages(self) -> tuple[str, ...]:
        return tuple(said.content or "" for said in self.messages if said.role == "user")

    def calls(self) -> tuple["RecordedCall", ...]:
        """What was called, with what the tools answered then: each answer follows its call."""
        results = iter([said.content or "" for said in self.messages if said.role == "tool"])
        made = (call.function for said in self.messages for call in said.tool_calls or ())
        paired = [(function, next(results, "")) for function in made]
        return tuple(
            RecordedCall(function.name, arguments_of(function), result)
            for function, result in paired
            if function.name not in NOT_PLAYED
        )

    def is_right(self, call: "RecordedCall") -> bool:
        return any(write.name == call.name and write.arguments == call.arguments for write in self.reference_writes)


@dataclass(frozen=True)
class RecordedCall:
    name: str
    arguments: dict[str, Any]
    result: str

    @property
    def failed(self) -> bool:
        return self.result.startswith((ERROR, UNKNOWN_TOOL))

    @property
    def is_write(self) -> bool:
        return self.name in WRITES


@dataclass(frozen=True)
class PlayedCall:
    """What became of a call in our mesh: of one that was held, what it came to after the customer's yes."""

    name: str
    ok: bool
    content: str

    @property
    def refused(self) -> bool:
        return not self.ok or self.content.strip('"').startswith(ERROR)

    @property
    def rule(self) -> str:
        """The number of the rule that refused it; empty when it was no rule of the policy."""
        found = RULE.search(self.content) if self.refused else None
        return found[1] if found and found[1] in RULES else ""


@dataclass
class Verdicts:
    """What a recording's replay came to. A miss is what must not be; a remark is what has a reason."""

    writes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass
class Past:
    """What was written before a call, then and in the replay."""

    reservations: set[str] = field(default_factory=set)
    """Written to by a call that was made then, or is now."""
    any_write: bool = False
    parted: bool = False
    """Whether a write was made then and refused now, or the other way round: the two states differ."""


def read_recordings(path: Path) -> list[Recording]:
    """The recordings in a file. Raises BadFile."""
    try:
        return TypeAdapter(list[Recording]).validate_json(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadFile(f"{path} does not hold recordings: {error}") from error


def arguments_of(function: Function) -> dict[str, Any]:
    """The call's arguments; none when a model wrote what is no JSON object."""
    given = parsed(function.arguments)
    return given if isinstance(given, dict) else {}


def customer_of(recording: Recording, base: World) -> str:
    """Who speaks: whom the customer says to be, or the calls name, or whose reservation they name; else anybody."""
    calls = recording.calls()
    said = [word for text in recording.customers_messages() for word in re.findall(r"\w+", text)]
    named = [str(call.arguments["user_id"]) for call in calls if "user_id" in call.arguments]
    reservations = [str(call.arguments.get("reservation_id", "")) for call in calls]
    owners = [base.reservations[one]["user_id"] for one in reservations if one in base.reservations]
    return next((str(one) for one in (*said, *named, *owners) if one in base.users), next(iter(base.users)))


def calls_in(messages: Sequence[Message]) -> list[PlayedCall]:
    """The calls that the played model asked for, in order, each with its last result."""
    results = {message.call_id: message for message in messages if isinstance(message, ToolResult)}
    asked = [call for message in messages if isinstance(message, ModelReply) for call in message.calls]
    played = []
    for call in asked:
        if call.tool.startswith(HANDOFF_PREFIX) or call.call_id.endswith(CONFIRMED):
            continue
        result = results.get(call.call_id + CONFIRMED) or results.get(call.call_id)
        ok = result is not None and result.ok and result.outcome == "known"
        played.append(PlayedCall(call.tool, ok, result.content if result else ""))
    return played


def judge(recording: Recording, played: Sequence[PlayedCall], customer_id: str, base: World) -> Verdicts:
    """Compare a replay with its recording, call by call. `customer_id` is whose session played it."""
    verdicts, past = Verdicts(), Past()
    recorded = recording.calls()
    if [call.name for call in recorded] != [call.name for call in played]:
        verdicts.misses.append(f"{recording.name}: {len(played)} calls were played of {len(recorded)} recorded")
    for call, now in zip(recorded, played, strict=False):
        where = f"{recording.name} {call.name}"
        if call.is_write:
            judge_write(verdicts, past, call, now, recording.is_right(call), where)
        elif now.refused and is_of_another(call, customer_id, base):
            verdicts.reads["another customer's, refused"] += 1
        else:
            judge_read(verdicts, past, call, now, where)
    return verdicts


def is_of_another(call: RecordedCall, customer_id: str, base: World) -> bool:
    """Whether the call is about somebody else than the customer, which the reference's tools did not mind."""
    reservation = base.reservations.get(str(call.arguments.get("reservation_id")), {})
    return {call.arguments.get("user_id"), reservation.get("user_id")} - {None, customer_id} != set()


def judge_write(verdicts: Verdicts, past: Past, call: RecordedCall, now: PlayedCall, right: bool, where: str) -> None:
    kind = "right" if right else "refused then" if call.failed else "wrong"
    outcome = "refused" if now.refused else "made"
    verdicts.writes[f"{kind}, {outcome}"] += 1
    if now.refused:
        verdicts.rules[f"{kind}: {now.rule or 'no rule'}"] += 1
    if right and now.refused:
        why = OLDER_REFERENCE.get((call.name, now.rule))
        if why:
            verdicts.remarks.append(f"{where}: right by the older reference only, {why}; refused by {now.rule}")
        elif past.parted:
            verdicts.remarks.append(f"{where}: right, but not after what was refused before it; {shown(now.content)}")
        else:
            verdicts.misses.append(f"{where}: right, and refused: {shown(now.content)}")
    if not call.failed and not right:
        verdicts.remarks.append(f"{where}: wrong, {outcome}" + (f" by {now.rule or 'no rule'}" if now.refused else ""))
    if call.failed and now.refused:
        return
    past.any_write = True
    past.parted = past.parted or call.failed != now.refused
    past.reservations |= {str(call.arguments.get("reservation_id", "")), *new_reservations(call, now)}


def new_reservations(call: RecordedCall, now: PlayedCall) -> Iterator[str]:
    if call.name != "book_reservation":
        return
    for failed, text in ((call.failed, call.result), (now.refused, now.content)):
        value = None if failed else parsed(text)
        if isinstance(value, dict):
            yield str(value.get("reservation_id"))


def judge_read(verdicts: Verdicts, past: Past, call: RecordedCall, now: PlayedCall, where: str) -> None:
    different = difference(call, now)
    if not different:
        verdicts.reads["equal"] += 1
    elif why := reason_in_search(call, now, past):
        verdicts.reads[why] += 1
    elif touched(call, past):
        why = "after a write that was refused" if past.parted else "after a write that the older reference records else"
        verdicts.reads[why] += 1
        verdicts.remarks.append(f"{where}: {different}, {why}")
    else:
        verdicts.reads["different"] += 1
        verdicts.misses.append(f"{where}: {different}")


def reason_in_search(call: RecordedCall, now: PlayedCall, past: Past) -> str:
    """Why a search may find other seats than it did; empty when it may not, or more than seats are other."""

    def on_the_next_day(flight: Record) -> set[str]:
        return {SEATS, PRICES} if flight.get("date") not in (None, call.arguments.get("date")) else set()

    if past.any_write and call.name in SEARCHES and not difference(call, now, lambda flight: {SEATS}):
        return "other seats, after a write"
    if call.name == ONE_STOP and not difference(call, now, on_the_next_day):
        return (
            "other seats and prices of a connection on the next day: the older reference told those of the day before"
        )
    return ""


def touched(call: RecordedCall, past: Past) -> bool:
    """Whether what the call reads had been written to."""
    if call.name == "get_user_details":
        return past.any_write
    return str(call.arguments.get("reservation_id")) in past.reservations


def nothing(_record: Record) -> set[str]:
    return set()


def difference(call: RecordedCall, now: PlayedCall, left_out: LeftOut = nothing) -> str:
    """Where the answer is other than it was, in words; empty when it is not. Two errors are equal."""
    if call.failed or now.refused:
        same = call.failed and now.refused
        return "" if same else f"was {shown(call.result)}, is {shown(now.content)}"
    was, is_now = parsed(call.result), parsed(now.content.partition(CUT)[0])
    if CUT in now.content and isinstance(was, list) and isinstance(is_now, list):
        # What a model is fed is cut; the last whole answers before the cut are compared.
        is_now = is_now[:-1]
        was = was[: len(is_now)]
    if isinstance(is_now, str):
        was = call.result  # What answers with a text was not JSON then, though "255.0" looks like it.
    return first_difference(spelled(was, left_out), spelled(is_now, left_out))


def parsed(text: str) -> Any:
    """JSON, as far as it goes; what is none is a text."""
    try:
        return pydantic_core.from_json(text, allow_partial=True)
    except ValueError:
        return text


def spelled(value: Any, left_out: LeftOut) -> Any:
    """One spelling of both: recordings say province for state, and leave out what is null and a user's own id."""
    if isinstance(value, list):
        return [spelled(one, left_out) for one in value]
    if not isinstance(value, dict):
        return value
    names: Record = {"state" if name == "province" else name: one for name, one in value.items() if one is not None}
    without = left_out(names) | ({"user_id"} if "membership" in names else set())
    return {name: spelled(one, left_out) for name, one in names.items() if name not in without}
