"""Scripts: which scene matches, what it replies, and how invalid scripts are rejected."""

import asyncio
from pathlib import Path

import orjson
import pytest

from switchboard.demo_model.engine import Answer, Engine
from switchboard.demo_model.faults import FormatError
from switchboard.demo_model.script import parse_script, read_script

SCENES: list[dict[str, object]] = [
    {
        "user": "What is my balance?",
        "agent": "Bank",
        "steps": [
            {"calls": [{"name": "get_balance", "arguments": {}}, {"name": "list_loans", "arguments": '{"broken": '}]},
            {"text": "It is {get_balance.accounts.0.balance}, of {get_balance.count}."},
        ],
    },
    {
        "user": {"contains": "poem"},
        "steps": [{"fault": {"kind": "http_500", "times": 2}, "then": {"text": "Roses are red."}}],
    },
    {"user": {"matches": "^refuse"}, "steps": [{"refusal": "No."}]},
    {"user": "nothing", "steps": [{"empty": True}]},
    {"user": "cut", "steps": [{"text": "half a", "incomplete": True}]},
    {"user": "go", "agent": "Bank", "steps_from": "hand_off", "steps": [{"text": "first at the bank"}]},
]
CALL = {"type": "function_call", "call_id": "c1", "name": "get_balance", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": '{"accounts":[{"balance":"5.10"}],"count":1}'}
HAND_OFF = [
    {"type": "function_call", "call_id": "h1", "name": "handoff_to_Bank", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "h1", "output": "handed over"},
]


def answer(engine: Engine, user: str, *items: dict[str, str], agent: str = "", session: str = "s") -> Answer:
    metadata = {"session": session} | ({"agent": agent} if agent else {})
    body = {"model": "demo", "input": [{"role": "user", "content": user}, *items], "metadata": metadata}
    return asyncio.run(engine.answer(orjson.dumps(body)))


def output(given: Answer) -> list[dict[str, object]]:
    assert given.status == 200, given.body
    items: list[dict[str, object]] = orjson.loads(given.body)["output"]
    return items


def error_code(given: Answer) -> str:
    code: str = orjson.loads(given.body)["error"]["code"]
    return code


@pytest.fixture
def engine() -> Engine:
    return Engine(parse_script(SCENES))


def test_scripted_calls_are_returned_unchanged_also_on_retry(engine: Engine) -> None:
    first, again = (output(answer(engine, " what is my BALANCE? ", agent="Bank")) for _ in range(2))
    assert [(i["name"], i["arguments"]) for i in first] == [("get_balance", "{}"), ("list_loans", '{"broken": ')]
    assert [i["call_id"] for i in first] == [i["call_id"] for i in again]


def test_text_can_refer_to_outputs_after_the_message(engine: Engine) -> None:
    [message] = output(answer(engine, "what is my balance?", CALL, OUTPUT, agent="Bank"))
    assert message["content"][0]["text"] == "It is 5.10, of 1."  # type: ignore[index]
    gone = answer(engine, "what is my balance?", CALL, OUTPUT | {"output": "failed"}, agent="Bank")
    assert (gone.status, error_code(gone)) == (500, "script_reference_missing")


@pytest.mark.parametrize(("user", "agent"), [("what is my balance?", "Airline"), ("unknown", "")])
def test_message_without_scene_is_an_error_that_quotes_it(engine: Engine, user: str, agent: str) -> None:
    given = answer(engine, user, agent=agent)
    assert (given.status, error_code(given)) == (500, "script_exhausted")
    assert user in given.body.decode()


def test_missing_step_is_an_error(engine: Engine) -> None:
    assert error_code(answer(engine, "nothing", CALL, OUTPUT)) == "script_exhausted"


def test_scripted_fault_ends_after_its_number_of_requests_per_conversation(engine: Engine) -> None:
    for session in ("one", "two"):
        statuses = [answer(engine, "a poem please", session=session).status for _ in range(4)]
        assert statuses == [500, 500, 200, 200]


def test_step_can_be_refusal_empty_or_incomplete(engine: Engine) -> None:
    assert output(answer(engine, "refuse this"))[0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert output(answer(engine, "nothing")) == []
    body = orjson.loads(answer(engine, "cut").body)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_steps_can_be_counted_from_the_hand_off(engine: Engine) -> None:
    assert output(answer(engine, "go", *HAND_OFF, agent="Bank"))
    assert answer(engine, "what is my balance?", *HAND_OFF, agent="Bank").status == 500


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({}, "a script must be a list"),
        ([{"user": "x", "steps": {}}], r"scenes\[0\].steps must be a list"),
        ([{"steps": []}], r"scenes\[0\].user must be an object"),
        ([{"user": {"matches": "("}, "steps": []}], "not a regular expression"),
        ([{"user": "x", "steps": [{"txt": "y"}]}], r"steps\[0\] has unknown fields: txt"),
        ([{"user": "x", "steps": [{}]}], r"steps\[0\] must have text"),
        ([{"user": "x", "steps": [{"fault": {"kind": "nonsense"}, "then": {"text": ""}}]}], "kind must be one of"),
        ([{"user": "x", "steps": [{"fault": {"kind": "empty"}}]}], "needs `then`"),
        ([{"user": "x", "steps": [{"calls": [{"arguments": 1}]}]}], r"calls\[0\] must have a name"),
    ],
)
def test_invalid_script_is_rejected_with_its_location(script: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_script(script)


def test_script_file_is_yaml_or_json(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "a.yaml").write_text("- user: {contains: balance}\n  steps: [{text: hi}]\n")
    (tmp_path / "a.json").write_bytes(orjson.dumps([{"user": {"contains": "balance"}, "steps": [{"text": "hi"}]}]))
    from_yaml, from_json = read_script(tmp_path / "a.yaml"), read_script(tmp_path / "a.json")
    assert from_yaml == from_json
    (tmp_path / "b.yaml").write_text("- [")
    with pytest.raises(FormatError, match="not valid YAML"):
        read_script(tmp_path / "b.yaml")
