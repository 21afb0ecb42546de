"""Tools of MCP servers as contracts: made in each turn from what the server lists and what the mesh declares. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import RootModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from switchboard.contract import (
    IDENTITY_FIELDS,
    FromIdentity,
    IdentityPart,
    PersonalInput,
    Tool,
    normalized,
    schema_fields,
)
from switchboard.mcp_server import ANSWERS, McpServer, McpTool
from switchboard.messages import WireModel, added_later
from switchboard.schemas import compact
from switchboard.text import message_text, quoted
from switchboard.words import OthersWords, mark

DESCRIPTION_MAX_CHARS = 1_000
"""Of a server's description of a tool or an argument, as models see it."""

SCHEMA_MAX_BYTES = 16 * 1024
"""Of the JSON schema of one foreign tool's arguments. A tool with a longer one is not offered."""

SCHEMA_DEPTH_MAX = 20
"""Levels of a foreign schema. A tool with a deeper one is not offered."""

QUESTION_MAX_CHARS = 2_000
"""Of the arguments in a question to the customer. A call with longer ones is refused."""

ANSWERS_PURPOSE = (
    "Only if the result of the same call said that the server asks the customer something: the customer's answers, by"
    " the names in the question. Never guess them."
)

CHANGED = (
    "Not done: the tool {name} of {server} has changed since it was offered. It can be used as it is now from the"
    " customer's next message on."
)


class ForeignCall(PersonalInput):
    """A call of an MCP server's tool, as the tools service gets it."""

    customer_id: Annotated[str, FromIdentity("customer_id")] = ""
    arguments: dict[str, Any]
    """What the model gave. The service adds those that are filled from the identity."""

    digest: str
    """The digest of the tool as the model saw it."""

    answers: dict[str, Any] | None = None
    """The customer's answers to questions of the server; None if they were not asked."""

    repeatable: bool = False
    """Whether the call may be made again when its answer was lost."""

    read_only: bool = False
    """Whether the call changes nothing."""


class ForeignText(RootModel[OthersWords]):
    """The result of a foreign tool: text of other people."""


class ForeignFacts(WireModel):
    """What the check of a foreign call found: that it can be made."""

    digest: str


class FoundTool(WireModel):
    """A tool as its server lists it."""

    name: str
    description: str = ""
    schema_text: str = "{}"
    """The JSON schema of the arguments. Empty if `problem` says why it cannot be used."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    digest: str = ""
    problem: str = ""
    """Why the tool cannot be offered, as one sentence."""

    as_task: Literal["forbidden", "optional", "required"] = added_later("forbidden")
    """Whether a server of 2025 carries calls out as tasks. One of 2026 decides it for each call."""


class Catalog(WireModel):
    """The declared tools that a server lists now. `problem` is why it could not be asked, as one sentence."""

    tools: tuple[FoundTool, ...] = ()
    problem: str = ""


def found_tool(
    name: str, description: str, schema: Mapping[str, Any], hints: Mapping[str, bool | None] | None = None
) -> FoundTool:
    """Return a listed tool with its digest. `hints` are MCP's annotations; those that are absent get MCP's defaults."""
    given = hints or {}
    read_only = bool(given.get("read_only"))
    listed = FoundTool(
        name=name,
        description=description[:DESCRIPTION_MAX_CHARS],
        read_only=read_only,
        destructive=not read_only and given.get("destructive") is not False,
        idempotent=bool(given.get("idempotent")),
    )
    whole = [name, description, schema, listed.read_only, listed.destructive, listed.idempotent]
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    except (ValueError, RecursionError):
        return listed.model_copy(update={"problem": "its schema is not JSON"})
    problem = problem_with_schema(schema, text)
    update = {"digest": digest, "problem": problem, "schema_text": "" if problem else text}
    return listed.model_copy(update=update)


def problem_with_schema(schema: Mapping[str, Any], text: str) -> str:
    """Return why the schema of a tool's arguments cannot be shown to a model, or an empty string."""
    if len(text.encode()) > SCHEMA_MAX_BYTES:
        return f"its schema is longer than {SCHEMA_MAX_BYTES} bytes"
    if depth(schema) > SCHEMA_DEPTH_MAX:
        return f"its schema is deeper than {SCHEMA_DEPTH_MAX} levels"
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        return "its schema does not describe an object with named arguments"
    unknown = [name for name in required if name not in properties]
    if unknown:
        return f"its schema requires {str(unknown[0])[:64]!r}, which it does not describe"
    return ""


