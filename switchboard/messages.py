"""Types that services exchange. They are also journaled, so each change here changes the wire format."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class WireModel(BaseModel):
    """Base class of values that are sent between services or stored. Immutable.

    Unknown fields are ignored, because services of two versions exchange messages and read each other's state during a
    rollout or rollback. Input from people and models is validated strictly; see ToolInput.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(WireModel):
    """The customer of a session. Set by the session, never by the model."""

    session_id: str
    customer_id: str
    signed_in: bool = True
    """False if the customer is unauthenticated: `customer_id` is then only a claim."""


class Card(WireModel):
    """An agent as other agents see it: the name to hand off to, and one sentence on what it handles."""

    name: str
    handles: str


class UserText(WireModel):
    """A message from the customer."""

    kind: Literal["user"] = "user"
    text: str


class ToolCall(WireModel):
    """A tool call that the model requested."""

    call_id: str
    tool: str
    arguments: str
    """JSON text as the model wrote it. Not validated."""


class Usage(WireModel):
    """Token counts reported by the model endpoint; 0 if it reports none."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class ModelReply(WireModel):
    """One reply of the model: text, calls, or both. A malfunctioning model may return neither."""

    kind: Literal["model"] = "model"
    agent: str
    """The agent for which the model replied."""

    model: str = ""
    """The model's name, as configured."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


class ToolResult(WireModel):
    """The result of one tool call."""

    kind: Literal["tool"] = "tool"
    call_id: str
    ok: bool
    content: str
    """The tool's output as JSON if `ok`, else a sentence that says what went wrong."""

    outcome: Literal["known", "held", "unknown"] = "known"
    """`held`: the call waits for the customer's consent. `unknown`: the turn ended before the tool returned."""


class Note(WireModel):
    """A message from the mesh to the model, such as that its last reply was empty. Never shown to the customer."""

    kind: Literal["note"] = "note"
    text: str


class Notice(WireModel):
    """A message from the mesh to the customer, such as an apology. The model sees it as its own reply."""

    kind: Literal["notice"] = "notice"
    text: str


Message = Annotated[UserText | ModelReply | ToolResult | Note | Notice, Field(discriminator="kind")]
"""One entry of a transcript."""


class HeldCall(WireModel):
    """A tool call that waits for the customer's consent."""

    call_id: str
    tool: str
    arguments: str
    """JSON text as the model wrote it."""

    body: str
    """The JSON that will be sent to the tool, byte for byte."""

    question: str
    """The question to the customer."""


class TurnRequest(WireModel):
    """The input of an agent for one turn."""

    identity: Identity
    transcript: tuple[Message, ...]
    """The latest messages, oldest first. The last one is the message to answer."""

    peers: tuple[Card, ...] = ()
    """The agents that this agent can hand off to."""

    summary: str = ""
    """Summary of the conversation before `transcript`."""

    confirmed: tuple[HeldCall, ...] = ()
    """Calls that the customer has just consented to. The agent makes them first."""


class Reply(WireModel):
    """The turn ended with a text for the customer."""

    kind: Literal["reply"] = "reply"
    text: str
    failed: bool = False
    """True if the text is an apology instead of an answer."""


class HandOff(WireModel):
    """The turn ended with a hand-off to another agent, which takes the next turn."""

    kind: Literal["hand_off"] = "hand_off"
    to: str
    """The name of the other agent."""

    reason: str


class Question(WireModel):
    """The turn ended with a question to the customer: whether to make exactly these calls."""

    kind: Literal["question"] = "question"
    text: str
    held: tuple[HeldCall, ...]


class Interrupted(WireModel):
    """The turn was interrupted. The messages of the outcome report the calls that it made."""

    kind: Literal["interrupted"] = "interrupted"
    known: bool = True
    """False if the messages are lost, so that it is unknown what the turn did."""


class TurnOutcome(WireModel):
    """The output of an agent for one turn.

    This is a model rather than a bare union, because Restate's SDK only serializes pydantic models.
    """

    next: Annotated[Reply | HandOff | Question | Interrupted, Field(discriminator="kind")]
    """How the turn ended."""

    added: tuple[Message, ...] = ()
    """The messages that the turn adds to the transcript."""
