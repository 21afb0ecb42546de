"""Checks the arguments of a call against the schema that the server listed."""

import json
from typing import Any

from jsonschema import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from switchboard.loop.decide import EXPLANATION_MAX_CHARS

INVALID_SCHEMA = "its schema is not valid"

PATTERNS = frozenset({"pattern", "patternProperties"})
"""Keywords that are not checked here: a regular expression of other people can take hours. The server checks them."""


def problem_with_schema(schema: Any) -> str:
    """Return why a listed schema is none, as a part of a sentence, or an empty string."""
    try:
        checked = without_patterns(schema)
        validator_for(checked).check_schema(checked)
    except (SchemaError, RecursionError):
        return INVALID_SCHEMA
    return ""


def problem_with_arguments(schema_text: str, arguments: dict[str, Any]) -> str:
    """Return what is wrong with the arguments, as a part of a sentence, or an empty string."""
    schema = without_patterns(json.loads(schema_text))
    try:
        # An empty registry: references to other documents are not fetched.
        errors = list(validator_for(schema)(schema, registry=Registry()).iter_errors(arguments))
    except (Unresolvable, RecursionError):
        return INVALID_SCHEMA
    return "; ".join(explained(error) for error in errors)[:EXPLANATION_MAX_CHARS]


def explained(error: ValidationError) -> str:
    return f"{'.'.join(str(part) for part in error.absolute_path) or 'input'}: {error.message}"


def without_patterns(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_patterns(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: without_patterns(each) for name, each in value.items()}
        if key == "properties" and isinstance(value, dict)
        else without_patterns(value)
        for key, value in schema.items()
        if key not in PATTERNS
    }