def depth(value: Any) -> int:
    """Return how many levels of lists and objects a JSON value has."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((depth(part) for part in inner), default=0)


@dataclass(frozen=True)
class ForeignTool(Tool[ForeignCall, ForeignText]):
    """The contract of one tool of an MCP server, with the schema that the server listed in this turn.

    Without a schema the tool is not offered to the model. A call that the customer confirmed is still sent, so that the
    service says why it cannot be made.
    """

    declared: McpTool = field(default_factory=lambda: McpTool("undeclared"))
    schema_text: str = ""
    digest: str = ""
    repeatable: bool = False

    def __post_init__(self) -> None:
        """The declaration was checked at import, and the schema by `foreign_tools`."""

    @property
    def offered(self) -> bool:
        return bool(self.schema_text)

    @property
    def requires_verified_customer(self) -> bool:
        return self.declared.requires_verified_customer

    def filled_fields(self) -> dict[str, IdentityPart]:
        return {**{name: name for name in IDENTITY_FIELDS}, **self.declared.identity}

    def customer_fields(self) -> tuple[str, ...]:
        return ("customer_id",)

    def parameters(self) -> dict[str, Any]:
        parameters = parameters_for_models(visible_schema(json.loads(self.schema_text), self.declared))
        if self.declared.asks:
            parameters["properties"][ANSWERS] = {"type": "object", "description": ANSWERS_PURPOSE}
        return parameters

    def exposed_identity(self, names: Any = IDENTITY_FIELDS) -> list[str]:
        return exposed(json.loads(self.schema_text or "{}"), self.declared, names)

    def accept(self, given: Mapping[str, Any]) -> ForeignCall:
        """Return the call that the model's arguments and the identity make up. Raises ValidationError."""
        schema = visible_schema(json.loads(self.schema_text or "{}"), self.declared)
        properties, required = schema.get("properties", {}), schema.get("required", [])
        arguments = {name: value for name, value in given.items() if name not in self.filled_fields()}
        answers = arguments.pop(ANSWERS, None) if self.declared.asks else None
        # Many models write null for an optional argument that they leave out.
        arguments = {
            name: value
            for name, value in arguments.items()
            if value is not None or name in required or allows_null(properties.get(name))
        }
        problems = [(name, "Extra inputs are not permitted") for name in arguments if name not in properties]
        problems += [(name, "Field required") for name in required if name not in arguments]
        if answers is not None and not isinstance(answers, dict):
            problems.append((ANSWERS, "Input should be an object"))
        if problems:
            raise wrong_arguments(self.name, problems)
        return ForeignCall(
            **{name: given[name] for name in IDENTITY_FIELDS},
            arguments=arguments,
            digest=self.digest,
            answers=answers,
            repeatable=self.repeatable,
            read_only=self.read_only,
        )


def wrong_arguments(tool: str, problems: Sequence[tuple[str, str]]) -> ValidationError:
    """Return the error for arguments that do not fit, each with what is wrong about it."""
    lines = [
        InitErrorDetails(type=PydanticCustomError("foreign", message), loc=(name,), input=None)
        for name, message in problems
    ]
    return ValidationError.from_exception_data(tool, lines)


def allows_null(schema: Any) -> bool:
    """Return whether null is a value of its own for an argument."""
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type")
    named = kinds == "null" or (isinstance(kinds, list) and "null" in kinds)
    choices = [each for key in ("anyOf", "oneOf") for each in schema.get(key, ()) if isinstance(schema.get(key), list)]
    return named or any(allows_null(each) for each in choices)


def visible_schema(schema: dict[str, Any], declared: McpTool) -> dict[str, Any]:
    """Return the schema of the arguments that the model fills in."""
    properties = {name: each for name, each in schema.get("properties", {}).items() if name not in declared.identity}
    required = [name for name in schema.get("required", []) if name not in declared.identity]
    return {**schema, "properties": properties, "required": required}


def exposed(schema: dict[str, Any], declared: McpTool, names: Any = IDENTITY_FIELDS) -> list[str]:
    """Return the arguments of these names that a model could fill in, at any depth, in any spelling."""
    reserved = {normalized(name) for name in names}
    return sorted({name for name in schema_fields(visible_schema(schema, declared)) if normalized(name) in reserved})


