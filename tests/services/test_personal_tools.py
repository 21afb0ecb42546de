"""That no tool of an agent which knows whose it is can be had without the door: derived from what the agents list."""

from typing import Any

import pytest

from services.airline.agent import airline
from services.bank.agent import bank
from switchboard import Tool
from switchboard.builtin.cases.contract import TRANSFER_TO_HUMAN_AGENTS
from switchboard.builtin.identity.contract import VERIFY_IDENTITY
from switchboard.contract import PersonalInput

FOR_ANYBODY = {
    VERIFY_IDENTITY.name: "it is the way in",
    TRANSFER_TO_HUMAN_AGENTS.name: "anybody may ask for a person; the case says whether they are known",
}
"""Tools that know the customer and do not ask who they are, each with the reason."""

TOOLS = {tool.name: tool for agent in (airline, bank) for tool in agent.tools}


def knows_the_customer(tool: Tool[Any, Any]) -> bool:
    return tool.keyed_by is not None or bool(tool.filled_fields())


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_a_tool_that_knows_the_customer_asks_whether_it_is_them(tool: Tool[Any, Any]) -> None:
    if knows_the_customer(tool) and tool.name not in FOR_ANYBODY:
        assert issubclass(tool.input, PersonalInput)
        assert tool.requires_verified_customer
    hidden = {"signed_in", "session_id"} & set(tool.parameters()["properties"])
    assert not hidden, "the model could say that the customer is signed in"


@pytest.mark.parametrize("agent", [airline, bank], ids=lambda agent: agent.name)
def test_who_can_be_refused_for_it_can_prove_who_they_are(agent: Any) -> None:
    assert VERIFY_IDENTITY in agent.tools
    assert VERIFY_IDENTITY.name in agent.instructions


def test_an_input_that_says_nothing_is_not_signed_in() -> None:
    assert PersonalInput() == PersonalInput(session_id="", signed_in=False)
