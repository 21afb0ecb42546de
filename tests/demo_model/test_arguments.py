"""Arguments are filled in from schemas of the kinds that pydantic generates."""

import orjson
import pytest

from switchboard.demo_model.arguments import Sources, fill
from switchboard.demo_model.catalogue import compile_catalogue

DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d*\.?\d*$"}]}
AIRPORT = {"type": "string", "pattern": "^[A-Z]{3}$"}


@pytest.mark.parametrize(
    ("text", "properties", "expected"),
    [
        ("apply for 5,000 euros over 36 months", {"amount": DECIMAL, "months": {"type": "integer"}}, ["5000", 36]),
        ("over 36 months please, 5000.50 EUR", {"amount": DECIMAL, "months": {"type": "integer"}}, ["5000.50", 36]),
        ("fly from JFK to SFO on May 20, 2024", {"destination": AIRPORT, "origin": AIRPORT}, ["SFO", "JFK"]),
        ("on May 20, 2024", {"date": {"type": "string", "format": "date"}}, ["2024-05-20"]),
        ("on 2nd of June 2024", {"departure_date": {"type": "string"}}, ["2024-06-02"]),
        ("on 2024-05-20", {"date": {"type": "string", "format": "date"}}, ["2024-05-20"]),
        (
            "send 20 EUR to de89 3704 0044 0532 0130 00",
            {"to_iban": {"type": "string"}, "amount": DECIMAL},
            ["DE89370400440532013000", "20"],
        ),
        ("cancel l-102 please", {"loan_id": {"type": "string", "examples": ["L-999"]}}, ["L-102"]),
        ("3 bags", {"bags": {"type": "integer"}}, [3]),
        ("food and rent", {"kinds": {"type": "array", "items": {"enum": ["rent", "food"]}}}, [["rent", "food"]]),
        ("without insurance", {"insurance": {"type": "boolean"}}, [False]),
        ("in May", {"month": {"anyOf": [{"enum": ["may"]}, {"type": "string", "pattern": "^[0-9-]{7}$"}]}}, ["may"]),
        (
            "in 2024-05",
            {"month": {"anyOf": [{"enum": ["may"]}, {"type": "string", "pattern": "^[0-9-]{7}$"}]}},
            ["2024-05"],
        ),
        ("seat 10b", {"seat": {"type": "string", "pattern": "^[0-9]+[A-Fa-f]$", "examples": ["10B"]}}, ["10B"]),
        ("key ab1", {"key": {"type": "string", "pattern": "^[A-Za-z]+[0-9]$", "examples": ["xy9"]}}, ["ab1"]),
        ("last month", {"period": {"$ref": "#/$defs/Period"}}, ["last_month"]),
        ("in the past month", {"period": {"anyOf": [{"$ref": "#/$defs/Period"}, {"type": "null"}]}}, ["last_month"]),
    ],
)
def test_arguments_are_filled_from_the_text(text: str, properties: dict[str, object], expected: list[object]) -> None:
    assert filled(text, properties) == dict(zip(properties, expected, strict=True))


@pytest.mark.parametrize(
    "properties",
    [
        {"amount": DECIMAL},
        {"date": {"type": "string", "format": "date"}},
        {"code": {"type": "string", "pattern": "^[A-Z0-9]{6}$"}},
        {"city": {"type": "string"}},
        {"lines": {"type": "array", "items": {"type": "object"}}},
        {"month": {"type": "string", "enum": ["may", "june"]}},
        {"broken": {"type": "string", "pattern": "("}},
    ],
)
def test_arguments_without_a_value_in_the_text_are_left_out(properties: dict[str, object]) -> None:
    assert filled("may I please change my thing", properties) == {}


def filled(text: str, properties: dict[str, object]) -> dict[str, object]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": {"Period": {"type": "string", "enum": ["this_month", "last_month"]}},
    }
    tool = {"type": "function", "name": "do_it", "description": "", "parameters": schema}
    [function] = compile_catalogue(orjson.dumps([tool])).functions
    return fill(function, Sources(text, (text,))).arguments
