"""What a group of tools promises: names, inputs and outputs, and who may be asked about. Values, no I/O."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

import pydantic_core
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, RootModel
from pydantic.fields import FieldInfo

from switchboard.messages import Identity

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

# The form that OpenAI-compatible endpoints accept for the name of a function.
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

IdentityKey = Literal["customer_id", "session_id"]
IdentityPart = IdentityKey | Literal["signed_in"]

IDENTITY_FIELDS: tuple[IdentityPart, ...] = ("customer_id", "session_id", "signed_in")
"""Names of input fields that only the session may fill, however they are spelled; an agent can add its own names."""


class FromIdentity:
    """Marks an input field that the loop fills from the session's identity; the model neither sees nor sets it.

    `customer_id: Annotated[str, FromIdentity("customer_id")]`
    """

    def __init__(self, part: IdentityPart) -> None:
        if part not in IDENTITY_FIELDS:
            raise ValueError(
                f"FromIdentity({part!r}): a session has only {', '.join(IDENTITY_FIELDS)}. Write one of them"
            )
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
    `verified` says whether the tool is only for a verified customer. By default it is when it knows the customer: when
    it is keyed by the customer's id, has a field filled with it, or takes a PersonalInput. `implements` then verifies
    the customer before the handler runs.
    `internal` is for a tool that only other tools call: no agent may list it, and it does not verify anybody.
    Raises ValueError at import for a declaration that is not safe or could not be served, and says what to write.
    """

    service: str
    handler: str
    purpose: str
    input: type[Input]
    output: type[Output]
    keyed_by: IdentityKey | None = None
    consent: Callable[[Input], str] | None = None
    verified: bool | None = None
    internal: bool = False

    def __post_init__(self) -> None:
        if not FUNCTION_NAME.fullmatch(self.name):
            raise ValueError(f"tool {self.name!r}: a name is 1 to 64 letters, digits, '_' or '-'")
        problem = problem_with_types(self) or problem_with_marks(self.input)
        problem = problem or (problem_with_internal(self) if self.internal else problem_with_identity(self))
        if problem:
            raise ValueError(f"tool {self.name}: {problem}")

    @property
    def name(self) -> str:
        return self.handler

    @property
    def requires_verified_customer(self) -> bool:
        """Whether the customer has to be signed in or verified before the handler runs."""
        if self.internal or self.verified is not None:
            return bool(self.verified)
        own = self.keyed_by == "customer_id" or bool(self.customer_fields())
        return own or issubclass(self.input, PersonalInput)

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

    def customer_fields(self) -> tuple[str, ...]:
        """Return the input fields that the loop fills with the customer's id."""
        return tuple(name for name, part in self.filled_fields().items() if part == "customer_id")

    def exposed_identity(self, names: Iterable[str] = IDENTITY_FIELDS) -> list[str]:
        """The fields of these names that a model could fill in itself, at any depth of the input."""
        reserved = {plain(name) for name in names}
        hidden = self.filled_fields()
        settable = {*shown_fields(self.parameters())}
        for name, field in self.input.model_fields.items():
            if name not in hidden:
                settable |= {name, *aliases(field), *named_in(field.annotation)}
        return sorted({name for name in settable if plain(name) in reserved})

    def key(self, identity: Identity) -> str | None:
        """The virtual object to call for this identity, or None for a plain service."""
        return getattr(identity, self.keyed_by) if self.keyed_by else None


def parse_json(text: str) -> Any:
    """A model's JSON. Raises ValueError only: also for what is nested without end, and for half a Unicode character."""
    return pydantic_core.from_json(text, allow_inf_nan=False)


def problem_with_types(tool: Tool[Any, Any]) -> str | None:
    """Why no call of the tool could be read or delivered."""
    for what, found in (("input", tool.input), ("output", tool.output)):
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            base = "ToolInput" if what == "input" else "WireModel, or write Text"
            return f"the {what} is {found!r}, and must be a pydantic model. Derive a class from {base}"
    if tool.keyed_by not in (None, *get_args(IdentityKey)):
        return f'keyed_by is "customer_id" or "session_id", not {tool.keyed_by!r}'
    return None


def problem_with_internal(tool: Tool[Any, Any]) -> str | None:
    """What contradicts `internal`, which takes the tool away from models and customers."""
    if tool.verified:
        return "an internal tool verifies nobody. Remove verified=True, the tool that calls it verifies the customer"
    if tool.consent:
        return "an internal tool asks nobody. Remove consent=, and declare it on the tool that an agent lists"
    return None


