"""Read recorded conversations of an airline agent and grade their replays. Pure."""

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
"""A tool with which the recorded agent wrote notes to itself. Our agents do not have it, and it had no effect."""

ONE_STOP = "search_onestop_flight"
SEARCHES = ("search_direct_flight", ONE_STOP)
SEATS, PRICES = "available_seats", "prices"

UNKNOWN_TOOL = "Unknown action"
"""Start of the recorded result for an unknown tool."""

LeftOut = Callable[[Record], set[str]]
"""Returns the fields of a record to leave out of the comparison."""

CUT = "\n[cut: "
RULE = re.compile(r"\(rule ([A-Z]+\d+)\)")

OLDER_REFERENCE = {
    ("update_reservation_flights", "C1"): "it changes the flights of basic economy",
    ("update_reservation_flights", "C2"): "it lets a change of flights change the destination",
    ("update_reservation_baggages", "L1"): "it charges a regular member in economy for the first bag",
    ("book_reservation", "L1"): "it gives a gold member in business three free bags instead of four",
    ("cancel_reservation", "X2"): "it cancels a reservation that is partly flown",
    ("send_certificate", "K4"): "it compensates a delay although nothing was changed or cancelled",
}
"""Where the older reference, which the recordings were graded with, breaks the written policy. Here the policy wins."""


