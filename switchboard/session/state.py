"""State that a session keeps between messages, and how a finished turn changes it. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from switchboard.loop.call_report import report_calls
from switchboard.messages import (
    SUMMARY,
    CallToConfirm,
    Card,
    Confirmation,
    HeldCall,
    Message,
    ModelReply,
    Note,
    Notice,
    Question,
    Reply,
    Spent,
    TurnOutcome,
    Usage,
    UserText,
    WireModel,
    added_later,
)
from switchboard.session.contract import Act, AgentSpending, TurnRecord
from switchboard.session.settings import SessionSettings
from switchboard.session.window import (
    WINDOW_LIMIT_BYTES,
    WINDOW_STAFFED_BYTES,
    Window,
    bound_opaque,
    flatten,
    newest_turns,
    skip_messages,
    turns_to_summarize,
    visible,
    window_turn,
    withhold,
    without_opaque,
)

NOT_DONE = "Okay, I won't do that."
NOT_CONFIRMED = "The customer did not confirm. These held calls were not made: {tools}."
HEARD_MAX = 32
"""Signed requests that a session remembers. It answers fewer within the minute and a half in which a copy of one is
accepted."""

OUTCOME_UNKNOWN = (
    "Some steps may have been completed. Please ask me for the current status before you repeat your request."
)


class PendingConfirmation(WireModel):
    """Calls of one step that wait for the customer's yes, and the agent that will make them.

    `asked_by` is the invocation that asked the question, and `trace` is its position in its trace. `by_word` is False
    once the customer has received another message: a bare "yes" may then answer that message, so only an explicit
    confirmation counts. `turn` is the number of the turn that asked; 0 in older questions. `tasks` are the turns so far
    of the tasks that wait for the answer, by task.
    """

    held_id: str
    agent: str
    asked_by: str
    asked_at: datetime | None = None
    trace: str = ""
    calls: tuple[HeldCall, ...]
    expires_at: datetime
    by_word: bool = True
    turn: int = added_later(0)
    tasks: dict[str, tuple[int, ...]] = added_later({})

    def confirmation(self) -> Confirmation:
        calls = tuple(CallToConfirm(tool=call.tool, question=call.question) for call in self.calls)
        return Confirmation(held_id=self.held_id, calls=calls, expires_at=self.expires_at)


class Settled(WireModel):
    """How much of what a session has used its customer's account contains."""

    tokens: int
    cost: Decimal


class StaffMode(WireModel):
    """A staff member answers in the agents' place.

    `waiting_since` is the time of the oldest of the customer's messages that the staff member has not answered; the
    take-over itself counts as one. `timer` is the turn that started the timer which checks it; 0 without a timer.
    """

    by: str
    since: datetime
    waiting_since: datetime | None = None
    timer: int = 0


class Head(WireModel):
    """Everything that a message needs to know about earlier turns. Its size is bounded, and so is a turn's cost.

    `folding` is the last turn that the pending summary will cover; 0 when no summary is pending. `signed_in` never
    returns to False: an unauthenticated customer must not see what a signed-in customer was told.
    `last_at` is the time of the last turn, and `expiry` the turn that started the timer which checks it; 0 without a
    timer. An expired session keeps only this record, with `expired_at`. `heard` are the ids of the newest signed
    requests, so that none of them is accepted twice. While `staff` is set, no agent answers. `rated`
    says that the customer has rated replies.
    """

    customer_id: str
    signed_in: bool = True
    active: str
    turns_total: int = 0
    window: Window = ()
    summary: str = ""
    folding: int = 0
    held: PendingConfirmation | None = None
    spending: tuple[AgentSpending, ...] = ()
    settled: Settled | None = added_later(None)
    last_at: datetime | None = added_later(None)
    expiry: int = added_later(0)
    expired_at: datetime | None = added_later(None)
    heard: tuple[str, ...] = added_later(())
    staff: StaffMode | None = added_later(None)
    rated: bool = added_later(False)

    @property
    def cost(self) -> Decimal:
        return sum((agent.cost for agent in self.spending), Decimal(0))

    @property
    def tokens(self) -> int:
        return sum(agent.usage.input_tokens + agent.usage.output_tokens for agent in self.spending)


