"""Tool contracts: name, input, output, key, consent and identity of a tool. Values only, no I/O.

Contracts import pydantic only. An agent and the service that implements a tool share its contract.
"""

import inspect
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

import pydantic_core
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, RootModel
from pydantic.fields import FieldInfo

from switchboard.messages import Identity, WireModel
from switchboard.schemas import parameters_schema
from switchboard.words import OurWords, paths_of_others_words

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

# OpenAI-compatible endpoints accept only this form as a function name.
FUNCTION_NAME_MAX_CHARS = 64
FUNCTION_NAME = re.compile(rf"[a-zA-Z0-9_-]{{1,{FUNCTION_NAME_MAX_CHARS}}}")

CHECK_PREFIX = "check_"
"""Begins the name of the handler that checks a call before the customer is asked."""

SUBJECT_MAX_CHARS = 255
"""Length of the id that an identity provider gives to a person: a token's `sub` (OpenID Connect Core, section 2)."""

IdentityKey = Literal["customer_id", "session_id"]
IdentityPart = IdentityKey | Literal["signed_in"]

IDENTITY_FIELDS: tuple[IdentityPart, ...] = ("customer_id", "session_id", "signed_in")
"""Input field names that a model may never fill in, in any spelling. `Agent.identity_fields` adds more."""


class FromIdentity:
    """Mark an input field that is filled from the session's identity.

    The model does not see the field and cannot set it.

    ```python
    class ListClaims(PersonalInput):
        customer_id: Annotated[str, FromIdentity("customer_id")]
    ```

    Args:
        part: The part of the identity: "customer_id", "session_id" or "signed_in".

    Raises:
        ValueError: For any other part.
    """

    def __init__(self, part: IdentityPart) -> None:
        if part not in IDENTITY_FIELDS:
            raise ValueError(
                f"FromIdentity({part!r}): an identity has no such part. Use one of {', '.join(IDENTITY_FIELDS)}"
            )
        self.part = part


class ToolInput(BaseModel):
    """Base class of tool inputs. Immutable. Undeclared fields are rejected, and the model gets the error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoInput(ToolInput):
    """Input of a tool that takes no arguments."""


class PersonalInput(ToolInput):
    """Base class of inputs for tools that read or change a customer's own data.

    Both fields are filled from the session's identity. A call without them counts as unauthenticated. Tools that call
    such a tool on behalf of the mesh, or for a customer they have verified, set `signed_in=True`.
    """

    session_id: Annotated[str, FromIdentity("session_id")] = ""
    """The session of the call; empty for a call by another tool."""

    signed_in: Annotated[bool, FromIdentity("signed_in")] = False
    """True if the customer is signed in."""


BY_THE_MESH = PersonalInput(signed_in=True)
"""Input for a call on behalf of the mesh itself, or for a customer who was verified before."""


class Text(RootModel[OurWords]):
    """Output of a tool that returns plain text, without other people's words. The text is in `root`."""

    model_config = ConfigDict(frozen=True)


class Resolved(WireModel, Generic[Input]):
    """Base class of facts from a check that also resolves the call. See `Tool.check`.

    The customer is asked about `call`, and on their yes exactly this call is made: with a date in place of "friday", or
    an account's id in place of its IBAN. The fields that are filled from the identity stay as they were.
    """

    call: Input


