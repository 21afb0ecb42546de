"""Types that services exchange. They are also journaled, so each change here changes the wire format."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def added_later(default: Any) -> Any:
    """A field that old journals and other versions do not have. It is written only if it differs from the default."""
    return Field(default, exclude_if=lambda value: value == default)


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
    withheld: bool = added_later(False)


class ToolCall(WireModel):
    """A tool call that the model requested."""

    call_id: str
    tool: str
    arguments: str
    """JSON text as the model wrote it. Not validated."""

    label: str = added_later("")
    """The tool in words for customers, such as "transfer money"; empty in older messages."""

    read_only: bool = added_later(False)
    """True if the tool changes nothing."""

    given_id: str = added_later("")
    """The endpoint's id of the call, which only that endpoint sees again. `call_id` is our own."""


class Part(WireModel):
    """One part of a model's reply, in the order in which the model returned it."""

    kind: Literal["opaque", "text", "call"]
    data: str = ""
    """`opaque`: JSON that only the same model can read, such as encrypted reasoning. `text`: the text. `call`: JSON
    that belongs to the call, or empty."""

    call: int = 0
    """`call`: the position in the reply's `calls`."""


class Usage(WireModel):
    """Token counts reported by the model endpoint; 0 if it reports none."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0, exclude_if=lambda value: value == 0)
    """Of the input tokens: those that the provider read from its cache."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
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
    origin: str = added_later("")
    """The provider, model and host that returned it."""

    parts: tuple[Part, ...] = added_later(())
    """Set if the model needs something back unchanged. Only requests to the same `origin` contain it; people never see
    it."""

    withheld: bool = added_later(False)

    def without_parts(self) -> "ModelReply":
        """Return the reply as people may see it."""
        if not self.parts and not any(call.given_id for call in self.calls):
            return self
        # An endpoint's id can carry a signature of the model's thoughts.
        calls = tuple(call.model_copy(update={"given_id": ""}) for call in self.calls)
        return self.model_copy(update={"parts": (), "calls": calls})


class ToolResult(WireModel):
    """The result of one tool call."""

    kind: Literal["tool"] = "tool"
    call_id: str
    ok: bool
    content: str
    """The tool's output as JSON if `ok`, else a sentence that says what went wrong."""

    outcome: Literal["known", "held", "unknown"] = "known"
    """`held`: the call waits for the customer's consent. `unknown`: it is not known whether the call was made."""

    others_words: tuple[str, ...] = added_later(())
    """Where `content` has other people's words, such as `transactions.*.merchant`. An empty path is all of it."""

    withheld: bool = added_later(False)
    """The model's provider refused the text, so models no longer see it."""


class Note(WireModel):
    """A message from the mesh to the model, such as that its last reply was empty. Never shown to the customer."""

    kind: Literal["note"] = "note"
    text: str
    withheld: bool = added_later(False)


class Notice(WireModel):
    """A message from the mesh to the customer, such as an apology. The model sees it as its own reply."""

    kind: Literal["notice"] = "notice"
    text: str
    from_service: bool = added_later(False)
    """True for a message of a service, such as a reminder, which may contain other people's words. The model sees it as
    a record, and not as its own reply."""

    withheld: bool = added_later(False)
    by: str = added_later("")
    """The staff member who wrote the text; empty if the mesh did."""


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

    checked: bool = added_later(False)
    """True if the tool's check worded the question from the facts that it found."""

    label: str = added_later("")
    """The tool in words for customers. The session needs it if the agent does not report how a confirmed call ended."""


class CallToConfirm(WireModel):
    """One call that waits for the customer's yes, with the question that describes it."""

    tool: str
    question: str


class Confirmation(WireModel):
    """The calls that the customer is asked to confirm, all together or none."""

    held_id: str
    calls: tuple[CallToConfirm, ...]
    expires_at: datetime


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

    journal: int = added_later(1)
    """Version of the journal entries that the agent writes."""

    tokens_left: int | None = added_later(None)
    """Tokens that the turn may use; None if there is no limit."""

    limited_by: str = added_later("")
    """The limit that `tokens_left` comes from: `turn`, `customer`, or empty for the session's."""

    turn: int = added_later(0)
    """The turn's number in the session. 0 if the agent tells no events, because the session's version does not."""

    seq: int = added_later(0)
    """The number of the agent's first event in the turn."""

    run: str = added_later("")
    """The id of the turn's events; see `switchboard.events.Told`."""


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


class Spent(WireModel):
    """Tokens of a model call that returned no usable reply: it failed, was cut off or was interrupted."""

    agent: str
    model: str
    usage: Usage
    estimated: bool = False
    """True if the endpoint did not report the tokens."""


SUMMARY = -1
"""The position of the summary among withheld messages."""


class TurnOutcome(WireModel):
    """The output of an agent for one turn.

    This is a model rather than a bare union, because Restate's SDK only serializes pydantic models.
    """

    next: Annotated[Reply | HandOff | Question | Interrupted, Field(discriminator="kind")]
    """How the turn ended."""

    added: tuple[Message, ...] = ()
    """The messages that the turn adds to the transcript."""

    withheld: tuple[int, ...] = added_later(())
    """Positions in the request's transcript, or SUMMARY: texts that the model's provider refused."""

    skipped: int = added_later(0)
    """How many of the transcript's oldest messages did not fit into the model's context."""

    plain_history: bool = added_later(False)
    """True if the provider refused the `parts` of earlier replies."""

    attempts: tuple[Spent, ...] = added_later(())
    """Model calls that returned no usable reply."""
