"""Grading of cases: what passes, and each kind of problem that is found."""

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from evals.cases.__main__ import table
from evals.cases.form import BadCase, Call, Case, Emails, Look, Turn, chosen, read_cases, read_file
from evals.cases.grading import TurnResult, at, made_calls, same, wrong_emails, wrong_look, wrong_turn, wrong_writes
from evals.cases.play import Result, usage_of
from evals.cases.script import scenes
from services.airline.agent import airline
from services.bank.agent import bank
from switchboard.demo_model.script import parse_script
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult
from switchboard.testing import Answer, Customer


def asked(tool: str, call_id: str = "c", **arguments: Any) -> ToolCall:
    return ToolCall(call_id=call_id, tool=tool, arguments=json.dumps(arguments))


def step(*calls: ToolCall, ok: bool = True, held: bool = False) -> list[Message]:
    outcome: Any = "held" if held else "known"
    results = [ToolResult(call_id=call.call_id, ok=ok and not held, content="{}", outcome=outcome) for call in calls]
    return [ModelReply(agent="Bank", calls=calls), *results]


REFUSED: list[Message] = [
    ModelReply(agent="Airline", calls=(asked("cancel_reservation"),)),
    ToolResult(call_id="c", ok=False, content="It cannot be changed. (rule C1)"),
]
PAID = step(asked("transfer_money", amount="50", recipient="bob"))


def case(**more: Any) -> Case:
    return Case.model_validate({"name": "a", "about": "b", "turns": [{"says": "hi"}], **more})


@pytest.mark.parametrize(
    ("turn", "said", "complaint"),
    [
        ({}, TurnResult("Hello"), ""),
        ({"agent": "Bank"}, TurnResult("Hello", agent="Triage"), "Triage answered"),
        ({"reply": {"must": ["HELLO"]}}, TurnResult("hello"), ""),
        ({"reply": {"must": ["50"]}}, TurnResult("hello"), "does not match /50/"),
        ({"reply": {"must_not": ["hel+o"]}}, TurnResult("hello"), "must not match /hel"),
        ({}, TurnResult("Sorry", failed=True), "failed"),
        ({"refused": 403}, TurnResult("Hello"), "expected HTTP 403"),
        ({}, TurnResult("no", refused=403), "got 403"),
        ({"asks": ["50"]}, TurnResult("Done."), "was not asked"),
        ({"asks": ["50"]}, TurnResult("Done.", question="Send 60?"), "the question does not match"),
        ({"calls": [{"tool": "get_balance"}]}, TurnResult("hi", messages=PAID), "no successful call of get_balance"),
        ({"calls": [{"tool": "transfer_money", "arguments": {"amount": 50}}]}, TurnResult("hi", messages=PAID), ""),
        ({"at_once": 2}, TurnResult("hi", messages=PAID), "1 calls at once"),
        (
            {"refusals": ["rule C1"]},
            TurnResult("hi", messages=PAID, scripted=True),
            "no call was refused with /rule C1/",
        ),
        ({"refusals": ["rule C1"]}, TurnResult("hi", messages=PAID), ""),
        ({"refusals": ["rule C1"]}, TurnResult("hi", messages=REFUSED, scripted=True), ""),
    ],
)
def test_turn_is_graded(turn: Any, said: TurnResult, complaint: str) -> None:
    found = list(wrong_turn(Turn(says="hi", **turn), said))
    assert len(found) == bool(complaint)
    assert complaint in "".join(found)


@pytest.mark.parametrize(
    ("writes", "messages", "complaint"),
    [
        ([{"tool": "transfer_money", "arguments": {"amount": 50.0}}], PAID, ""),
        ([], PAID, "unexpected write: transfer_money"),
        ([{"tool": "transfer_money", "arguments": {"amount": 60}}], step(), "missing write"),
        ([{"tool": "transfer_money"}], step(asked("transfer_money"), held=True), "missing write"),
        ([{"tool": "transfer_money"}], step(asked("transfer_money"), ok=False), "missing write"),
        ([{"tool": "transfer_money"}], [*PAID, *PAID], "unexpected write"),
        ([], step(asked("get_balance")), ""),
        ([], step(asked("handoff_to_Bank")), ""),
    ],
)
def test_missing_and_unexpected_writes_are_found(writes: Any, messages: list[Message], complaint: str) -> None:
    found = list(wrong_writes(case(writes=writes), messages))
    assert len(found) == bool(complaint)
    assert complaint in "".join(found)