@dataclass(frozen=True)
class Tool(Generic[Input, Output]):
    """The contract of one tool: a durable call to a Restate handler that a model can request.

    The model fills in the fields of `input`, except those marked with FromIdentity.

    ```python
    GET_INVOICE = Tool(
        service="Invoices",
        handler="get_invoice",
        purpose="Get an invoice by its number.",
        input=GetInvoice,
        output=Invoice,
        keyed_by="customer_id",
    )
    ```

    Raises:
        ValueError: At import, if the declaration is unsafe or cannot be served. The message says how to fix it.
    """

    service: str
    """Name of the Restate service."""

    handler: str
    """Name of the Restate handler, and of the function that the model sees: 1 to 64 letters, digits, `_` or `-`."""

    purpose: str
    """Description for the model."""

    input: type[Input]
    """Type of the arguments, a ToolInput. Tools for verified customers need a PersonalInput."""

    output: type[Output]
    """Type of the result: a pydantic model, or Text."""

    keyed_by: IdentityKey | None = None
    """The identity part that is the key of the virtual object. None for a plain service."""

    consent: Callable[..., str] | None = None
    """Words the call as a question. The call is then made only after the customer has said yes.

    Takes the input; with `check`, the input and the facts. Calls that do different things need different questions.
    Text of other people comes last and in quotation marks; see `switchboard.text.quoted`.
    """

    verified: bool | None = None
    """Whether the customer must be signed in or verified before the handler runs; see `requires_verified_customer`."""

    internal: bool = False
    """True for a tool that only other tools call. Agents cannot list it, and it does not verify the customer."""

    read_only: bool = False
    """True if the tool changes nothing. Replies that list a turn's actions for the customer leave out its calls."""

    label: str = ""
    """The action in words for customers, such as "transfer money". By default the handler's name with spaces."""

    check: type[BaseModel] | None = None
    """Type of the facts that the tool's check finds before the customer is asked: a pydantic model, or a Resolved.

    The check is a handler beside the tool's own, bound by `checks`. It applies the tool's rules and looks up what the
    question shows, but changes nothing. If it raises a TerminalError, the customer is not asked, and the model gets the
    message. It runs again after the yes: if the question would then be another one, the call is not made. Only for
    tools with `consent`.
    """

    def __post_init__(self) -> None:
        if not FUNCTION_NAME.fullmatch(self.name):
            raise ValueError(f"tool {self.name!r}: a name must be 1 to 64 letters, digits, '_' or '-'")
        problem = problem_with_types(self) or problem_with_marks(self.input)
        problem = problem or problem_with_words(self) or problem_with_check(self)
        problem = problem or (problem_with_internal(self) if self.internal else problem_with_identity(self))
        if problem:
            raise ValueError(f"tool {self.name}: {problem}")

    @property
    def name(self) -> str:
        """The name that the model sees, which is the handler's."""
        return self.handler

    @property
    def spoken_label(self) -> str:
        return self.label or self.handler.replace("_", " ")

    @property
    def offered(self) -> bool:
        """Whether the model is told of the tool. Only tools of MCP servers can be out of reach."""
        return True

    def accept(self, given: Mapping[str, Any]) -> Input:
        """Return the input that a model's arguments and the identity make up. Raises ValidationError."""
        return self.input.model_validate(given)

    @property
    def requires_verified_customer(self) -> bool:
        """Whether the customer must be signed in or verified before the handler runs.

        `verified` decides if it is set. Otherwise True if the tool knows the customer: it is keyed by the customer's
        id, has a field that is filled with it, or takes a PersonalInput. Always False for internal tools.
        """
        if self.internal or self.verified is not None:
            return bool(self.verified)
        own = self.keyed_by == "customer_id" or bool(self.customer_fields())
        return own or issubclass(self.input, PersonalInput)

    def check_tool(self) -> "Tool[Input, Any]":
        """Return the contract of the tool's check: the handler `check_<handler>` of the same service."""
        if self.check is None:
            raise ValueError(f"tool {self.name} has no check")
        return self._check_tool

    @cached_property
    def _check_tool(self) -> "Tool[Input, Any]":
        # Each question and each yes calls it, and the declaration of a tool builds JSON schemas.
        assert self.check is not None
        return Tool(
            service=self.service,
            handler=CHECK_PREFIX + self.handler,
            purpose=f"Check a call of {self.handler} before the customer is asked.",
            input=self.input,
            output=self.check,
            keyed_by=self.keyed_by,
            verified=self.verified,
            read_only=True,
        )

    @property
    def others_words(self) -> tuple[str, ...]:
        """Where the output has other people's words; see `switchboard.words`."""
        return paths_of_others_words(self.output)

    def parameters(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments that the model fills in: `input` without the identity's fields."""
        return parameters_schema(self.input, self.filled_fields())

    def filled_fields(self) -> dict[str, IdentityPart]:
        """Return the input fields that are filled from the identity, each with the part that fills it."""
        return {
            name: mark.part
            for name, field in self.input.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, FromIdentity)
        }

    def customer_fields(self) -> tuple[str, ...]:
        """Return the input fields that are filled with the customer's id."""
        return tuple(name for name, part in self.filled_fields().items() if part == "customer_id")

    def exposed_identity(self, names: Iterable[str] = IDENTITY_FIELDS) -> list[str]:
        """Return the fields of these names that a model could fill in, at any depth of the input, sorted.

        Names match in any spelling: `customer_id` also finds `customerId`.
        """
        reserved = {normalized(name) for name in names}
        hidden = self.filled_fields()
        schema = self.input.model_json_schema()
        visible = {name: field for name, field in schema.get("properties", {}).items() if name not in hidden}
        settable = {*schema_fields({**schema, "properties": visible})}
        for name, field in self.input.model_fields.items():
            if name not in hidden:
                settable |= {name, *aliases(field), *field_names(field.annotation)}
        return sorted({name for name in settable if normalized(name) in reserved})

    def key(self, identity: Identity) -> str | None:
        """Return the key of the virtual object to call for `identity`, or None for a plain service."""
        return getattr(identity, self.keyed_by) if self.keyed_by else None


