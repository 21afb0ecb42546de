"""No tool that a model can call takes a text that could hide, reorder or flood other text."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Tool
from tests.services.inputs import annotation_of, texts_of

TOOLS = {tool.name: tool for agent in (bank, airline, triage) for tool in agent.tools}
HOSTILE = "\x00\x1b\x07\x85\u061c\u200b\u200d\u200e\u202e\u2066\u2028\ufeff\ufff9\U000e0041\ud800"
BASES = ("", "a", "A1", "1", "bob", "checking", "2026-12-04", "CD-1234", "S1", "EUR")
"""Texts that some field accepts. With a hostile character in it, the field refuses or cleans each of them."""

TOO_LONG = ("a", "1", "A", " a", "checking")
LONGEST_CHARS = 20_000


def texts(tool: Tool[Any, Any]) -> Iterator[tuple[str, TypeAdapter[Any]]]:
    """Yield each text that a model may write, by the name of its field, at any depth."""
    for name, field in tool.input.model_fields.items():
        if name not in tool.filled_fields():
            for text in texts_of(annotation_of(field)):
                yield name, text


def accepted(text: TypeAdapter[Any], value: str) -> str:
    try:
        return str(text.validate_python(value))
    except ValidationError:
        return ""


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_texts_have_no_hidden_characters_and_a_limit(tool: Tool[Any, Any]) -> None:
    for name, text in texts(tool):
        for base in BASES:
            for char in HOSTILE:
                read = accepted(text, f"{base}{char}{base}").replace("\n", " ")
                left = {each for each in read if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
                assert not left, f"{name} accepts {left}: use a type of switchboard.text, or a pattern"
        for unit in TOO_LONG:
            assert not accepted(text, unit * LONGEST_CHARS), f"{name} has no limit of length"


def test_the_test_finds_texts() -> None:
    assert [name for name, _ in texts(TOOLS["transfer_money"])] == [
        "recipient",
        "recipient_name",
        "currency",
        "account",
        "reference",
    ]
    assert sum(1 for tool in TOOLS.values() for _ in texts(tool)) > len(TOOLS)
