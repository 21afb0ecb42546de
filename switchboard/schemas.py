"""JSON schemas of arguments, as models get them: valid, and without anything that a model does not need.

The schema is sent with every request. Arguments are validated by pydantic, and not by this schema.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Schema = dict[str, Any]

CONSTRAINTS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
"""Pydantic's names of constraints. It leaks them into the schema of a number that has a validator of its own."""

SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords whose value is a schema by name."""

SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")

KEYWORDS = frozenset(
    {
        *SCHEMA_MAPS,
        *SCHEMA_LISTS,
        "items",
        "additionalProperties",
        *CONSTRAINTS.values(),
        *"$ref type enum const default description examples format pattern required".split(),
        *"minLength maxLength minItems maxItems uniqueItems minProperties maxProperties".split(),
    }
)
"""The keywords of JSON Schema that are kept. Others, such as `title`, say nothing that a model needs."""

PATTERN_MAX_CHARS = 23
"""Longest pattern that is kept. Models follow a description or an example better than a long regular expression."""

SELDOM_REACHED: Mapping[str, Callable[[float], bool]] = {
    "minLength": lambda limit: limit <= 2,
    "maxLength": lambda limit: limit >= 50,
    "minItems": lambda limit: limit <= 1,
    "maxItems": lambda limit: limit >= 10,
    "minimum": lambda limit: 0 <= limit <= 1,
    "maximum": lambda limit: limit >= 100,
    "exclusiveMinimum": lambda limit: limit == 0,
}
"""Limits that are left out, because a model seldom reaches them."""

REFERENCE = "#/$defs/"


class _Generate(GenerateJsonSchema):
    """Pydantic's schemas without titles. An amount is a number; pydantic also takes it as a string."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        limits: Any = {name: schema[name] for name in CONSTRAINTS if name in schema}  # type: ignore[literal-required]
        return self.float_schema(core_schema.float_schema(**limits))


def parameters_schema(model: type[BaseModel], hidden: Mapping[str, Any]) -> Schema:
    """Return the schema of a function's arguments: the fields of `model` that are not hidden."""
    whole = model.model_json_schema(schema_generator=_Generate)
    definitions = {name: compact(each) for name, each in whole.get("$defs", {}).items()}
    fields = {name: compact(field) for name, field in whole.get("properties", {}).items() if name not in hidden}
    required = [name for name in whole.get("required", ()) if name not in hidden]
    schema: Schema = {"type": "object", "properties": fields}
    if required:
        schema["required"] = required
    return smallest(schema, definitions)


def compact(schema: Any) -> Any:
    """Return the schema with valid keywords only, without nulls that only say that the field may be left out."""
    if not isinstance(schema, dict):
        return schema
    given: Schema = schema
    kept = {CONSTRAINTS.get(key, key): value for key, value in given.items()}
    kept |= {key: as_number(kept[key]) for key in CONSTRAINTS.values() if key in kept}
    kept = {key: compact_value(key, value) for key, value in kept.items() if is_needed(key, value)}
    if kept.get("default", ...) in (None, ""):
        del kept["default"]
        kept = without_null(kept)
    return merged(kept)


def as_number(limit: Any) -> int | float:
    """Return a limit as JSON has it: pydantic leaves decimals, and leaks them as strings."""
    return limit if isinstance(limit, int | float) else float(limit)


def is_needed(keyword: str, value: Any) -> bool:
    if keyword == "pattern":
        return len(value) <= PATTERN_MAX_CHARS
    if keyword == "additionalProperties":
        return isinstance(value, dict)
    return keyword in KEYWORDS and not (keyword in SELDOM_REACHED and SELDOM_REACHED[keyword](value))


def compact_value(keyword: str, value: Any) -> Any:
    if keyword in SCHEMA_MAPS:
        return {name: compact(each) for name, each in value.items()}
    if keyword in SCHEMA_LISTS:
        return [compact(each) for each in value]
    return compact(value) if keyword in ("items", "additionalProperties") else value


def without_null(schema: Schema) -> Schema:
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return {**schema, "anyOf": choices} if choices else schema


def merged(schema: Schema) -> Schema:
    """Return the schema without `anyOf` if it has one choice, or is any string: named values are then examples."""
    choices: list[Schema] = schema.get("anyOf", [])
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(choices) == 1:
        return choices[0] | rest
    plain = all(each.get("type") == "string" and each.keys() <= {"type", "enum", "const"} for each in choices)
    if choices and plain and {"type": "string"} in choices:
        named = [value for each in choices for value in each.get("enum", [each["const"]] if "const" in each else [])]
        return {"type": "string"} | ({"examples": named} if named else {}) | rest
    return schema


def smallest(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the shorter form: with the definitions inline, or in `$defs`. Recursive ones stay in `$defs`."""
    used = {name: definitions[name] for name in sorted(used_names(schema, definitions))}
    if not used:
        return schema
    referring = {**schema, "$defs": used}
    if any(name in used_names(definitions[name], definitions) for name in used):
        return referring
    inlined: Schema = inline(schema, definitions)
    return min(inlined, referring, key=lambda each: len(json.dumps(each)))


def used_names(schema: Any, definitions: Mapping[str, Schema]) -> set[str]:
    """Return the definitions that a schema refers to, directly or through others."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        new = {*references(waiting.pop())} - found
        found |= new
        waiting += [definitions[name] for name in new]
    return found


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def inline(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: inline(value, definitions) for key, value in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return rest
    return {**inline(definitions[schema["$ref"].removeprefix(REFERENCE)], definitions), **rest}