def parse_json(text: str) -> Any:
    """Parse JSON that a model wrote. Raises ValueError, also for too deep nesting and for lone surrogates."""
    return pydantic_core.from_json(text, allow_inf_nan=False)


def problem_with_types(tool: Tool[Any, Any]) -> str | None:
    """Return why calls of the tool could not be parsed or delivered, if so."""
    for what, found in (("input", tool.input), ("output", tool.output)):
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            base = "ToolInput" if what == "input" else "WireModel, or write Text"
            return f"the {what} is {found!r}, but must be a pydantic model. Derive a class from {base}"
    if tool.keyed_by not in (None, *get_args(IdentityKey)):
        return f'keyed_by must be "customer_id" or "session_id", not {tool.keyed_by!r}'
    return None


def problem_with_words(tool: Tool[Any, Any]) -> str | None:
    """Return why `read_only` or `label` is invalid, if so."""
    if tool.read_only and tool.consent:
        return (
            "read_only says that the tool changes nothing, but consent= asks the customer before it changes something. "
            "Remove one of them"
        )
    if tool.label != tool.label.strip() or not tool.label.isprintable():
        return "label must be a few words on one line"
    return None


def problem_with_check(tool: Tool[Any, Any]) -> str | None:
    """Return why the question cannot be asked as declared, if so."""
    if tool.consent is None:
        return None if tool.check is None else "check= has no effect without consent=. Add consent=, or remove check="
    if tool.check is not None:
        if not (isinstance(tool.check, type) and issubclass(tool.check, BaseModel)):
            return f"check is {tool.check!r}, but must be the type of its facts, a pydantic model"
        if not FUNCTION_NAME.fullmatch(CHECK_PREFIX + tool.handler):
            return f"with a check, a name has at most {FUNCTION_NAME_MAX_CHARS - len(CHECK_PREFIX)} characters"
    wanted = ("the input",) if tool.check is None else ("the input", "the facts")
    try:
        inspect.signature(tool.consent).bind(*wanted)
    except TypeError:
        return f"consent= must be a function that takes {' and '.join(wanted)}"
    except ValueError:
        return None  # A function of C, such as `str`, may have no signature.
    return None


def problem_with_internal(tool: Tool[Any, Any]) -> str | None:
    """Return which other option contradicts `internal`, if any."""
    if tool.verified:
        return "internal tools do not verify the customer, the calling tool does. Remove verified=True"
    if tool.consent:
        return "internal tools cannot ask for consent. Move consent= to the tool that an agent lists"
    return None


def problem_with_identity(tool: Tool[Any, Any]) -> str | None:
    """Return how a model could choose the customer, or why the customer could not be verified, if so."""
    if tool.input.model_config.get("extra") != "forbid":
        return (
            f"{tool.input.__name__} accepts undeclared fields, so the model could set any field. Derive it from"
            ' ToolInput, and keep extra="forbid"'
        )
    exposed = tool.exposed_identity()
    if exposed:
        return (
            f"the model could set {exposed[0]!r} and thereby choose the customer. Let the session fill the field:"
            f" `{exposed[0]}: Annotated[str, FromIdentity(...)]` directly in {tool.input.__name__}. Rename the field if"
            " it is not an identity, or set internal=True if only other tools call the tool"
        )
    if not tool.requires_verified_customer:
        return None
    if not issubclass(tool.input, PersonalInput):
        return (
            f"the tool is for verified customers, so {tool.input.__name__} must derive from PersonalInput, which has"
            " the session and the sign-in state. Set verified=False if unauthenticated customers may call the tool, or"
            " internal=True if only other tools call it"
        )
    if tool.keyed_by != "customer_id" and not tool.customer_fields():
        return (
            'the tool is for verified customers, but does not know the customer. Set keyed_by="customer_id", or add'
            f' `customer_id: Annotated[str, FromIdentity("customer_id")]` to {tool.input.__name__}'
        )
    return None


