"""The events of a committed turn, which follow from its record. Pure."""

import hashlib

from switchboard.events import (
    SEQ_MAX,
    AgentStarted,
    Event,
    HandedBack,
    HandedOff,
    MessageReceived,
    Numbered,
    TakenOver,
    TurnFinished,
    TurnStarted,
    events_of_messages,
)
from switchboard.messages import Confirmation
from switchboard.session.contract import TurnRecord

RUN_ID_CHARS = 12


def events_of_record(record: TurnRecord, confirmation: Confirmation | None = None) -> tuple[Numbered, ...]:
    """Return the events of a turn, in order. The last one is the reply, with number SEQ_MAX.

    `confirmation` is the question of this turn, while it is open.
    """
    events = [TurnStarted(at=record.at), *event_of_act(record), *events_before_reply(record)]
    numbered = [Numbered(turn=record.turn, seq=seq, event=event) for seq, event in enumerate(events, start=1)]
    return (*numbered, Numbered(turn=record.turn, seq=SEQ_MAX, event=reply_event(record, confirmation)))


def reply_event(record: TurnRecord, confirmation: Confirmation | None = None) -> TurnFinished:
    """Return the last event of a turn."""
    return TurnFinished(
        text=record.reply,
        agent=record.agents[-1] if record.agents else "",
        failed=record.failed,
        interrupted=record.interrupted,
        confirmation=confirmation,
        by=record.by,
    )


def event_of_act(record: TurnRecord) -> tuple[Event, ...]:
    """Return the event of an act of staff. A note for colleagues has none."""
    if record.act == "taken_over":
        return (TakenOver(by=record.by),)
    return (HandedBack(by=record.by),) if record.act == "handed_back" else ()


def events_before_reply(record: TurnRecord) -> list[Event]:
    """Return the events of the messages. An agent starts after the customer's message, or after a hand-off to it."""
    events: list[Event] = []
    waiting = list(record.agents)
    for event in events_of_messages((), record.messages):
        events.append(event)
        if isinstance(event, MessageReceived) and waiting and len(waiting) == len(record.agents):
            events.append(AgentStarted(agent=waiting.pop(0)))
        elif isinstance(event, HandedOff) and event.ok and event.to in waiting:
            # A hand-off that was not followed, such as one too many, finds no agent that waits.
            waiting = waiting[waiting.index(event.to) + 1 :]
            events.append(AgentStarted(agent=event.to))
    return events


def run_id(invocation_id: str) -> str:
    """Return the short id of a message's invocation, which its events carry."""
    return hashlib.sha256(invocation_id.encode()).hexdigest()[:RUN_ID_CHARS]
