"""What happened in a turn, as a tree of spans, from the rows of Restate's introspection tables. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, Json

from switchboard.session.contract import SESSION

TURN_HANDLER = "take_turn"
MODEL_RUN = "model "
"""A journaled model call is named `model <step> <name of the model>`."""

CALL, RUN, RUN_RESULT = "Command: Call", "Command: Run", "Notification: Run"
ENTRY_TYPES = (CALL, RUN, RUN_RESULT)
"""The entries of a journal from which a turn can be told; the others need not be read."""

Kind = Literal["session", "agent", "model", "tool"]
State = Literal["waiting", "running", "retrying", "paused", "ok", "failed"]

STATES: dict[str, State] = {
    "scheduled": "waiting",
    "inboxed": "waiting",
    "pending": "waiting",
    "backing-off": "retrying",
    "paused": "paused",
}


class InvocationRow(BaseModel):
    """A row of sys_invocation."""

    id: str
    target_service_name: str
    target_handler_name: str
    status: str
    created_at: datetime
    completed_at: datetime | None = None
    completion_result: str | None = None
    completion_failure: str | None = None
    retry_count: int | None = None
    last_failure: str | None = None
    last_failure_related_command_name: str | None = None


class _Call(BaseModel):
    invocation_id: str


class _Run(BaseModel):
    completion_id: int


class _Command(BaseModel):
    call: _Call | None = Field(None, alias="Call")
    run: _Run | None = Field(None, alias="Run")


class _CompletionId(BaseModel):
    number: int = Field(alias="CompletionId")


class _Notification(BaseModel):
    """The result of the command that has the same number."""

    id: _CompletionId
    result: str


class _Entry(BaseModel):
    """An entry of a journal without its payload."""

    command: _Command = Field(_Command(), alias="Command")
    notification: _Notification | None = Field(None, alias="Notification")


class JournalRow(BaseModel):
    """A row of sys_journal. Whom a call went to is in the entry, and not in the column `invoked_id`."""

    id: str
    index: int
    entry_type: str
    name: str | None = None
    appended_at: datetime
    entry_lite_json: Json[_Entry]

    @property
    def callee(self) -> str | None:
        """The invocation that this entry calls and waits for; one-way messages are no part of a turn."""
        call = self.entry_lite_json.command.call
        return call.invocation_id if call else None

    @property
    def is_model_call(self) -> bool:
        return self.entry_type == RUN and (self.name or "").startswith(MODEL_RUN)


@dataclass(frozen=True)
class Span:
    """Something that took time in a turn. `end` is None while it goes on; `why` says what went wrong."""

    kind: Kind
    name: str
    state: State
    start: datetime
    end: datetime | None
    why: str = ""
    children: tuple["Span", ...] = ()

    def walk(self) -> Iterator["Span"]:
        """This span and all below it, in the order of the journals."""
        yield self
        for child in self.children:
            yield from child.walk()

    def of_kind(self, kind: Kind) -> list["Span"]:
        return [span for span in self.walk() if span.kind == kind]


def columns(row: type[BaseModel]) -> str:
    """The columns to select for a kind of row."""
    return ", ".join(f'"{name}"' for name in row.model_fields)


def called(journal: Iterable[JournalRow]) -> set[str]:
    """The invocations that are called in these journals."""
    return {row.callee for row in journal if row.callee is not None}


def build(root_id: str, invocations: Iterable[InvocationRow], journal: Iterable[JournalRow]) -> Span | None:
    """The tree below an invocation; None when there is no row of it (yet)."""
    journals: dict[str, list[JournalRow]] = {}
    for row in sorted(journal, key=lambda row: row.index):
        journals.setdefault(row.id, []).append(row)
    by_id = {row.id: row for row in invocations}
    return _invocation(by_id[root_id], by_id, journals) if root_id in by_id else None


def _invocation(
    row: InvocationRow,
    by_id: dict[str, InvocationRow],
    journals: dict[str, list[JournalRow]],
    asked_at: datetime | None = None,
) -> Span:
    """With all that it called. It begins when its caller asked for it: waiting for a lock is part of what it took."""
    kind, name = _role(row)
    start = asked_at or row.created_at
    journal = journals.get(row.id, [])
    children: list[Span] = []
    for entry in journal:
        if entry.callee is not None and entry.callee in by_id:
            children.append(_invocation(by_id[entry.callee], by_id, journals, asked_at=entry.appended_at))
        elif kind == "agent" and entry.is_model_call:
            # The command may reach the journal only together with its result, so the model's time is counted from
            # when there was all to ask it with.
            ready = max([start, *(child.end for child in children if child.end is not None)])
            children.append(_model_call(entry, ready, journal, row))
    state = _state(row)
    why = row.completion_failure or (row.last_failure if state in {"retrying", "paused"} else None) or ""
    return Span(kind, name, state, start, row.completed_at, why, tuple(children))


def _role(row: InvocationRow) -> tuple[Kind, str]:
    if row.target_handler_name == TURN_HANDLER:
        return "agent", row.target_service_name
    if row.target_service_name == SESSION:
        return "session", row.target_handler_name
    return "tool", f"{row.target_service_name}.{row.target_handler_name}"


def _state(row: InvocationRow) -> State:
    if row.status == "completed":
        return "ok" if row.completion_result == "success" else "failed"
    return STATES.get(row.status, "running")


def _model_call(command: JournalRow, start: datetime, journal: list[JournalRow], agent: InvocationRow) -> Span:
    """Until the notification that answered it is in the journal."""
    name = (command.name or "").removeprefix(MODEL_RUN).partition(" ")[2]
    run = command.entry_lite_json.command.run
    for row in journal:
        answer = row.entry_lite_json.notification
        if run is not None and answer is not None and answer.id.number == run.completion_id:
            return Span("model", name, "failed" if answer.result == "Failure" else "ok", start, row.appended_at)
    state = _state(agent)
    if state in {"retrying", "paused"} and agent.last_failure_related_command_name == command.name:
        return Span("model", name, state, start, None, agent.last_failure or "")
    return Span("model", name, "running", start, None)
