"""What the Session object promises to the world outside: the only part of the mesh that customers can reach."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from switchboard.messages import Message, Usage, WireModel

SESSION = "Session"

MESSAGE_MAX_BYTES = 8 * 1024
TRANSCRIPT_PAGE_MAX_TURNS = 50
TRANSCRIPT_PAGE_MAX_BYTES = 1024 * 1024
"""A page ends with the turn that passes it; the next page begins after that."""

SESSION_ID = r"[A-Za-z0-9._-]{1,64}"
NO_SESSION_ID = "is no session id; one is 1 to 64 letters, digits, '.', '_' or '-', and neither '.' nor '..'"

PATH_STEPS = (".", "..")
"""In an address these are no names: what is between here and there may leave them out, and ask another session."""


def session_id(text: str) -> str:
    """Refuse what no session can be called."""
    if text in PATH_STEPS or not re.fullmatch(SESSION_ID, text):
        raise ValueError(NO_SESSION_ID)
    return text


# The session's own reasons not to do something: only these are for customers, and mean that nothing was done.
NO_AGENTS = "No agent can be reached just now. Nothing was done; please send your message again in a minute."
NOTHING_WAITS = "Nothing waits for this decision: it was confirmed, declined or dropped before."
QUESTION_EXPIRED = "The question has expired. Ask again for what you need."


def readable(text: str) -> str:
    """Refuse a message that says nothing, or more than a person would write."""
    if not text.strip():
        raise ValueError("is empty; write what you need")
    size = len(text.encode(errors="surrogatepass"))
    if size > MESSAGE_MAX_BYTES:
        raise ValueError(f"is {size} bytes long, at most {MESSAGE_MAX_BYTES} are taken; send it in parts")
    return text


CustomerId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$", description="The signed-in customer, as the identity provider names it."),
]


class CustomerRequest(WireModel):
    """Who asks: every request names the customer, and a session answers only its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_id: CustomerId
    signed_in: bool = Field(
        True,
        description="Whether the edge knows that this is the customer, and not only that somebody says so. Without "
        "it, tools show and do nothing of the customer's until it was proven to them.",
    )


class SendMessage(CustomerRequest):
    """One message of a customer."""

    text: Annotated[str, AfterValidator(readable), Field(description="What the customer writes, at most 8 KiB.")]
    seen: int | None = Field(
        None,
        ge=0,
        description="The last turn that the customer had seen when writing this: a yes is one to what was seen.",
    )


class ClaimedKey(WireModel):
    """What an idempotency key was first used for, as a digest: so the same key with another request is known."""

    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the handler's name and its input.")


class AskedCall(WireModel):
    """One call that waits for the customer's yes, in plain words."""

    tool: str
    question: str


class Confirmation(WireModel):
    """What the customer is asked to confirm; all of it together, or nothing."""

    held_id: str
    calls: tuple[AskedCall, ...]
    expires_at: datetime


class SendReply(WireModel):
    """What the customer gets back."""

    text: str
    agent: str = Field(description="The agent that answered.")
    turn: int = Field(description="The message's number in the session, from 1.")
    hand_offs: tuple[str, ...] = Field(description="The agents that the conversation was handed to, in order.")
    failed: bool = Field(description="True when the text is an apology and not an answer.")
    interrupted: bool = Field(False, description="True when the turn was stopped before its end.")
    confirmation: Confirmation | None = Field(None, description="Set when the text asks for the customer's yes.")
    trace_id: str = Field("", description="The trace of this message, in hexadecimal, for whoever looks into it.")


class HeldDecision(CustomerRequest):
    """The customer's yes or no to what a reply's `confirmation` has asked."""

    held_id: str


class Interruption(WireModel):
    """`interrupted` is False when no turn was running."""

    interrupted: bool


class Notification(CustomerRequest):
    """What the mesh has to tell a customer by itself: the outcome of an approval, a reminder."""

    text: Annotated[str, AfterValidator(readable)]


class TranscriptRequest(CustomerRequest):
    """A page of the transcript, oldest first: the turns after number `after`, at most `limit` of them."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)


class TurnRecord(WireModel):
    """One message and all that it led to. Written once, whole, when the reply is known."""

    turn: int
    at: datetime
    agents: tuple[str, ...]
    messages: tuple[Message, ...]
    reply: str
    failed: bool = False
    interrupted: bool = False
    usage: Usage = Usage()


class Transcript(WireModel):
    """`turns_total` says how many there are; ask again with `after` = the last one's number for more."""

    turns: tuple[TurnRecord, ...]
    turns_total: int


class RunningCall(WireModel):
    """One invocation of a turn that runs, as Restate sees it."""

    target: str
    status: str
    since: datetime


class RunningTurn(WireModel):
    """The message that is being answered, and what is called for it just now."""

    since: datetime
    calls: tuple[RunningCall, ...]


class AgentSpending(WireModel):
    """What one agent's model calls have cost; the money is 0 for models without a price."""

    agent: str
    usage: Usage
    cost: Decimal


class SessionStatus(WireModel):
    """Answered at once, also while a turn runs."""

    session_id: str
    customer_id: str
    signed_in: bool = True
    active_agent: str
    turns_total: int
    running: RunningTurn | None
    confirmation: Confirmation | None
    spending: tuple[AgentSpending, ...]
    cost: Decimal
    budget: Decimal
    currency: str