class Running(WireModel):
    """The message that is being answered: its customer, its invocation, and the awakeable that stops it.

    `turn` is the number that its turn gets; 0 in messages that an earlier version accepted. `tasks` are those that it
    belongs to.
    """

    customer_id: str
    signed_in: bool = True
    invocation_id: str
    stop_id: str
    since: datetime
    turn: int = added_later(0)
    tasks: tuple[str, ...] = added_later(())


class Changed(WireModel):
    """Changes of one turn to the conversation that models see: the new window and summary.

    `withheld` are the earlier turns with messages that a model's provider refused.
    """

    window: Window
    summary: str
    withheld: tuple[int, ...] = ()


class FinishedTurn(WireModel):
    """The result of a turn. `agents` are the agents that worked on it, in order.

    `by`, `act` and `note` are set for acts of staff; see TurnRecord.
    """

    text: str
    added: tuple[Message, ...]
    agents: tuple[str, ...] = ()
    failed: bool = False
    interrupted: bool = False
    question: Question | None = None
    attempts: tuple[Spent, ...] = ()
    changed: Changed | None = None
    by: str = added_later("")
    act: Act = added_later("")
    note: str = added_later("")
    trace_id: str = ""
    invocation_id: str = ""
    tasks: tuple[str, ...] = ()


class TurnStart(WireModel):
    """Time, agents and trace of a message, looked up once when it arrives. `trace` is a W3C traceparent.

    `journal` is the version of the journal entries of the turn; see `switchboard.loop.decisions.JOURNAL`. `tokens_left`
    and `over_budget` say what the session may still use; None in journals of version 1. They are journaled, because
    the limits may change before a replay. `limited_by` names the limit that `tokens_left` comes from.
    `customer_limited` if the turn asks its customer's account for tokens; `estimate` are the tokens that are charged if
    it never reports. `idle_max` is when the session expires after it. `events` is the version of the numbers of events;
    see `switchboard.events.NUMBERS`. Earlier versions set none of these. `tasks` are those that the message belongs to;
    they follow from the message, so they are not journaled.
    """

    at: datetime
    cards: tuple[Card, ...]
    trace: str = ""
    journal: int = 1
    tokens_left: int | None = None
    over_budget: bool | None = None
    limited_by: str = added_later("")
    customer_limited: bool = added_later(False)
    estimate: int = added_later(0)
    idle_max: timedelta | None = added_later(None)
    events: int = added_later(0)
    tasks: tuple[str, ...] = added_later(())


class Opening(WireModel):
    """How a turn starts: its first messages, the agent that answers, and the calls that the customer confirmed.

    `settled` is set when the reply needs no agent.
    """

    messages: tuple[Message, ...]
    active: str
    confirmed: tuple[HeldCall, ...] = ()
    settled: FinishedTurn | None = None


def hear(head: Head, request_id: str) -> Head | None:
    """Return the session with a signed request added; None if it was added before. An unsigned one has no id."""
    if request_id and request_id in head.heard:
        return None
    return head.model_copy(update={"heard": (*head.heard, request_id)[-HEARD_MAX:]}) if request_id else head


def open_message(head: Head, text: str, consent: Literal["yes", "no"] | None) -> Opening:
    """Interpret a message. A yes or a no has a meaning only while calls wait for confirmation."""
    message = UserText(text=text)
    if head.held is None:
        return Opening(messages=(message,), active=head.active)
    dropped = note_of_dropped(head.held)
    if consent == "yes":
        return Opening(messages=(message,), active=head.held.agent, confirmed=head.held.calls)
    if consent == "no":
        done = FinishedTurn(text=NOT_DONE, added=(message, dropped, Notice(text=NOT_DONE)))
        return Opening(messages=(message,), active=head.active, settled=done)
    return Opening(messages=(dropped, message), active=head.active)


def note_of_dropped(held: PendingConfirmation) -> Note:
    """Tell the model that the calls of a question were not made.

    Contains only the tools' names: models obey notes, so a note must not contain text by a customer or a model.
    """
    return Note(text=NOT_CONFIRMED.format(tools=", ".join(call.tool for call in held.calls)))


def finished_turn(reply: Reply, agents: Sequence[str], added: Sequence[Message]) -> FinishedTurn:
    return FinishedTurn(text=reply.text, failed=reply.failed, agents=tuple(agents), added=tuple(added))


