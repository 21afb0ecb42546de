"""The JSON schemas of arguments that models get: valid, small, and with every field."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from switchboard import ToolInput
from switchboard.money import Currency, Money
from switchboard.schemas import parameters_schema


class Leg(ToolInput):
    number: str = Field(description="A number.")
    day: date


class Node(ToolInput):
    children: tuple["Node", ...] = ()


class Trip(ToolInput):
    secret: str
    legs: tuple[Leg, ...] = Field(min_length=1, max_length=50, description="In order.")
    back: Leg


class Family(ToolInput):
    root: Node


def field_schema(annotation: Any, default: Any = ...) -> Any:
    """Return the schema of a single field of that type."""
    model = type("Probe", (ToolInput,), {"__annotations__": {"field": annotation}, "field": default})
    schema = parameters_schema(model, {})
    Draft202012Validator.check_schema(schema)
    return schema["properties"]["field"]


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (Annotated[str, Field(title="T", description="D.")], ..., {"type": "string", "description": "D."}),
        (Annotated[Money, Field(ge=5)], ..., {"type": "number", "minimum": 5}),
        (Annotated[Money, Field(gt=0)], ..., {"type": "number"}),
        (Annotated[Money | None, Field(ge=5, le=9)], None, {"type": "number", "minimum": 5, "maximum": 9}),
        (Annotated[Decimal, Field(gt=2)], ..., {"type": "number", "exclusiveMinimum": 2}),
        (Annotated[Money, Field(ge=Decimal("5.5"))], ..., {"type": "number", "minimum": 5.5}),
        (Annotated[Decimal, Field(le=Decimal("9.5"))], ..., {"type": "number", "maximum": 9.5}),
        (Optional[int], None, {"type": "integer"}),  # noqa: UP045
        (int | None, ..., {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int, 3, {"type": "integer", "default": 3}),
        (Currency | None, None, {"type": "string", "pattern": "^[A-Z]{3}$"}),
        (Annotated[str, Field(pattern="^" + "x" * 40 + "$")], ..., {"type": "string"}),
        (Annotated[str, Field(min_length=4, max_length=4)], ..., {"type": "string", "minLength": 4, "maxLength": 4}),
        (Annotated[str, Field(min_length=1, max_length=500)], ..., {"type": "string"}),
        (Literal["a", "b"] | str, ..., {"type": "string", "examples": ["a", "b"]}),
        (Literal["a"] | str, ..., {"type": "string", "examples": ["a"]}),
        (Literal["a"] | date, ..., {"anyOf": [{"type": "string", "const": "a"}, {"type": "string", "format": "date"}]}),
        (dict[str, int], ..., {"type": "object", "additionalProperties": {"type": "integer"}}),
    ],
)
def test_field_is_described_with_needed_keywords_only(annotation: Any, default: Any, expected: dict[str, Any]) -> None:
    assert field_schema(annotation, default) == expected


def test_hidden_fields_are_left_out() -> None:
    schema = parameters_schema(Trip, {"secret": "customer_id"})
    assert list(schema["properties"]) == ["legs", "back"]
    assert schema["required"] == ["legs", "back"]


def test_definitions_are_inlined_when_that_is_shorter() -> None:
    leg = {
        "type": "object",
        "properties": {
            "number": {"description": "A number.", "type": "string"},
            "day": {"format": "date", "type": "string"},
        },
        "required": ["number", "day"],
    }
    once = parameters_schema(Trip, {"secret": "", "back": ""})
    assert "$defs" not in once
    assert once["properties"]["legs"] == {"type": "array", "items": leg, "description": "In order."}
    twice = parameters_schema(Trip, {"secret": ""})
    assert twice["$defs"] == {"Leg": leg}
    assert twice["properties"]["back"] == {"$ref": "#/$defs/Leg"}


def test_recursive_definitions_stay() -> None:
    schema = parameters_schema(Family, {})
    Draft202012Validator.check_schema(schema)
    assert schema["properties"] == {"root": {"$ref": "#/$defs/Node"}}
    assert list(schema["$defs"]) == ["Node"]


def test_model_without_arguments_has_no_required_list() -> None:
    assert parameters_schema(ToolInput, {}) == {"type": "object", "properties": {}}