def problem_with_marks(model: type[BaseModel]) -> str | None:
    """Return why a FromIdentity mark of the input would have no effect, or let the model set the field, if so."""
    for name, field in model.model_fields.items():
        if any(mark is FromIdentity for mark in field.metadata) or isinstance(field.default, FromIdentity):
            return (
                f"FromIdentity has no effect on {name!r} here, so the model could set the field. Write"
                f' `{name}: Annotated[str, FromIdentity("customer_id")]`'
            )
        if holds_mark(field.annotation):
            return (
                f"FromIdentity has no effect inside the type of {name!r}, so the model could set the field. Write"
                ' `customer_id: Annotated[str, FromIdentity("customer_id")]` directly in the input'
            )
        parts = [mark.part for mark in field.metadata if isinstance(mark, FromIdentity)]
        if parts and (field.alias is not None or field.validation_alias is not None):
            return f"the model could set {name!r} by its alias, but the session fills it. Remove the alias"
        if len(parts) > 1:
            return f"{name!r} has {len(parts)} FromIdentity marks. Keep one"
        if parts and field.exclude:
            return f"the session fills {name!r}, but the handler would not receive it. Remove exclude=True"
        if parts and name in IDENTITY_FIELDS and parts != [name]:
            return f'{name!r} would be filled with the {parts[0]}. Write FromIdentity("{name}"), or rename the field'
    return None


def holds_mark(annotation: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Return whether a type contains a FromIdentity mark at any depth: in an optional, a list or a nested model."""
    if isinstance(annotation, FromIdentity) or annotation is FromIdentity:
        return True
    if id(annotation) in seen:
        return False  # A recursive model.
    return any(holds_mark(part, seen | {id(annotation)}) for part in parts_of(annotation))


def field_names(annotation: Any, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield the names of all fields in a type, at any depth, including those that its JSON schema hides."""
    if id(annotation) in seen:
        return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from (name, *aliases(field))
    elif has_typed_fields(annotation):
        yield from get_type_hints(annotation)
    for part in parts_of(annotation):
        yield from field_names(part, seen | {id(annotation)})


def aliases(field: FieldInfo) -> Iterator[str]:
    """Yield the other names by which a field can be set."""
    for alias in (field.alias, field.validation_alias):
        for choice in alias.choices if isinstance(alias, AliasChoices) else (alias,):
            path = choice.path if isinstance(choice, AliasPath) else (choice,)
            yield from (part for part in path if isinstance(part, str))


def parts_of(annotation: Any) -> Iterator[Any]:
    """Yield the types and marks that a type consists of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from (*field.metadata, field.annotation)
    elif has_typed_fields(annotation):
        yield from get_type_hints(annotation, include_extras=True).values()
    elif isinstance(annotation, TypeVar):
        yield from (annotation.__bound__, *annotation.__constraints__)
    else:
        # A generic type, a `type X = ...` alias, or a NewType.
        yield from (*get_args(annotation), get_origin(annotation))
        yield from (getattr(annotation, name, None) for name in ("__value__", "__supertype__"))


def has_typed_fields(annotation: Any) -> bool:
    """Return whether this is a dataclass, a NamedTuple, or a TypedDict of `typing` or `typing_extensions`."""
    if not isinstance(annotation, type):
        return False
    is_named_tuple = issubclass(annotation, tuple) and hasattr(annotation, "_fields")
    return is_dataclass(annotation) or is_named_tuple or hasattr(annotation, "__total__")


def schema_fields(schema: Any) -> Iterator[str]:
    """Yield the names of all fields in a JSON schema, at any depth."""
    if isinstance(schema, list):
        for part in schema:
            yield from schema_fields(part)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword == "properties":
            yield from value
        if keyword in ("properties", "$defs"):
            yield from schema_fields(list(value.values()))
        elif keyword not in ("default", "examples", "const", "enum"):
            yield from schema_fields(value)


def normalized(name: str) -> str:
    """Normalize a field name, so that customer_id, customerId and "Customer ID" are equal."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())
