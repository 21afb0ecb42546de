"""Reads a turn from Restate's introspection tables, as a tree of spans."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, Json

from switchboard.session.contract import SESSION

TURN_HANDLER = "take_turn"
MODEL_RUN = "model "
"""Prefix of the journal name of a model call: `model <step> <name of the model>`."""

CALL, RUN, RUN_RESULT = "Command: Call", "Command: Run", "Notification: Run"
ENTRY_TYPES = (CALL, RUN, RUN_RESULT)
"""The journal entries from which a turn is built. Others are not read."""

DEPTH_MAX = 8
INVOCATIONS_MAX = 200

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
    """The result of the command with the same completion id."""

    id: _CompletionId
    result: str


class _Entry(BaseModel):
    """A journal entry without its payload."""

    command: _Command = Field(_Command(), alias="Command")
    notification: _Notification | None = Field(None, alias="Notification")


class JournalRow(BaseModel):
    """A row of sys_journal. The callee of a call is in the entry's JSON, not in the column `invoked_id`."""

    id: str
    index: int
    entry_type: str
    name: str | None = None
    appended_at: datetime
    entry_lite_json: Json[_Entry]

    @property
    def callee(self) -> str | None:
        """The invocation that this entry calls and awaits. One-way messages are not part of a turn."""
        call = self.entry_lite_json.command.call
        return call.invocation_id if call else None

    @property
    def is_model_call(self) -> bool:
        return self.entry_type == RUN and (self.name or "").startswith(MODEL_RUN)


@dataclass(frozen=True)
class Span:
    """A timed part of a turn. `end` is None while it runs. `why` is the failure message."""

    kind: Kind
    name: str
    state: State
    start: datetime
    end: datetime | None
    why: str = ""
    children: tuple["Span", ...] = ()

    def walk(self) -> Iterator["Span"]:
        """Yield this span and all spans below it, in journal order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def of_kind(self, kind: Kind) -> list["Span"]:
        return [span for span in self.walk() if span.kind == kind]


def columns(row: type[BaseModel]) -> str:
    """Return the SQL column list for a row type."""
    return ", ".join(f'"{name}"' for name in row.model_fields)


def called(journal: Iterable[JournalRow]) -> set[str]:
    """Return the ids of the invocations that these journals call."""
    return {row.callee for row in journal if row.callee is not None}


def build(root_id: str, invocations: Iterable[InvocationRow], journal: Iterable[JournalRow]) -> Span | None:
    """Return the tree of an invocation, or None if the invocation has no row (yet)."""
    journals: dict[str, list[JournalRow]] = {}
    for row in sorted(journal, key=lambda row: row.index):
        journals.setdefault(row.id, []).append(row)
    by_id = {row.id: row for row in invocations}
    return _invocation(by_id[root_id], by_id, journals) if root_id in by_id else None


def _invocation(
    row: InvocationRow,
    by_id: dict[str, InvocationRow],
    journals: dict[str, list[JournalRow]],
    called_at: datetime | None = None,
) -> Span:
    """Return the span of an invocation and its callees. It starts at the call, so it includes waiting for a lock."""
    kind, name = _role(row)
    start = called_at or row.created_at
    journal = journals.get(row.id, [])
    children: list[Span] = []
    for entry in journal:
        if entry.callee is not None and entry.callee in by_id:
            children.append(_invocation(by_id[entry.callee], by_id, journals, called_at=entry.appended_at))
        elif kind == "agent" and entry.is_model_call:
            # The command may be journaled only together with its result, so a model call starts when the results of
            # all earlier calls are available.
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
    """Return the span of a model call. It ends when its result notification is journaled."""
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


Rows = Sequence[dict[str, Any]]
Query = Callable[[str], Awaitable[Rows]]
"""Sends an SQL query to Restate and returns the rows."""


async def read_turn(query: Query, root_id: str, known: set[str]) -> Span | None:
    """Return the tree of an invocation, or None if it has no row. Raises ValidationError, and the errors of `query`.

    It follows invocation ids from journal to journal, so the cost does not grow with the server's history. `known` are
    the ids that were found before; new ones are added.
    """
    known.add(root_id)
    journal: list[JournalRow] = []
    new = set(known)
    for _ in range(DEPTH_MAX):
        rows = await query(
            f"select {columns(JournalRow)} from sys_journal where id in ({quoted(new)}) "
            f"and entry_type in ({quoted(ENTRY_TYPES)})"
        )
        journal += [JournalRow.model_validate(row) for row in rows]
        new = called(journal) - known
        if not new or len(known) + len(new) > INVOCATIONS_MAX:
            break
        known |= new
    rows = await query(f"select {columns(InvocationRow)} from sys_invocation where id in ({quoted(known)})")
    return build(root_id, [InvocationRow.model_validate(row) for row in rows], journal)


def quoted(names: Iterable[str]) -> str:
    """Return the names as an SQL list. They are our constants or Restate's ids, which need no escaping."""
    return ", ".join(f"'{name}'" for name in sorted(names))
