"""Events of a turn, for people who watch a conversation. Pure.

The record of a committed turn is the truth, and its events follow from it. While the turn runs, the session and the
agents tell the gateways the same events, with the same numbers: each is a beginning of the events of the record. So no
event is stored, a replay tells the same events again, and every gateway can continue where another one stopped.

Deltas are the model's words while it writes them. They have no number and may be lost, because the event of the whole
reply contains all words.

Rules for a gateway and a viewer:

- A number that was seen in the same turn and run is ignored when it comes again. Nothing of a turn counts after its
  event SEQ_MAX, except a new run.
- `turn_started` of the same turn with another `run` begins the turn again: the run before it ended without a record,
  because its message was cancelled. All that was shown of it is void.
- A delta with offset 0 begins the text of its step again, whatever its attempt: an attempt that was killed is made
  again with the same number. A delta of another `writer` than the one that has begun last is ignored, and so is one
  whose offset is not the length of the text so far.
- A reset voids the text only if it comes from the `writer` that has begun last. The event with the step's number, and
  the reply, void every text of deltas.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from switchboard.agent import HANDOFF_PREFIX
from switchboard.messages import (
    Confirmation,
    Message,
    ModelReply,
    ToolCall,
    ToolResult,
    UserText,
    WireModel,
    added_later,
)

SEQ_MAX = 9_999
"""The number of the last event of every turn. A turn has fewer events: at most 5 agents, 8 steps and 16 calls each."""


NUMBERS = 1
"""Version of the numbers of events. Journals contain the number of each agent's first event, so that a replay must come
to the same ones: a message that gets more or fewer events needs a new version."""


class TurnStarted(WireModel):
    """A turn has begun. `turn` is its number in the session."""

    kind: Literal["turn_started"] = "turn_started"
    at: datetime


class MessageReceived(WireModel):
    """What the customer wrote."""

    kind: Literal["message"] = "message"
    text: str


class AgentStarted(WireModel):
    """This agent works on the message from now on."""

    kind: Literal["agent"] = "agent"
    agent: str


class ModelStep(WireModel):
    """The model has answered. `text` is what it said beside its calls; without calls, the reply has the text."""

    kind: Literal["step"] = "step"
    agent: str
    text: str = ""


class ToolStarted(WireModel):
    """A tool was called. `label` is the tool in words for customers, such as "transfer money"."""

    kind: Literal["tool_started"] = "tool_started"
    call_id: str
    tool: str
    label: str = ""
    read_only: bool = False


class ToolFinished(WireModel):
    """How a call ended. `held` waits for the customer's yes; `unknown` ended before the tool answered."""

    kind: Literal["tool_finished"] = "tool_finished"
    call_id: str
    tool: str
    ok: bool
    outcome: Literal["known", "held", "unknown"] = "known"


class HandedOff(WireModel):
    """The conversation goes to another agent. Not `ok` if the hand-off was refused."""

    kind: Literal["hand_off"] = "hand_off"
    to: str
    ok: bool = True


class TurnFinished(WireModel):
    """The turn is committed. `text` is the whole reply, notice or message of a staff member.

    `confirmation` is set while the question of this turn is open. `by` names the staff member who wrote the text.
    """

    kind: Literal["reply"] = "reply"
    text: str
    agent: str = ""
    failed: bool = False
    interrupted: bool = False
    confirmation: Confirmation | None = None
    by: str = added_later("")


class TakenOver(WireModel):
    """A staff member answers in the agents' place from now on."""

    kind: Literal["taken_over"] = "taken_over"
    by: str


class HandedBack(WireModel):
    """The agents answer again. `by` is empty if the staff member was silent for too long."""

    kind: Literal["handed_back"] = "handed_back"
    by: str = ""


Event = Annotated[
    TurnStarted
    | MessageReceived
    | AgentStarted
    | ModelStep
    | ToolStarted
    | ToolFinished
    | HandedOff
    | TakenOver
    | HandedBack
    | TurnFinished,
    Field(discriminator="kind"),
]
"""An event with a number. A viewer may get more kinds in later versions and ignores those that it does not know."""


class Numbered(WireModel):
    """An event with its id: the turn's number in the session, and the event's number in the turn, from 1."""

    turn: int
    seq: int
    event: Event

    @property
    def id(self) -> str:
        """The id of the server-sent event."""
        return f"{self.turn}.{self.seq}"


class Delta(WireModel):
    """More of the text that a model writes.

    `seq` is the number that the step's event will have, and `attempt` counts the model calls of the step from 0.
    `writer` is a random id of the model call that writes. `offset` is the number of characters (code points) of this
    call before `text`; a gap means that deltas were lost.
    """

    kind: Literal["delta"] = "delta"
    turn: int
    seq: int
    attempt: int
    writer: str
    offset: int
    text: str


