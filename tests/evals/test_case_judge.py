"""A case's judge: what it lets pass, and that it finds each thing that is not as the case says."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.cases.form import BadCase, Call, Case, Emails, Look, Turn, chosen, read_cases, read_file
from evals.cases.judge import Said, at, made_calls, same, wrong_emails, wrong_look, wrong_turn, wrong_writes
from evals.cases.script import scenes
from services.airline.agent import airline
from services.bank.agent import bank
from switchboard.demo_model.script import parse_script
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult


def asked(tool: str, call_id: str = "c", **arguments: Any) -> ToolCall:
    return ToolCall(call_id=call_id, tool=tool, arguments=json.dumps(arguments))


def step(*calls: ToolCall, ok: bool = True, held: bool = False) -> list[Message]:
    outcome: Any = "held" if held else "known"
    results = [ToolResult(call_id=call.call_id, ok=ok and not held, content="{}", outcome=outcome) for call in calls]
    return [ModelReply(agent="Bank", calls=calls), *results]


REFUSED: list[Message] = [
    ModelReply(agent="Airline", calls=(asked("cancel_reservation"),)),
    ToolResult(call_id="c", ok=False, content="It stays as it is. (rule C1)"),
]
PAID = step(asked("transfer_money", amount="50", recipient="bob"))


def case(**more: Any) -> Case:
    return Case.model_validate({"name": "a", "about": "b", "turns": [{"says": "hi"}], **more})


@pytest.mark.parametrize(
    ("turn", "said", "complaint"),
    [
        ({}, Said("Hello"), ""),
        ({"agent": "Bank"}, Said("Hello", agent="Triage"), "Triage answered"),
        ({"reply": {"must": ["HELLO"]}}, Said("hello"), ""),
        ({"reply": {"must": ["50"]}}, Said("hello"), "has no /50/"),
        ({"reply": {"must_not": ["hel+o"]}}, Said("hello"), "has /hel"),
        ({}, Said("Sorry", failed=True), "failed"),
        ({"refused": 403}, Said("Hello"), "expected HTTP 403"),
        ({}, Said("no", refused=403), "got 403"),
        ({"asks": ["50"]}, Said("Done."), "was not asked"),
        ({"asks": ["50"]}, Said("Done.", question="Send 60?"), "the question has no"),
        ({"calls": [{"tool": "get_balance"}]}, Said("hi", messages=PAID), "no good call get_balance"),
        ({"calls": [{"tool": "transfer_money", "arguments": {"amount": 50}}]}, Said("hi", messages=PAID), ""),
        ({"at_once": 2}, Said("hi", messages=PAID), "1 calls at once"),
        ({"refusals": ["rule C1"]}, Said("hi", messages=PAID, scripted=True), "no call was refused with /rule C1/"),
        ({"refusals": ["rule C1"]}, Said("hi", messages=PAID), ""),
        ({"refusals": ["rule C1"]}, Said("hi", messages=REFUSED, scripted=True), ""),
    ],
)
def test_a_turn_is_judged(turn: Any, said: Said, complaint: str) -> None:
    found = list(wrong_turn(Turn(says="hi", **turn), said))
    assert len(found) == bool(complaint)
    assert complaint in "".join(found)


@pytest.mark.parametrize(
    ("writes", "messages", "complaint"),
    [
        ([{"tool": "transfer_money", "arguments": {"amount": 50.0}}], PAID, ""),
        ([], PAID, "done and not to be: transfer_money"),
        ([{"tool": "transfer_money", "arguments": {"amount": 60}}], step(), "not done"),
        ([{"tool": "transfer_money"}], step(asked("transfer_money"), held=True), "not done"),
        ([{"tool": "transfer_money"}], step(asked("transfer_money"), ok=False), "not done"),
        ([{"tool": "transfer_money"}], [*PAID, *PAID], "done and not to be"),
        ([], step(asked("get_balance")), ""),
        ([], step(asked("handoff_to_Bank")), ""),
    ],
)
def test_every_write_has_to_be_expected_and_every_expected_one_made(
    writes: Any, messages: list[Message], complaint: str
) -> None:
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
def test_values_are_compared_as_people_write_them(wanted: Any, got: Any, equal: bool) -> None:
    assert same(wanted, got) is equal


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.0.b", 1), ("a.#", 1), ("a.5.b", None), ("x.y", None), ("a.b", None)],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, value: Any) -> None:
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
def test_the_state_afterwards_is_judged(look: Any, ok: bool, value: Any, right: bool) -> None:
    assert (not list(wrong_look(Look(agent="Bank", call=Call(tool="get"), **look), ok, value))) is right


def test_emails_are_counted_and_read() -> None:
    assert list(wrong_emails(Emails(count=1, must=("invoice",)), ["Your invoice"])) == []
    assert len(list(wrong_emails(Emails(count=0), ["Your invoice"]))) == 1
    assert len(list(wrong_emails(Emails(count=1, must=("receipt",)), ["Your invoice"]))) == 1


def test_arguments_that_are_no_json_are_none() -> None:
    broken = ToolCall(call_id="c", tool="get_balance", arguments="{")
    assert made_calls(step(broken))[0].arguments == {}


def test_each_case_can_be_played_without_a_model() -> None:
    for one in read_cases():
        assert one.demo or one.agent, f"{one.name}: neither rules nor a script"
        if not one.demo:
            assert parse_script(scenes(one)).scenes


def test_cases_name_tools_that_there_are() -> None:
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
def test_a_file_of_cases_that_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(text)
    with pytest.raises(BadCase, match=complaint):
        list(read_file(file))


def test_a_name_means_one_case(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- {name: a, about: b, turns: [{says: hi}]}\n" * 2)
    with pytest.raises(BadCase, match="two cases"):
        read_cases(tmp_path)
    with pytest.raises(BadCase, match="no case nobody"):
        chosen(read_cases(), ["nobody"])
    assert [one.name for one in chosen(read_cases(), ["balance"])] == ["balance"]