@pytest.mark.parametrize(
    ("wanted", "got", "equal"),
    [
        (50, "50.00", True),
        ("EUR", "eur", True),
        ({"matches": "rent"}, "pay the RENT", True),
        ({"matches": "rent"}, None, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ([{"a": 1}], [{"a": 1}], True),
        ([1], [1, 2], False),
        (None, None, True),
        (None, 0, False),
        (True, 1, False),
        (1, True, False),
        ("", None, False),
    ],
)
def test_values_match_in_different_spellings(wanted: Any, got: Any, equal: bool) -> None:
    assert same(wanted, got) is equal


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.0.b", 1), ("a.#", 1), ("a.5.b", None), ("x.y", None), ("a.b", None)],
)
def test_path_leads_to_a_value_or_none(path: str, value: Any) -> None:
    assert at({"a": [{"b": 1}]}, path) == value


@pytest.mark.parametrize(
    ("look", "ok", "value", "right"),
    [
        ({"result": {"a": 1}}, True, {"a": 1}, True),
        ({"result": {"a": 1}}, True, {"a": 2}, False),
        ({"result": {"a": 1}}, False, "Refused.", False),
        ({"fails": True}, False, "Refused.", True),
        ({"fails": True}, True, {}, False),
    ],
)
def test_final_state_is_graded(look: Any, ok: bool, value: Any, right: bool) -> None:
    assert (not list(wrong_look(Look(agent="Bank", call=Call(tool="get"), **look), ok, value))) is right


def test_emails_are_counted_and_matched() -> None:
    assert list(wrong_emails(Emails(count=1, must=("invoice",)), ["Your invoice"])) == []
    assert len(list(wrong_emails(Emails(count=0), ["Your invoice"]))) == 1
    assert len(list(wrong_emails(Emails(count=1, must=("receipt",)), ["Your invoice"]))) == 1


def test_invalid_json_arguments_count_as_none() -> None:
    broken = ToolCall(call_id="c", tool="get_balance", arguments="{")
    assert made_calls(step(broken))[0].arguments == {}


def test_every_case_can_be_played_without_a_model() -> None:
    for one in read_cases():
        assert one.demo or one.agent, f"{one.name}: neither rules nor a script"
        if not one.demo:
            assert parse_script(scenes(one)).scenes


def test_cases_name_existing_tools() -> None:
    tools = {tool.name for agent in (bank, airline) for tool in agent.tools}
    for one in read_cases():
        looks = [look.call.tool for look in one.looks] + [setup.call.tool for setup in one.setup]
        named = [call.tool for call in one.writes] + [call.tool for turn in one.turns for call in turn.calls]
        assert set(looks + named) <= tools, one.name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {name: a, about: b, turns: []}", "turns"),
        ("- {name: a, about: b, turns: [{says: hi, replies: x}]}", "replies"),
        ("- {name: a, about: b, turns: [{says: hi, reply: {must: ['(']}}]}", "must"),
        ("- {name: A b, about: b, turns: [{says: hi}]}", "name"),
        ("- [", "cases"),
    ],
)
def test_invalid_file_of_cases_is_reported(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(text)
    with pytest.raises(BadCase, match=complaint):
        list(read_file(file))


def test_case_names_are_unique(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- {name: a, about: b, turns: [{says: hi}]}\n" * 2)
    with pytest.raises(BadCase, match="two cases"):
        read_cases(tmp_path)
    with pytest.raises(BadCase, match="no case unknown"):
        chosen(read_cases(), ["unknown"])
    assert [one.name for one in chosen(read_cases(), ["balance"])] == ["balance"]


class Spender:
    """A customer whose session has spent these tokens."""

    async def asks(self, handler: str) -> Answer:
        usages = [
            {"input_tokens": 900, "output_tokens": 40, "cached_tokens": 800},
            {"input_tokens": 10, "output_tokens": 2},
        ]
        return Answer(200, {"spending": [{"agent": "Bank", "usage": usage} for usage in usages]})


async def test_cached_tokens_are_shown_as_a_part_of_the_tokens() -> None:
    usage = await usage_of(cast(Customer, Spender()))
    assert (usage.input_tokens + usage.output_tokens, usage.cached_tokens) == (952, 800)
    result = Result(read_cases()[0], "model", tokens=952, cached=usage.cached_tokens)
    out = Console(width=200, record=True, file=io.StringIO())
    out.print(table([result]))
    heading, row = out.export_text().splitlines()[:2]
    assert heading.split()[-5:] == ["replies", "tokens", "cached", "s", "result"]
    assert row.split()[-5:] == ["0", "952", "800", "0.0", "passed"]
