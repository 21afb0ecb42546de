"""What travels between services. Every type here is journaled, so every change here is a wire change."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class WireModel(BaseModel):
    """A value that crosses a process border, or is kept. It cannot be changed.

    A field that a reader does not know is passed over: while a new version is rolled out, or rolled back, services of
    both speak to each other and read each other's state. What people and models write is checked strictly, in
    ToolInput and in the sessions' requests.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(WireModel):
    """Who is speaking. Set by the session, never by the model.

    `signed_in` is False while it is only said that this is the customer: nobody has proven it to the edge.
    """

    session_id: str
    customer_id: str
    signed_in: bool = True


class Card(WireModel):
    """How one agent introduces itself to the others: the name to hand off to, and what it handles, in a sentence."""

    name: str
    handles: str


class UserText(WireModel):
    """What the customer wrote."""

    kind: Literal["user"] = "user"
    text: str


class ToolCall(WireModel):
    """A call the model asked for; `arguments` is the model's own JSON text, not yet checked."""

    call_id: str
    tool: str
    arguments: str


class Usage(WireModel):
    """Tokens as the endpoint counted them; zero where it does not say."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class ModelReply(WireModel):
    """One answer of the model: a text, calls, both, or (an ill model) neither."""

    kind: Literal["model"] = "model"
    agent: str
    model: str = ""
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


class ToolResult(WireModel):
    """What became of one call. `content` is the tool's JSON when `ok`, else a sentence that says what went wrong.

    `outcome` is `held` while the call waits for the customer's yes, and `unknown` when the turn was cut short before
    the tool had answered.
    """

    kind: Literal["tool"] = "tool"
    call_id: str
    ok: bool
    content: str
    outcome: Literal["known", "held", "unknown"] = "known"


class Note(WireModel):
    """What the mesh itself tells the model, such as that its last answer was empty. Never shown to the customer."""

    kind: Literal["note"] = "note"
    text: str


class Notice(WireModel):
    """What the mesh itself tells the customer, such as that it could not finish. The model sees it as its own words."""

    kind: Literal["notice"] = "notice"
    text: str


Message = Annotated[UserText | ModelReply | ToolResult | Note | Notice, Field(discriminator="kind")]


class HeldCall(WireModel):
    """A call that waits for the customer's yes.

    `arguments` is what the model wrote, `body` the JSON that the tool will be sent, byte for byte, and `question` what
    the customer is asked.
    """

    call_id: str
    tool: str
    arguments: str
    body: str
    question: str


class TurnRequest(WireModel):
    """What an agent needs for one turn.

    `summary` stands for what was said before `transcript`, which ends with the message to answer. `peers` may be handed
    off to. `confirmed` are the calls that the customer has just said yes to: they are made first.
    """

    identity: Identity
    transcript: tuple[Message, ...]
    peers: tuple[Card, ...] = ()
    summary: str = ""
    confirmed: tuple[HeldCall, ...] = ()


class Reply(WireModel):
    """The turn is over; the text goes to the customer. `failed` says that the text is an apology, not an answer."""

    kind: Literal["reply"] = "reply"
    text: str
    failed: bool = False


class HandOff(WireModel):
    """The turn is over; the agent named `to` should take the next one, for the `reason` given."""

    kind: Literal["hand_off"] = "hand_off"
    to: str
    reason: str


class Question(WireModel):
    """The turn is over; the customer is asked whether these calls, exactly these, should be made."""

    kind: Literal["question"] = "question"
    text: str
    held: tuple[HeldCall, ...]


class Interrupted(WireModel):
    """The turn was cut short; what it had done by then stands in the outcome's messages, as far as that is known."""

    kind: Literal["interrupted"] = "interrupted"
    known: bool = True


class TurnOutcome(WireModel):
    """How a turn ended, and what it adds to the transcript.

    A model and not a bare union: the SDK serializes a handler's declared pydantic model, and nothing less.
    """

    next: Annotated[Reply | HandOff | Question | Interrupted, Field(discriminator="kind")]
    added: tuple[Message, ...] = ()
