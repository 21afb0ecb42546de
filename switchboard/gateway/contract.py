"""The gateway's public contract: request bodies and error responses (RFC 9457)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from switchboard.session.contract import RATING_COMMENT_MAX_CHARS, SESSION_ID, TURNS_MAX, session_id
from switchboard.text import PlainText

IDEMPOTENCY_KEY = r"^[\x21-\x7e]{1,128}$"
"""Printable ASCII without spaces, so that it fits into a header."""

SessionId = Annotated[
    str,
    Field(
        pattern=f"^{SESSION_ID}$",
        description="From `POST /v1/sessions`. A signed-in customer may choose one: 1 to 64 letters, digits, '.', '_' "
        "or '-', but not '.' or '..' alone.",
    ),
    AfterValidator(session_id),
]
TurnNumber = Annotated[int, Field(ge=1, le=TURNS_MAX, description="The turn's number, from its reply.")]
IdempotencyKey = Annotated[
    str,
    Field(
        pattern=IDEMPOTENCY_KEY,
        description="Makes a retry safe: the same key returns the same reply for a day and acts only once. If you send "
        "none, the gateway generates a key and returns it in this header.",
    ),
]


def complete_characters(text: str) -> str:
    """Refuse lone surrogates: JSON can express them, but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains half a character (a lone surrogate); send complete characters") from error
    return text


class Request(BaseModel):
    """Base of request bodies. The customer comes from the token, never from the body. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewMessage(Request):
    """One message of a customer."""

    text: Annotated[
        str,
        AfterValidator(complete_characters),
        Field(
            description="The message, at most 8 KiB. Hidden, control and bidirectional characters are removed.",
            json_schema_extra={"minLength": 1},
        ),
    ]
    interrupt: bool = Field(False, description="Stop the running turn and answer this message instead of queueing it.")
    seen: int | None = Field(
        None,
        ge=0,
        description="Number of the last turn that the customer had seen when writing this message. A yes confirms a "
        "question only if the customer had seen it.",
    )


class NewSession(BaseModel):
    """The id of a session that has no messages yet."""

    session_id: SessionId


class NewRating(Request):
    """A rating of a reply. A later one replaces it."""

    rating: Literal["up", "down"]
    comment: Annotated[
        str,
        PlainText(RATING_COMMENT_MAX_CHARS, lines=True),
        Field(description="Why, in the customer's words. Staff read it."),
    ] = ""


class Decision(Request):
    """The customer's yes or no to the question in a reply's `confirmation`."""

    held_id: str = Field(min_length=1, max_length=64)


class ProblemDetails(BaseModel):
    """Why a request failed (RFC 9457). `detail` says what happened and what to do; `code` is for programs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    trace_id: str = Field("", description="Trace id of this request, in hexadecimal; empty without tracing.")