def turn_record(turn: int, at: datetime, done: FinishedTurn) -> TurnRecord:
    return TurnRecord(
        turn=turn,
        at=at,
        agents=done.agents,
        messages=tuple(visible(message) for message in done.added),
        reply=done.text,
        failed=done.failed,
        interrupted=done.interrupted,
        usage=sum((call.usage for call in model_calls(done)), Usage()),
        by=done.by,
        act=done.act,
        note=done.note,
        trace_id=done.trace_id,
        invocation_id=done.invocation_id,
        tasks=done.tasks,
    )


def turns_of_tasks(head: Head, tasks: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the turns of these tasks, with the next turn of the session as the last one."""
    before = head.held.tasks if head.held is not None else {}
    return {task: (*before.get(task, ()), head.turns_total + 1) for task in tasks}


def head_after_turn(
    head: Head, at: datetime, done: FinishedTurn, held: PendingConfirmation | None, settings: SessionSettings
) -> Head:
    """Return the session after the turn. Its window is not trimmed yet: a summary may replace the oldest turns."""
    if done.changed is not None:
        head = head.model_copy(update={"window": done.changed.window, "summary": done.changed.summary})
    turn = head.turns_total + 1
    active = done.agents[-1] if done.agents else head.active
    return head.model_copy(
        update={
            "active": active,
            "turns_total": turn,
            "window": (*head.window, window_turn(turn, done.added)) if done.added else head.window,
            "held": held,
            "last_at": at,
            "spending": add_spending(head.spending, model_calls(done), settings),
        }
    )


def add_spending(
    before: tuple[AgentSpending, ...], calls: Sequence[ModelReply | Spent], settings: SessionSettings
) -> tuple[AgentSpending, ...]:
    """Return each agent's usage and cost, with these model calls added."""
    totals = {agent.agent: agent for agent in before}
    for call in calls:
        if call.usage == Usage():
            continue
        so_far = totals.get(call.agent, AgentSpending(agent=call.agent, usage=Usage(), cost=Decimal(0)))
        totals[call.agent] = AgentSpending(
            agent=call.agent, usage=so_far.usage + call.usage, cost=so_far.cost + settings.cost(call)
        )
    return tuple(totals.values())


def over_budget(head: Head, settings: SessionSettings) -> bool:
    """Return whether the session has reached its limit of tokens or cost."""
    return head.tokens >= settings.session_tokens_max or (head.cost > 0 and head.cost >= settings.session_budget)


def trim_window(head: Head) -> tuple[Head, Window]:
    """Return the session with a window within its limit, and the turns for which to request a summary now, if any.

    If a requested summary never arrives, another one is requested once the turns that it covers have left the window.
    While a staff member answers, no model is asked for a summary.
    """
    if head.staff is not None:
        return head.model_copy(update={"window": newest_turns(head.window, WINDOW_STAFFED_BYTES)}), ()
    pending = head.folding >= head.window[0].turn if head.window else False
    oldest = () if pending else turns_to_summarize(head.window)
    folding = oldest[-1].turn if oldest else head.folding if pending else 0
    window = bound_opaque(newest_turns(head.window, WINDOW_LIMIT_BYTES))
    return head.model_copy(update={"window": window, "folding": folding}), oldest


def interruption_text(reason: str, added: Sequence[Message], known: bool) -> str:
    """Tell the customer which calls of an interrupted turn were completed, were not, or have an unknown outcome."""
    report = report_calls(added)
    if not known:
        return " ".join(part for part in (reason, report.sentence(), OUTCOME_UNKNOWN) if part)
    return f"{reason} {report.sentence() or 'No changes were made.'}"


def model_calls(done: FinishedTurn) -> list[ModelReply | Spent]:
    """Return all model calls of a turn, also those without a usable reply."""
    return [*model_replies(done.added), *done.attempts]


def change_window(window: Window, summary: str, outcome: TurnOutcome) -> Changed:
    """Return what models see from now on, after an outcome that says what an endpoint refused or could not take."""
    messages = flatten(window)
    affected = {position for position in outcome.withheld if 0 <= position < len(messages)}
    numbers = [turn.turn for turn in window for _ in turn.messages]
    withheld = tuple(sorted({numbers[position] for position in affected}))
    window = withhold(window, affected)
    if outcome.plain_history:
        window = tuple(without_opaque(turn) for turn in window)
    window = skip_messages(window, outcome.skipped)
    return Changed(window=window, summary="" if SUMMARY in outcome.withheld else summary, withheld=withheld)


def model_replies(messages: Sequence[Message]) -> list[ModelReply]:
    return [message for message in messages if isinstance(message, ModelReply)]
