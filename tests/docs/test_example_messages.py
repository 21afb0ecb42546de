"""What the examples' customers ask for: something that the demo model can do, and that the customer has to confirm."""

import re

import orjson
import pytest

from services.airline.agent import airline
from services.bank.agent import bank
from switchboard import Agent
from switchboard.demo_model.rules import decide
from switchboard.demo_model.wire import Reply, read_request
from tests.parts import PROJECT

FILES = [*(PROJECT / "docs").rglob("*.md"), *(PROJECT / "examples").rglob("*.py")]
SAID = sorted({said for file in FILES for said in re.findall(r'customer\.py "(.+)"', file.read_text(encoding="utf-8"))})

Json = dict[str, object]


def hand_off_to(agent: Agent) -> Json:
    reason = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}
    return {"type": "function", "name": f"handoff_to_{agent.name}", "description": agent.handles, "parameters": reason}


def answered(agent: str, offered: list[Json], said: str) -> Reply:
    message = {"type": "message", "role": "user", "content": said}
    request = {"model": "demo", "metadata": {"agent": agent}, "tools": offered, "input": [message]}
    return decide(read_request(orjson.dumps(request)))


@pytest.mark.parametrize("said", SAID)
def test_demo_model_calls_a_tool_that_asks_the_customer(said: str) -> None:
    handed = answered("Triage", [hand_off_to(bank), hand_off_to(airline)], said)
    assert [call.name for call in handed.calls] == ["handoff_to_Bank"]
    offered: list[Json] = [
        {"type": "function", "name": tool.name, "description": tool.purpose, "parameters": tool.parameters()}
        for tool in bank.tools
        if tool.offered
    ]
    called = [call.name for call in answered("Bank", offered, said).calls]
    assert [tool.name for tool in bank.tools if tool.consent and tool.name in called]


def test_examples_have_such_messages() -> None:
    assert SAID
