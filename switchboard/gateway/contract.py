"""What the gateway promises to its clients: the bodies of requests, and how an error is said (RFC 9457)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from switchboard.session.contract import SESSION_ID, session_id

IDEMPOTENCY_KEY = r"^[\x21-\x7e]{1,128}$"
"""What can stand in a header and is no space."""

SessionId = Annotated[
    str,
    Field(
        pattern=f"^{SESSION_ID}$",
        description="Chosen by the client: 1 to 64 letters, digits, '.', '_', '-'; neither '.' nor '..'.",
    ),
    AfterValidator(session_id),
]
IdempotencyKey = Annotated[
    str,
    Field(
        pattern=IDEMPOTENCY_KEY,
        description="The same key again is the same request, not a second one: its answer, for a day. Made and told by "
        "the gateway when there is none.",
    ),
]


def unicode(text: str) -> str:
    """Refuse halves of characters, which JSON can write and nobody can store."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("has half a character in it (a lone surrogate); send whole ones") from error
    return text


class Request(BaseModel):
    """A body of a request. It never says who asks: that is in the token. What is not known here is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewMessage(Request):
    """One message of a customer."""

    text: Annotated[str, AfterValidator(unicode), Field(description="What the customer writes, at most 8 KiB.")]
    interrupt: bool = Field(False, description="Stop the turn that runs, and answer this instead of waiting behind it.")
    seen: int | None = Field(
        None,
        ge=0,
        description="The last turn that the customer had seen when writing this: a yes is one to what was seen.",
    )


class Decision(Request):
    """The customer's yes or no to what a reply's `confirmation` has asked."""

    held_id: str = Field(min_length=1, max_length=64)


class ProblemDetails(BaseModel):
    """Why a request was not done (RFC 9457). `detail` is a sentence that says what to do, `code` is for programs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    trace_id: str = Field("", description="The trace of this request, in hexadecimal; empty when nobody traces.")