def parameters_for_models(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a foreign schema as models see it: without keywords that say nothing, and with its words marked."""
    kept: dict[str, Any] = {
        "type": "object",
        "properties": {name: compact(each) for name, each in schema["properties"].items()},
        **({"required": schema["required"]} if schema["required"] else {}),
    }
    for key in ("$defs", "definitions"):
        if isinstance(schema.get(key), dict):
            kept[key] = {name: compact(each) for name, each in schema[key].items()}
    marked: dict[str, Any] = marked_words(kept)
    return marked


def marked_words(schema: Any) -> Any:
    """Return a schema with marks around its descriptions, which other people wrote, and without their examples."""
    if isinstance(schema, list):
        return [marked_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    marked: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"):
            marked[key] = {name: marked_words(each) for name, each in value.items()} if isinstance(value, dict) else {}
        elif key == "description":
            marked[key] = others_description(value) if isinstance(value, str) else ""
        elif key not in ("examples", "default", "title"):
            marked[key] = value if key in ("enum", "const") else marked_words(value)
    return marked


def others_description(text: str) -> str:
    """Return a description of other people, shortened and in marks."""
    shown = " ".join(message_text(text).split())
    return mark(shown if len(shown) <= DESCRIPTION_MAX_CHARS else f"{shown[:DESCRIPTION_MAX_CHARS]}…")


@dataclass(frozen=True)
class Offered:
    """The tools of a server in one turn, and what to tell the model about those that it cannot call, if any."""

    tools: tuple[ForeignTool, ...]
    missing: tuple[str, ...] = ()


def foreign_tools(server: McpServer, catalog: Catalog, identity_names: Sequence[str] = IDENTITY_FIELDS) -> Offered:
    """Return the contracts of a server's declared tools. Those that cannot be offered have no schema."""
    found = {tool.name: tool for tool in catalog.tools}
    tools, missing = [], []
    for declared in server.declared:
        listed = found.get(declared.name)
        problem = catalog.problem or problem_with(listed, declared, server, identity_names)
        if problem:
            missing.append(f"{declared.model_name} ({problem})")
        tools.append(contract(server, declared, None if problem else listed))
    return Offered(tuple(tools), tuple(missing))


def problem_with(
    listed: FoundTool | None, declared: McpTool, server: McpServer, identity_names: Sequence[str] = IDENTITY_FIELDS
) -> str:
    """Return why a declared tool cannot be offered, as a part of a sentence, or an empty string."""
    if listed is None:
        return f"{server.name} has no such tool"
    if listed.problem:
        return listed.problem
    if listed.as_task == "required" and server.command:
        return "it runs only as a task, which outlives a command; give the server a url="
    if declared.digest and declared.digest != listed.digest:
        return f"it has changed: its digest is {listed.digest} instead of the declared one"
    schema = json.loads(listed.schema_text)
    absent = sorted(declared.identity.keys() - schema.get("properties", {}).keys())
    if absent:
        return f"it has no argument {absent[0]!r}, which identity= fills in"
    if declared.asks and ANSWERS in schema.get("properties", {}):
        return f"it has an argument {ANSWERS!r}, which asks=True needs for itself"
    if names := exposed(schema, declared, identity_names):
        return f"the model could set {names[0]!r} and thereby choose the customer; fill it with identity="
    return ""


def contract(server: McpServer, declared: McpTool, listed: FoundTool | None) -> ForeignTool:
    """Return the contract of a tool. `listed` is None if the server does not offer it as declared."""
    needs_consent = declared.consent is not False and (
        bool(declared.consent) or declared.asks or listed is None or (listed.destructive and not listed.read_only)
    )
    read_only = listed is not None and listed.read_only and not needs_consent
    repeatable = declared.repeatable
    if repeatable is None:
        repeatable = listed is not None and (listed.read_only or listed.idempotent)
    return ForeignTool(
        service=server.name,
        handler=declared.model_name,
        purpose=declared.purpose or others_description(listed.description if listed else "") or declared.spoken_label,
        input=ForeignCall,
        output=ForeignText,
        consent=question(server, declared) if needs_consent else None,
        check=ForeignFacts if needs_consent else None,
        verified=declared.requires_verified_customer,
        read_only=read_only,
        label=declared.spoken_label,
        declared=declared,
        schema_text=listed.schema_text if listed else "",
        digest=listed.digest if listed else "",
        repeatable=repeatable,
    )


@dataclass(frozen=True)
class Question:
    """Words a call as a question to the customer. Equal for equal declarations, as contracts are compared by value."""

    server: str
    declared: McpTool

    def __call__(self, call: ForeignCall, facts: ForeignFacts) -> str:
        if callable(self.declared.consent):
            return self.declared.consent(call.arguments)
        what = f"{self.declared.spoken_label} ({self.server})"
        if call.arguments:
            what += f" with {listing(call.arguments)}"
        if call.answers is not None:
            what += f", and answer {listing(call.answers) or 'with the defaults'}"
        return f"{what}?"


def listing(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in sorted(values.items()))


def question(server: McpServer, declared: McpTool) -> Question:
    return Question(server.name, declared)


def shown(value: Any) -> str:
    """Return an argument as a customer reads it."""
    return quoted(value) if isinstance(value, str) else quoted(json.dumps(value, ensure_ascii=False))


def question_is_too_long(arguments: Mapping[str, Any]) -> bool:
    return len(json.dumps(arguments, ensure_ascii=False)) > QUESTION_MAX_CHARS


def not_available(missing: Sequence[str]) -> str:
    """Return the line that tells the model which tools it cannot call at the moment."""
    return f"Not available at the moment: {'; '.join(missing)}. Say so if the customer needs one of them."


Kind = Literal["done", "failed", "asked", "unreached", "lost", "working"]
