"""What a group of tools promises: names, inputs and outputs, and who may be asked about. Values, no I/O."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import pydantic_core
from pydantic import BaseModel, ConfigDict, RootModel

from switchboard.messages import Identity

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

# The form that OpenAI-compatible endpoints accept for the name of a function.
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

IdentityKey = Literal["customer_id", "session_id"]
IdentityPart = IdentityKey | Literal["signed_in"]


class FromIdentity:
    """Marks an input field that the loop fills from the session's identity; the model neither sees nor sets it.

    `customer_id: Annotated[str, FromIdentity("customer_id")]`
    """

    def __init__(self, part: IdentityPart) -> None:
        self.part = part


class ToolInput(BaseModel):
    """Base of a tool's input. A field that the model invents is an error that the model is told of."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoInput(ToolInput):
    """Input of a tool that takes no arguments."""


class PersonalInput(ToolInput):
    """Input of a tool that shows or changes a customer's own data.

    The loop fills in the session and whether the customer is signed in. A call without them counts as unauthenticated;
    a tool that calls such a tool for the mesh itself, or for a customer it has verified, passes BY_THE_MESH.
    """

    session_id: Annotated[str, FromIdentity("session_id")] = ""
    signed_in: Annotated[bool, FromIdentity("signed_in")] = False


BY_THE_MESH = PersonalInput(signed_in=True)
"""For a call that no customer waits for, or whose customer was verified before."""


class Text(RootModel[str]):
    """Output of a tool whose answer is plain text."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class Tool(Generic[Input, Output]):
    """One durable call the model may ask for: the model fills `input`, the session's identity fills the rest.

    `service` and `handler` name the Restate handler; the handler's name is also the name that the model sees.
    `keyed_by` says which part of the identity is the virtual object's key; None for a plain service.
    `consent` makes it a call that only the customer's yes can start: it words the exact call as a question.
    Raises ValueError at import for a name that no endpoint would accept.
    """

    service: str
    handler: str
    purpose: str
    input: type[Input]
    output: type[Output]
    keyed_by: IdentityKey | None = None
    consent: Callable[[Input], str] | None = None

    def __post_init__(self) -> None:
        if not FUNCTION_NAME.fullmatch(self.name):
            raise ValueError(f"tool {self.name!r}: a name is 1 to 64 letters, digits, '_' or '-'")
        misplaced = misplaced_marks(self.input)
        if misplaced:
            # The model would see the field, and could say who the customer is.
            raise ValueError(f"tool {self.name}: FromIdentity belongs directly on a field, not inside {misplaced[0]!r}")

    @property
    def name(self) -> str:
        return self.handler

    def parameters(self) -> dict[str, Any]:
        """JSON schema of what the model may fill in: the input without the fields that the loop fills."""
        schema = self.input.model_json_schema()
        hidden = self.filled_fields()
        properties = {name: field for name, field in schema.get("properties", {}).items() if name not in hidden}
        required = [name for name in schema.get("required", ()) if name not in hidden]
        definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            **definitions,
        }

    def filled_fields(self) -> dict[str, IdentityPart]:
        """The input's fields that come from the identity, and from which part of it."""
        return {
            name: mark.part
            for name, field in self.input.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, FromIdentity)
        }

    def key(self, identity: Identity) -> str | None:
        """The virtual object to call for this identity, or None for a plain service."""
        return getattr(identity, self.keyed_by) if self.keyed_by else None


def parse_json(text: str) -> Any:
    """A model's JSON. Raises ValueError only: also for what is nested without end, and for half a Unicode character."""
    return pydantic_core.from_json(text, allow_inf_nan=False)


def misplaced_marks(model: type[BaseModel]) -> list[str]:
    """The fields in whose type, and not on which, a FromIdentity stands: in an optional, a list, a model inside."""
    return [name for name, field in model.model_fields.items() if holds_mark(field.annotation)]


def holds_mark(annotation: Any) -> bool:
    if isinstance(annotation, FromIdentity):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.values()
        return any(holds_mark(mark) for field in fields for mark in (*field.metadata, field.annotation))
    return any(holds_mark(part) for part in get_args(annotation))
