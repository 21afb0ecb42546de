"""A generated conversation: what its customer does, and the calls that the model makes for each message.

A conversation is a tuple of steps. It is printed as Python, so a failure can be pasted into a test. Arguments may name
things of the conversation, such as `{payee}` or `{reservation1}`; `names.py` lists them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from switchboard.testing import JSON

Owner = Literal["carol", "dave", "erin"]
"""Carol has several accounts and loans, Dave is overdrawn and gambles, Erin also flies."""

Victim = Literal["triage", "bank", "airline", "tools", "restate"]


@dataclass(frozen=True)
class Call:
    """A call that the model makes."""

    tool: str
    arguments: JSON

    def __repr__(self) -> str:
        return f"Call({self.tool!r}, {self.arguments!r})"


@dataclass(frozen=True)
class Step:
    """What the customer does in one of their two sessions."""

    session: int = field(default=0, kw_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({f'session={self.session}' if self.session else ''})"


@dataclass(frozen=True, repr=False)
class Asks(Step):
    """A message after which the model makes these calls at once."""

    calls: tuple[Call, ...]

    def __repr__(self) -> str:
        session = f", session={self.session}" if self.session else ""
        return f"Asks(({''.join(f'{call!r}, ' for call in self.calls).strip()}){session})"


@dataclass(frozen=True, repr=False)
class Yes(Step):
    """The word yes."""


@dataclass(frozen=True, repr=False)
class No(Step):
    """The word no."""


@dataclass(frozen=True, repr=False)
class Chats(Step):
    """A message about something else. It drops an open question."""


@dataclass(frozen=True, repr=False)
class Confirms(Step):
    """A yes by the id of the latest question of the session, open or not."""


@dataclass(frozen=True, repr=False)
class Declines(Step):
    """A no by the id of the latest question of the session, open or not."""


@dataclass(frozen=True, repr=False)
class Repeats(Step):
    """The latest request of the session again, under the same idempotency key."""


@dataclass(frozen=True, repr=False)
class Interrupts(Step):
    """The word yes, and an interrupt while it is answered."""

    after_ms: int = 0

    def __repr__(self) -> str:
        session = f", session={self.session}" if self.session else ""
        return f"Interrupts({self.after_ms}{session})"


@dataclass(frozen=True, repr=False)
class Kills(Step):
    """Kills a process of the mesh while the next message is answered, and starts it again."""

    process: Victim
    after_ms: int = 0

    def __repr__(self) -> str:
        return f"Kills({self.process!r}, {self.after_ms})"


@dataclass(frozen=True)
class Conversation:
    """What one customer does, in order."""

    owner: Owner
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return f"Conversation({self.owner!r}, ({''.join(f'{step!r}, ' for step in self.steps).strip()}))"


AGENT_OF = {
    **dict.fromkeys(
        (
            *("book_reservation", "cancel_reservation", "update_reservation_flights", "get_reservation_details"),
            *("update_reservation_passengers", "update_reservation_baggages", "send_certificate", "change_seat"),
            *("email_invoice", "get_user_details", "search_direct_flight"),
        ),
        "Airline",
    ),
}
"""The agent that has a tool. All others are the bank's."""


def agent_of(calls: Sequence[Call]) -> str:
    """Return the agent for a message. All its calls are of the same agent."""
    (agent,) = {AGENT_OF.get(call.tool, "Bank") for call in calls}
    return agent


def as_test(conversations: Sequence[Conversation]) -> str:
    """Return the conversations as a test that can be pasted into tests/generated/test_conversations.py."""
    lines = [
        "async def test_found_conversation(stage: Stage) -> None:",
        "    await play(stage, [",
        *(f"        {line}" for conversation in conversations for line in lines_of(conversation)),
        "    ])",
    ]
    return "\n".join(lines)


def lines_of(conversation: Conversation) -> list[str]:
    return [
        f"Conversation({conversation.owner!r}, (",
        *(f"    {step!r}," for step in conversation.steps),
        ")),",
    ]