def problem_with_identity(tool: Tool[Any, Any]) -> str | None:
    """How a model could say who the customer is, or why a customer could not be verified."""
    if tool.input.model_config.get("extra") != "forbid":
        return (
            f"{tool.input.__name__} accepts fields that it does not declare, so the model could set any. Derive it from"
            ' ToolInput, and keep extra="forbid"'
        )
    exposed = tool.exposed_identity()
    if exposed:
        return (
            f"the model could set {exposed[0]!r}, and so say who the customer is. Have the session fill the field:"
            f" `{exposed[0]}: Annotated[str, FromIdentity(...)]` directly in {tool.input.__name__}. Rename it if it is"
            " no identity, or declare the tool internal=True if only other tools call it"
        )
    if not tool.requires_verified_customer:
        return None
    if not issubclass(tool.input, PersonalInput):
        return (
            f"it is for a verified customer, so {tool.input.__name__} must derive from PersonalInput, which tells the"
            " session and whether the customer is signed in. Write verified=False if everybody may call it, or"
            " internal=True if only other tools call it"
        )
    if tool.keyed_by != "customer_id" and not tool.customer_fields():
        return (
            'it is for a verified customer, but nothing tells who that is. Write keyed_by="customer_id", or add'
            f' `customer_id: Annotated[str, FromIdentity("customer_id")]` to {tool.input.__name__}'
        )
    return None


def problem_with_marks(model: type[BaseModel]) -> str | None:
    """Why the FromIdentity marks of an input would not keep the model from setting a field."""
    for name, field in model.model_fields.items():
        if any(mark is FromIdentity for mark in field.metadata) or isinstance(field.default, FromIdentity):
            return (
                f"FromIdentity has no effect on {name!r}, so the model could set the field. Write"
                f' `{name}: Annotated[str, FromIdentity("customer_id")]`'
            )
        if holds_mark(field.annotation):
            return (
                f"FromIdentity belongs directly on a field, not inside {name!r}, where the model could set it. Write"
                ' `customer_id: Annotated[str, FromIdentity("customer_id")]` in the input itself'
            )
        parts = [mark.part for mark in field.metadata if isinstance(mark, FromIdentity)]
        if parts and (field.alias is not None or field.validation_alias is not None):
            return f"the session fills {name!r}, so it must not have an alias, by which the model could set it"
        if len(parts) > 1:
            return f"{name!r} has {len(parts)} FromIdentity marks. Keep one of them"
        if parts and field.exclude:
            return f"the session fills {name!r}, and the handler would not get it. Remove exclude=True"
        if parts and name in IDENTITY_FIELDS and parts != [name]:
            return f'{name!r} is filled from {parts[0]!r}. Write FromIdentity("{name}"), or rename the field'
    return None


def holds_mark(annotation: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Whether a FromIdentity mark stands in a type: in an optional, a list or a model inside."""
    if isinstance(annotation, FromIdentity) or annotation is FromIdentity:
        return True
    if id(annotation) in seen:
        return False  # A model that contains itself.
    return any(holds_mark(part, seen | {id(annotation)}) for part in parts_of(annotation))


def named_in(annotation: Any, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """The names of all fields in a type, at any depth, also where its JSON schema hides them."""
    if id(annotation) in seen:
        return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from (name, *aliases(field))
    elif has_typed_fields(annotation):
        yield from get_type_hints(annotation)
    for part in parts_of(annotation):
        yield from named_in(part, seen | {id(annotation)})


def aliases(field: FieldInfo) -> Iterator[str]:
    """All names besides its own by which a field can be filled."""
    for alias in (field.alias, field.validation_alias):
        for choice in alias.choices if isinstance(alias, AliasChoices) else (alias,):
            path = choice.path if isinstance(choice, AliasPath) else (choice,)
            yield from (part for part in path if isinstance(part, str))


def parts_of(annotation: Any) -> Iterator[Any]:
    """The types and marks that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from (*field.metadata, field.annotation)
    elif has_typed_fields(annotation):
        yield from get_type_hints(annotation, include_extras=True).values()
    elif isinstance(annotation, TypeVar):
        yield from (annotation.__bound__, *annotation.__constraints__)
    else:
        # A generic type, a type that `type X = ...` names, or a NewType.
        yield from (*get_args(annotation), get_origin(annotation))
        yield from (getattr(annotation, name, None) for name in ("__value__", "__supertype__"))


def has_typed_fields(annotation: Any) -> bool:
    """Whether it is a dataclass, a NamedTuple, or a TypedDict of `typing` or of `typing_extensions`."""
    if not isinstance(annotation, type):
        return False
    is_named_tuple = issubclass(annotation, tuple) and hasattr(annotation, "_fields")
    return is_dataclass(annotation) or is_named_tuple or hasattr(annotation, "__total__")


def shown_fields(schema: Any) -> Iterator[str]:
    """The names of all fields, at any depth, in a JSON schema that a model is shown."""
    if isinstance(schema, list):
        for part in schema:
            yield from shown_fields(part)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword == "properties":
            yield from value
        if keyword in ("properties", "$defs"):
            yield from shown_fields(list(value.values()))
        elif keyword not in ("default", "examples", "const", "enum"):
            yield from shown_fields(value)


def plain(name: str) -> str:
    """A field's name without its spelling: customer_id, customerId and "Customer ID" are one name."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())