class Function(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    arguments: str


class Call(BaseModel):
    model_config = ConfigDict(frozen=True)

    function: Function


class RecordedMessage(BaseModel):
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
    messages: tuple[RecordedMessage, ...]
    reference_writes: tuple[ReferenceWrite, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.task_id}/{self.trial}"

    @property
    def session(self) -> str:
        """Name of the session, as the demo model expects it."""
        return f"recording-{self.task_id}-{self.trial}"

    def customers_messages(self) -> tuple[str, ...]:
        return tuple(said.content or "" for said in self.messages if said.role == "user")

    def calls(self) -> tuple["RecordedCall", ...]:
        """Return the recorded calls with their results. Each result follows its call."""
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
    """The result of a call in our mesh. For a held call it is the result after the customer's yes."""

    name: str
    ok: bool
    content: str

    @property
    def refused(self) -> bool:
        return not self.ok or self.content.strip('"').startswith(ERROR)

    @property
    def rule(self) -> str:
        """The number of the rule that refused the call; empty if no rule of the policy did."""
        found = RULE.search(self.content) if self.refused else None
        return found[1] if found and found[1] in RULES else ""


@dataclass
class Grades:
    """The grade of a replay. A miss is an error; a remark is a difference that has a reason."""

    writes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass
class History:
    """Writes before a call, in the recording and in the replay."""

    reservations: set[str] = field(default_factory=set)
    """Reservations that were written in the recording or in the replay."""
    any_write: bool = False
    diverged: bool = False
    """Whether a write succeeded in one of the two only, so that the states differ."""


def read_recordings(path: Path) -> list[Recording]:
    """Return the recordings in a file. Raises BadFile."""
    try:
        return TypeAdapter(list[Recording]).validate_json(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadFile(f"{path} does not hold recordings: {error}") from error


def arguments_of(function: Function) -> dict[str, Any]:
    """Return the call's arguments; none if the model did not write a JSON object."""
    given = parsed(function.arguments)
    return given if isinstance(given, dict) else {}


def customer_of(recording: Recording, base: World) -> str:
    """Return the customer: named in their messages or in the calls, or owner of a reservation; else the first user."""
    calls = recording.calls()
    said = [word for text in recording.customers_messages() for word in re.findall(r"\w+", text)]
    named = [str(call.arguments["user_id"]) for call in calls if "user_id" in call.arguments]
    reservations = [str(call.arguments.get("reservation_id", "")) for call in calls]
    owners = [base.reservations[one]["user_id"] for one in reservations if one in base.reservations]
    return next((str(one) for one in (*said, *named, *owners) if one in base.users), next(iter(base.users)))


def calls_in(messages: Sequence[Message]) -> list[PlayedCall]:
    """Return the calls that the replayed model requested, in order, each with its last result."""
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


def grade_recording(recording: Recording, played: Sequence[PlayedCall], customer_id: str, base: World) -> Grades:
    """Compare a replay with its recording, call by call. `customer_id` is the session's customer."""
    grades, history = Grades(), History()
    recorded = recording.calls()
    if [call.name for call in recorded] != [call.name for call in played]:
        grades.misses.append(f"{recording.name}: {len(played)} calls were played of {len(recorded)} recorded")
    for call, now in zip(recorded, played, strict=False):
        where = f"{recording.name} {call.name}"
        if call.is_write:
            grade_write(grades, history, call, now, recording.is_right(call), where)
        elif now.refused and concerns_another_customer(call, customer_id, base):
            grades.reads["another customer's, refused"] += 1
        else:
            grade_read(grades, history, call, now, where)
    return grades


def concerns_another_customer(call: RecordedCall, customer_id: str, base: World) -> bool:
    """Return whether the call concerns another customer, which the reference's tools allowed."""
    reservation = base.reservations.get(str(call.arguments.get("reservation_id")), {})
    return {call.arguments.get("user_id"), reservation.get("user_id")} - {None, customer_id} != set()


def grade_write(grades: Grades, history: History, call: RecordedCall, now: PlayedCall, right: bool, where: str) -> None:
    kind = "right" if right else "refused then" if call.failed else "wrong"
    outcome = "refused" if now.refused else "made"
    grades.writes[f"{kind}, {outcome}"] += 1
    if now.refused:
        grades.rules[f"{kind}: {now.rule or 'no rule'}"] += 1
    if right and now.refused:
        why = OLDER_REFERENCE.get((call.name, now.rule))
        if why:
            grades.remarks.append(f"{where}: right by the older reference only, {why}; refused by {now.rule}")
        elif history.diverged:
            grades.remarks.append(f"{where}: right, but an earlier write was refused; {shown(now.content)}")
        else:
            grades.misses.append(f"{where}: right, and refused: {shown(now.content)}")
    if not call.failed and not right:
        grades.remarks.append(f"{where}: wrong, {outcome}" + (f" by {now.rule or 'no rule'}" if now.refused else ""))
    if call.failed and now.refused:
        return
    history.any_write = True
    history.diverged = history.diverged or call.failed != now.refused
    history.reservations |= {str(call.arguments.get("reservation_id", "")), *new_reservations(call, now)}


def new_reservations(call: RecordedCall, now: PlayedCall) -> Iterator[str]:
    if call.name != "book_reservation":
        return
    for failed, text in ((call.failed, call.result), (now.refused, now.content)):
        value = None if failed else parsed(text)
        if isinstance(value, dict):
            yield str(value.get("reservation_id"))


def grade_read(grades: Grades, history: History, call: RecordedCall, now: PlayedCall, where: str) -> None:
    different = difference(call, now)
    if not different:
        grades.reads["equal"] += 1
    elif why := reason_in_search(call, now, history):
        grades.reads[why] += 1
    elif was_written(call, history):
        why = (
            "after a write that was refused"
            if history.diverged
            else "after a write that the older reference records differently"
        )
        grades.reads[why] += 1
        grades.remarks.append(f"{where}: {different}, {why}")
    else:
        grades.reads["different"] += 1
        grades.misses.append(f"{where}: {different}")


def reason_in_search(call: RecordedCall, now: PlayedCall, history: History) -> str:
    """Return the reason why a search may find other seats; empty if there is none or if more than seats differ."""

    def on_the_next_day(flight: Record) -> set[str]:
        return {SEATS, PRICES} if flight.get("date") not in (None, call.arguments.get("date")) else set()

    if history.any_write and call.name in SEARCHES and not difference(call, now, lambda flight: {SEATS}):
        return "other seats, after a write"
    if call.name == ONE_STOP and not difference(call, now, on_the_next_day):
        return (
            "other seats and prices of a connection on the next day:"
            " the older reference returned those of the day before"
        )
    return ""


def was_written(call: RecordedCall, history: History) -> bool:
    """Return whether the record that the call reads was written before."""
    if call.name == "get_user_details":
        return history.any_write
    return str(call.arguments.get("reservation_id")) in history.reservations


def no_fields(_record: Record) -> set[str]:
    return set()


def difference(call: RecordedCall, now: PlayedCall, left_out: LeftOut = no_fields) -> str:
    """Describe the difference from the recorded result; empty if there is none. Any two errors are equal."""
    if call.failed or now.refused:
        same = call.failed and now.refused
        return "" if same else f"was {shown(call.result)}, is {shown(now.content)}"
    was, is_now = parsed(call.result), parsed(now.content.partition(CUT)[0])
    if CUT in now.content and isinstance(was, list) and isinstance(is_now, list):
        # Results for a model are shortened. Compare only the complete entries before the cut.
        is_now = is_now[:-1]
        was = was[: len(is_now)]
    if isinstance(is_now, str):
        was = call.result  # A text result was not JSON in the recording, even if it looks like it, as "255.0" does.
    return first_difference(normalised(was, left_out), normalised(is_now, left_out))


def parsed(text: str) -> Any:
    """Parse JSON, even if it is cut off; return other text unchanged."""
    try:
        return pydantic_core.from_json(text, allow_partial=True)
    except ValueError:
        return text


def normalised(value: Any, left_out: LeftOut) -> Any:
    """Normalise a value. Recordings have `province` for `state`, and leave out nulls and a user's own id."""
    if isinstance(value, list):
        return [normalised(one, left_out) for one in value]
    if not isinstance(value, dict):
        return value
    names: Record = {"state" if name == "province" else name: one for name, one in value.items() if one is not None}
    without = left_out(names) | ({"user_id"} if "membership" in names else set())
    return {name: normalised(one, left_out) for name, one in names.items() if name not in without}
