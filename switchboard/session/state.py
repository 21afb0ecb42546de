"""What a session remembers between messages, and what a finished turn makes of it. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from switchboard.loop.call_report import report_calls
from switchboard.messages import (
    HeldCall,
    Message,
    ModelReply,
    Note,
    Notice,
    Question,
    Reply,
    Usage,
    UserText,
    WireModel,
)
from switchboard.session.contract import AgentSpending, AskedCall, Confirmation, TurnRecord
from switchboard.session.settings import SessionSettings
from switchboard.session.window import WINDOW_LIMIT_BYTES, Window, newest, to_fold, window_turn

NOT_DONE = "All right, I have not done that."
NOT_CONFIRMED = "The customer did not confirm. These held calls were not made: {tools}."
NOBODY_KNOWS = "I do not know what else of it was done. Ask me how it stands before you ask for it again."


class Held(WireModel):
    """Calls of one step that wait for the customer's yes, and the agent that will make them.

    `asked_by` is the invocation that asked, `trace` its place in its trace. `by_word` is False once something else was
    said to the customer since: a bare "yes" may then be meant for that, and only an explicit confirmation counts.
    """

    held_id: str
    agent: str
    asked_by: str
    asked_at: datetime | None = None
    trace: str = ""
    calls: tuple[HeldCall, ...]
    expires_at: datetime
    by_word: bool = True

    def confirmation(self) -> Confirmation:
        """As the customer sees it."""
        calls = tuple(AskedCall(tool=call.tool, question=call.question) for call in self.calls)
        return Confirmation(held_id=self.held_id, calls=calls, expires_at=self.expires_at)


class Head(WireModel):
    """All that a message needs to know of what was before it. Its size is bounded, so a turn's cost is as well.

    `folding` is the last turn that a summary under way will stand for; 0 when none is under way. `signed_in` never goes
    back: of what a signed-in customer was told, nothing is for somebody who is not.
    """

    customer_id: str
    signed_in: bool = True
    active: str
    turns_total: int = 0
    window: Window = ()
    summary: str = ""
    folding: int = 0
    held: Held | None = None
    spending: tuple[AgentSpending, ...] = ()

    @property
    def cost(self) -> Decimal:
        return sum((agent.cost for agent in self.spending), Decimal(0))

    @property
    def tokens(self) -> int:
        return sum(agent.usage.input_tokens + agent.usage.output_tokens for agent in self.spending)


class Running(WireModel):
    """A message that is being answered: whose, which invocation does so, and the awakeable that stops it."""

    customer_id: str
    signed_in: bool = True
    invocation_id: str
    stop_id: str
    since: datetime


class Finished(WireModel):
    """How following a message through the agents ended. `agents` are those who had a turn, in order."""

    text: str
    added: tuple[Message, ...]
    agents: tuple[str, ...] = ()
    failed: bool = False
    interrupted: bool = False
    question: Question | None = None


class Opening(WireModel):
    """What a message begins with: its `messages`, who takes it, and the calls that it says yes to.

    `settled` is set when no agent is needed.
    """

    messages: tuple[Message, ...]
    active: str
    confirmed: tuple[HeldCall, ...] = ()
    settled: Finished | None = None


def open_message(head: Head, text: str, said: Literal["yes", "no"] | None) -> Opening:
    """A message, seen beside what the session holds. A yes or a no is one only while something is held."""
    message = UserText(text=text)
    if head.held is None:
        return Opening(messages=(message,), active=head.active)
    # The tools' names only: what a customer or a model wrote has no place in a note that a model obeys.
    dropped = Note(text=NOT_CONFIRMED.format(tools=", ".join(call.tool for call in head.held.calls)))
    if said == "yes":
        return Opening(messages=(message,), active=head.held.agent, confirmed=head.held.calls)
    if said == "no":
        done = Finished(text=NOT_DONE, added=(message, dropped, Notice(text=NOT_DONE)))
        return Opening(messages=(message,), active=head.active, settled=done)
    return Opening(messages=(dropped, message), active=head.active)


def finished(reply: Reply, agents: Sequence[str], added: Sequence[Message]) -> Finished:
    return Finished(text=reply.text, failed=reply.failed, agents=tuple(agents), added=tuple(added))


def record(turn: int, at: datetime, done: Finished) -> TurnRecord:
    """The turn as the transcript keeps it."""
    return TurnRecord(
        turn=turn,
        at=at,
        agents=done.agents,
        messages=done.added,
        reply=done.text,
        failed=done.failed,
        interrupted=done.interrupted,
        usage=sum((message.usage for message in model_replies(done.added)), Usage()),
    )


def after(head: Head, at: datetime, done: Finished, held: Held | None, settings: SessionSettings) -> Head:
    """The session once the turn is over. The window is not yet trimmed: a summary may stand for its oldest turns."""
    turn = head.turns_total + 1
    active = done.agents[-1] if done.agents else head.active
    return head.model_copy(
        update={
            "active": active,
            "turns_total": turn,
            "window": (*head.window, window_turn(turn, done.added)),
            "held": held,
            "spending": spent(head.spending, model_replies(done.added), settings),
        }
    )


def spent(
    before: tuple[AgentSpending, ...], replies: Sequence[ModelReply], settings: SessionSettings
) -> tuple[AgentSpending, ...]:
    """Each agent's tokens and money, with these model calls added."""
    totals = {agent.agent: agent for agent in before}
    for reply in replies:
        if reply.usage == Usage():
            continue
        so_far = totals.get(reply.agent, AgentSpending(agent=reply.agent, usage=Usage(), cost=Decimal(0)))
        totals[reply.agent] = AgentSpending(
            agent=reply.agent, usage=so_far.usage + reply.usage, cost=so_far.cost + settings.cost(reply)
        )
    return tuple(totals.values())


def overspent(head: Head, settings: SessionSettings) -> bool:
    """Whether the session has used up what it may cost."""
    return head.tokens >= settings.session_tokens_max or (head.cost > 0 and head.cost >= settings.session_budget)


def trimmed(head: Head) -> tuple[Head, Window]:
    """The session with its window within bounds, and the turns for which a summary should be asked now, if any.

    A summary that was asked for and never came is asked for again once its turns have left the window.
    """
    under_way = head.folding >= head.window[0].turn if head.window else False
    oldest = () if under_way else to_fold(head.window)
    folding = oldest[-1].turn if oldest else head.folding if under_way else 0
    window = newest(head.window, WINDOW_LIMIT_BYTES)
    return head.model_copy(update={"window": window, "folding": folding}), oldest


def stopped_text(why: str, added: Sequence[Message], known: bool) -> str:
    """What a customer is told of a turn that was cut short: what of it was done, what was not, what nobody knows."""
    account = report_calls(added)
    if not known:
        return " ".join(part for part in (why, account.sentence(), NOBODY_KNOWS) if part)
    return f"{why} {account.sentence() or 'Nothing had been done.'}"


def model_replies(messages: Sequence[Message]) -> list[ModelReply]:
    return [message for message in messages if isinstance(message, ModelReply)]