class Reset(WireModel):
    """An attempt has failed: the text of its deltas is void."""

    kind: Literal["reset"] = "reset"
    turn: int
    seq: int
    attempt: int
    writer: str


class ToolReturned(WireModel):
    """A call has ended while others of its step still run. The numbered events follow when all have ended, in the
    model's order.

    Has no number and may be lost.
    """

    kind: Literal["tool_returned"] = "tool_returned"
    turn: int
    call_id: str
    ok: bool
    outcome: Literal["known", "held", "unknown"] = "known"


Unnumbered = Annotated[Delta | Reset | ToolReturned, Field(discriminator="kind")]
"""What is shown while it happens and may be lost."""


def events_of_messages(before: Sequence[Message], messages: Sequence[Message]) -> list[Event]:
    """Return the events of `messages`, which follow `before` in the same turn.

    Each message has its own events, so that the events of a turn's first messages are the first events of the turn.
    """
    calls: dict[str, ToolCall] = {}
    for message in before:
        if isinstance(message, ModelReply):
            calls.update({call.call_id: call for call in message.calls})
    events: list[Event] = []
    for message in messages:
        match message:
            case UserText(text=text):
                events.append(MessageReceived(text=text))
            case ModelReply():
                calls.update({call.call_id: call for call in message.calls})
                events += events_of_reply(message)
            case ToolResult():
                events.append(event_of_result(message, calls.get(message.call_id)))
            case _:
                pass
    return events


def events_of_reply(reply: ModelReply) -> list[Event]:
    step = ModelStep(agent=reply.agent, text=reply.text if reply.calls else "")
    started = [
        ToolStarted(call_id=call.call_id, tool=call.tool, label=call.label, read_only=call.read_only)
        for call in reply.calls
        if not call.tool.startswith(HANDOFF_PREFIX)
    ]
    return [step, *started]


def event_of_result(result: ToolResult, call: ToolCall | None) -> Event:
    tool = call.tool if call is not None else ""
    if tool.startswith(HANDOFF_PREFIX):
        return HandedOff(to=tool.removeprefix(HANDOFF_PREFIX), ok=result.ok)
    return ToolFinished(call_id=result.call_id, tool=tool, ok=result.ok, outcome=result.outcome)


class Watch(WireModel):
    """From a gateway: people watch these sessions. The receiver tells the events of their running turns so far."""

    kind: Literal["watch"] = "watch"
    sessions: tuple[str, ...]


class Unwatch(WireModel):
    """From a gateway: nothing about these sessions is of use any more."""

    kind: Literal["unwatch"] = "unwatch"
    sessions: tuple[str, ...]


class Told(WireModel):
    """To a gateway: what has happened in a running turn of a watched session.

    `customer_id` and `signed_in` are the session's, so that a gateway shows it to no one else. `run` is a short id of
    the message's invocation: a turn that was never committed leaves its number to the next message. `first` is the
    number of the first of `events`, which follow each other, except that the reply always has SEQ_MAX.
    """

    kind: Literal["told"] = "told"
    session: str
    customer_id: str
    signed_in: bool
    run: str
    turn: int
    first: int = 1
    events: tuple[Event, ...] = ()
    unnumbered: tuple[Unnumbered, ...] = ()

    def numbered(self) -> tuple[Numbered, ...]:
        """Return the events with their numbers."""
        return tuple(
            Numbered(turn=self.turn, seq=SEQ_MAX if isinstance(event, TurnFinished) else seq, event=event)
            for seq, event in enumerate(self.events, start=self.first)
        )


Frame = Annotated[Watch | Unwatch | Told, Field(discriminator="kind")]
"""One message of the live channel."""


Shown = Numbered | Delta | Reset | ToolReturned
"""What a viewer is shown."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
UNNUMBERED: TypeAdapter[Unnumbered] = TypeAdapter(Unnumbered)
UNNUMBERED_KINDS = ("delta", "reset", "tool_returned")


def read_event(kind: str, data: str) -> Shown | None:
    """Return the content of a server-sent event; None for an unknown kind and for a malformed one."""
    try:
        fields = json.loads(data) | {"kind": kind}
        if kind in UNNUMBERED_KINDS:
            return UNNUMBERED.validate_python(fields)
        return Numbered(turn=fields["turn"], seq=fields["seq"], event=EVENT.validate_python(fields))
    except (ValueError, LookupError, TypeError):
        return None
