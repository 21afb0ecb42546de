"""Compiles the offered functions for matching and filling. It reads JSON Schema and knows no function by name."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson

from switchboard.demo_model.conversation import HAND_OFF_PREFIX
from switchboard.demo_model.wire import JsonObject
from switchboard.demo_model.words import all_stems, content_stems, plain

# Cached catalogues. An agent offers the same tools in each request, so it is compiled once.
CATALOGUES_KEPT = 64
PATTERN_LENGTH_MAX_CHARS = 500

NAME_WEIGHT = 1.6
DESCRIPTION_WEIGHT = 1.0
ENUM_WEIGHT = 0.8
PARAMETER_WEIGHT = 0.4
# A word that occurs only in a parameter's name or description does not select the function.
EVIDENCE_WEIGHT = ENUM_WEIGHT

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_QUERY_NAMES = frozenset(all_stems("query question q text message topic search prompt sentence request"))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function. `kinds` are its JSON Schema types without null.

    `enum` are the values to choose from. Several words as examples count as such.
    """

    name: str
    description: str
    kinds: frozenset[str]
    required: bool
    enum: tuple[object, ...] = ()
    pattern: re.Pattern[str] | None = None
    examples: tuple[str, ...] = ()
    format: str = ""
    items: "Parameter | None" = None
    stems: frozenset[str] = field(default=frozenset())

    @property
    def takes_question(self) -> bool:
        """Whether the parameter is a free text that takes the customer's question."""
        coded = any(" " not in example for example in self.examples)
        free = self.kinds == {"string"} and not (self.enum or self.pattern or coded or self.format)
        return free and not _QUERY_NAMES.isdisjoint(all_stems(self.name))


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    description: str
    parameters: tuple[Parameter, ...]
    weights: Mapping[str, float]

    @property
    def is_hand_off(self) -> bool:
        return self.name.startswith(HAND_OFF_PREFIX)

    @property
    def agent(self) -> str:
        return self.name.removeprefix(HAND_OFF_PREFIX)

    @property
    def takes_question(self) -> bool:
        return any(p.takes_question for p in self.parameters)


@dataclass(frozen=True, slots=True)
class Catalogue:
    functions: tuple[Function, ...]
    rarity: Mapping[str, float]

    def get(self, name: str) -> Function | None:
        return next((f for f in self.functions if f.name == name), None)

    @property
    def tools(self) -> tuple[Function, ...]:
        return tuple(f for f in self.functions if not f.is_hand_off)

    @property
    def hand_offs(self) -> tuple[Function, ...]:
        return tuple(f for f in self.functions if f.is_hand_off)


@lru_cache(maxsize=CATALOGUES_KEPT)
def compile_catalogue(tools_json: bytes) -> Catalogue:
    """Compile the `tools` of a request. Entries that are not functions are ignored."""
    functions = tuple(_functions(orjson.loads(tools_json)))
    seen = Counter(stem for f in functions for stem in f.weights)
    return Catalogue(functions, {stem: math.log(1 + len(functions) / count) for stem, count in seen.items()})


def _functions(tools: Sequence[object]) -> Iterator[Function]:
    for tool in tools:
        if isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("name"), str):
            schema = tool.get("parameters")
            parameters = tuple(_parameters(schema)) if isinstance(schema, dict) else ()
            name, description = tool["name"], _text(tool.get("description"))
            yield Function(name, description, parameters, _word_weights(name, description, parameters))


def _word_weights(name: str, description: str, parameters: tuple[Parameter, ...]) -> dict[str, float]:
    """Return the weight of each word for a function: the highest of the places where it occurs."""
    weights: dict[str, float] = {}
    for p in parameters:
        _raise_weights(weights, content_stems(f"{plain(p.name)} {p.description}"), PARAMETER_WEIGHT)
        for value in (*p.enum, *(p.items.enum if p.items else ())):
            _raise_weights(weights, content_stems(plain(str(value))), ENUM_WEIGHT)
    _raise_weights(weights, content_stems(description), DESCRIPTION_WEIGHT)
    # An agent's name says little; its description says what it handles.
    own_name = name.removeprefix(HAND_OFF_PREFIX)
    _raise_weights(weights, content_stems(plain(own_name)), DESCRIPTION_WEIGHT if own_name != name else NAME_WEIGHT)
    return weights


def _raise_weights(weights: dict[str, float], stems: Sequence[str], weight: float) -> None:
    for stem in stems:
        weights[stem] = max(weight, weights.get(stem, 0.0))


def _parameters(schema: JsonObject) -> Iterator[Parameter]:
    properties, required, defs = schema.get("properties"), schema.get("required"), schema.get("$defs")
    if not isinstance(properties, dict):
        return
    names = required if isinstance(required, list) else []
    for name, raw in properties.items():
        if isinstance(raw, dict):
            yield _parameter(name, raw, name in names, defs if isinstance(defs, dict) else {})


def _parameter(name: str, raw: JsonObject, required: bool, defs: JsonObject) -> Parameter:
    parts = list(_branches(raw, defs))
    kinds = frozenset(kind for part in parts for kind in _kinds(part)) - {"null"}
    # Strict schemas require every property and make optional ones nullable.
    nullable = any("null" in _kinds(part) for part in parts)
    items = _first(parts, "items")
    examples = _examples(_first(parts, "examples"))
    description = _text(_first(parts, "description"))
    return Parameter(
        name=name,
        description=description,
        kinds=kinds or frozenset({"string"}),
        required=required and not nullable,
        enum=tuple(value for part in parts for value in _enum(part) if value is not None) or _words(examples),
        pattern=_pattern(_first(parts, "pattern")) if not kinds & {"number", "integer"} else None,
        examples=examples,
        format=_text(_first(parts, "format")),
        items=_parameter(name, items, False, defs) if isinstance(items, dict) else None,
        stems=frozenset(content_stems(f"{plain(name)} {description}")),
    )


def _branches(raw: JsonObject, defs: JsonObject) -> Iterator[JsonObject]:
    """Yield the schema and the schemas it refers to or combines, one level deep."""
    yield raw
    alternatives = [raw, *_dicts(raw.get("anyOf")), *_dicts(raw.get("oneOf")), *_dicts(raw.get("allOf"))]
    for part in alternatives:
        if part is not raw:
            yield part
        target = defs.get(_text(part.get("$ref")).rpartition("/")[2])
        if isinstance(target, dict):
            yield target


def _dicts(value: object) -> list[JsonObject]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _kinds(part: JsonObject) -> list[str]:
    kind = part.get("type")
    return (
        [kind] if isinstance(kind, str) else [k for k in kind if isinstance(k, str)] if isinstance(kind, list) else []
    )


def _enum(part: JsonObject) -> list[object]:
    values = part.get("enum")
    return values if isinstance(values, list) else [part["const"]] if "const" in part else []


def _first(parts: Sequence[JsonObject], key: str) -> object:
    return next((part[key] for part in parts if key in part), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _examples(value: object) -> tuple[str, ...]:
    return tuple(str(example) for example in value) if isinstance(value, list) else ()


def _words(examples: tuple[str, ...]) -> tuple[str, ...]:
    """Return the examples if they are words such as `last_month` from an open list."""
    return examples if len(examples) > 1 and all(map(_WORD.fullmatch, examples)) else ()


def _pattern(value: object) -> re.Pattern[str] | None:
    """Return the compiled pattern, or None if it is invalid in Python or too long."""
    if not isinstance(value, str) or len(value) > PATTERN_LENGTH_MAX_CHARS:
        return None
    try:
        return re.compile(value)
    except re.error:
        return None
