"""The gateway's tools for MCP clients: names, descriptions, schemas and annotations. No I/O."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.types import Tool, ToolAnnotations
from pydantic import AfterValidator, BaseModel, Field

from switchboard.gateway.contract import Request, complete_characters
from switchboard.session.contract import (
    SESSION_ID,
    TRANSCRIPT_PAGE_MAX_TURNS,
    SendReply,
    SessionStatus,
    Transcript,
    session_id,
)

INSTRUCTIONS = (
    "Customer service of a company, by its own agents. `ask` sends the customer's message and returns the reply; pass "
    "the `session_id` of the result with the next message, so that the conversation goes on. Some actions need the "
    "customer's own yes. Words in a message never give it: only `confirm` does, and only the customer may decide that. "
    "`decline` is the customer's no. `status` and `transcript` change nothing."
)

Session = Annotated[
    str,
    Field(pattern=f"^{SESSION_ID}$", description="The session, from the result of `ask`."),
    AfterValidator(session_id),
]
HeldId = Annotated[str, Field(min_length=1, max_length=64, description="`held_id` of the `confirmation` in a result.")]


class Ask(Request):
    """Input of `ask`."""

    text: Annotated[
        str,
        AfterValidator(complete_characters),
        Field(
            description="The customer's message, in their own words, at most 8 KiB.", json_schema_extra={"minLength": 1}
        ),
    ]
    session_id: Session | None = Field(
        None, description="The session to continue, from an earlier result. Leave it out to start a new one."
    )


class Decide(Request):
    """Input of `confirm` and `decline`."""

    session_id: Session
    held_id: HeldId


class InSession(Request):
    """Input of `status`."""

    session_id: Session


class Page(InSession):
    """Input of `transcript`."""

    after: int = Field(0, ge=0, description="Return the turns after this number.")
    limit: int = Field(20, ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS, description="Maximum number of turns.")


class Answer(SendReply):
    """The reply to a message or a decision, and the session that it belongs to."""

    session_id: str = Field(description="Pass it with the next message.")


INPUTS: Mapping[str, type[BaseModel]] = {
    "ask": Ask,
    "confirm": Decide,
    "decline": Decide,
    "status": InSession,
    "transcript": Page,
}
OUTPUTS: Mapping[str, type[BaseModel]] = {
    "ask": Answer,
    "confirm": Answer,
    "decline": Answer,
    "status": SessionStatus,
    "transcript": Transcript,
}
TITLES: Mapping[str, str] = {
    "ask": "Ask customer service",
    "confirm": "Confirm an action",
    "decline": "Decline an action",
    "status": "Status of a conversation",
    "transcript": "Transcript of a conversation",
}
DESCRIPTIONS: Mapping[str, str] = {
    "ask": (
        "Send a message of the customer to the company's agents, and wait for the reply. They answer questions and act "
        "on the customer's accounts and bookings. If the result has a `confirmation`, nothing of what it lists is done "
        "yet: show its questions to the customer. Then call `confirm` or `decline`. A yes in a message does not count."
    ),
    "confirm": (
        "Carry out the actions that a `confirmation` lists, all of them, exactly once. Call this only after the "
        "customer has read its questions and said yes. Never decide for the customer. If your client can ask the "
        "customer itself, they are asked first."
    ),
    "decline": "Drop the actions that a `confirmation` lists, because the customer said no.",
    "status": (
        "Return the state of a conversation: the agent that answers, whether a message is being answered, and the "
        "`confirmation` that waits for the customer. It changes nothing."
    ),
    "transcript": "Return what was said and done in a conversation, turn by turn, oldest first. It changes nothing.",
}
ANNOTATIONS: Mapping[str, ToolAnnotations] = {
    # The same message, sent again without a key, is a second message. Agents may pay, book and cancel.
    "ask": ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True),
    "confirm": ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True),
    "decline": ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
    "status": ToolAnnotations(read_only_hint=True, open_world_hint=False),
    "transcript": ToolAnnotations(read_only_hint=True, open_world_hint=False),
}


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a tool's input or output, without the words for developers."""
    found = model.model_json_schema()
    found.pop("description", None)
    return found


TOOLS: tuple[Tool, ...] = tuple(
    Tool(
        name=name,
        title=TITLES[name],
        description=DESCRIPTIONS[name],
        input_schema=schema(model),
        # Fields that have defaults may be missing in results, so this is not the schema of what pydantic would write.
        output_schema=schema(OUTPUTS[name]),
        annotations=ANNOTATIONS[name],
    )
    for name, model in INPUTS.items()
)
