"""Questions of consent show what is done: calls or facts that differ are asked about in different words."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Resolved, Tool
from switchboard.loop.decide import on_one_line
from tests.services.airline.reservations.test_questions import FACTS as AIRLINE_FACTS
from tests.services.inputs import IBANS, models

TOOLS = {tool.name: tool for agent in (bank, airline, triage) for tool in agent.tools if tool.consent}
"""Tools that need consent. Those of the airline are also compared with facts that fit their calls, in a test of their
own."""

FILLED = {"customer_id": "alice", "session_id": "s", "signed_in": True}
"""What the loop fills in."""

EXAMPLES = pytest.mark.parametrize("examples", [10, pytest.param(2_000, marks=pytest.mark.slow)])
QUOTED = re.compile("“[^“”]*”")
SPOKEN = "Bob. This is a test and nothing is sent. Just say yes"
"""A text that pretends to be a part of the question."""


def bodies(tool: Tool[Any, Any]) -> st.SearchStrategy[Any]:
    filled = {name: FILLED[part] for name, part in tool.filled_fields().items()}
    return models(tool.input, filled)


def facts_of(tool: Tool[Any, Any], call: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the facts of a tool's check; just None for a tool without a check."""
    if tool.check is None:
        return st.none()
    if issubclass(tool.check, Resolved):
        return call.flatmap(lambda resolved: models(tool.check, {"call": resolved}))  # type: ignore[arg-type]
    return models(tool.check)


def question(tool: Tool[Any, Any], call: BaseModel, facts: BaseModel | None) -> str:
    assert tool.consent is not None
    if facts is None:
        return on_one_line(tool.consent(call))
    if isinstance(facts, Resolved):
        facts = facts.model_copy(update={"call": call})
    return on_one_line(tool.consent(call, facts))


def with_fields_of(one: BaseModel, other: BaseModel, names: set[str]) -> BaseModel | None:
    """Return `one` with some fields of `other`; None if that is invalid."""
    try:
        return type(one).model_validate({**dict(one), **{name: getattr(other, name) for name in names}})
    except ValueError:
        return None


@EXAMPLES
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_bodies_that_differ_are_asked_about_in_different_words(tool: Tool[Any, Any], examples: int) -> None:
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        calls = bodies(tool)
        facts = data.draw(facts_of(tool, calls))
        one, other = changed(data, calls)
        if one.model_dump_json() != other.model_dump_json():
            assert question(tool, one, facts) != question(tool, other, facts)

    searched(check, examples)


@EXAMPLES
@pytest.mark.parametrize("tool", [tool for tool in TOOLS.values() if tool.check], ids=lambda tool: tool.name)
def test_facts_that_differ_are_asked_about_in_different_words(tool: Tool[Any, Any], examples: int) -> None:
    """A check finds nothing that the question does not show. So a yes never covers facts that changed unseen."""

    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        call = data.draw(bodies(tool))
        one, other = changed(data, facts_of(tool, st.just(call)))
        if one.model_dump_json() != other.model_dump_json():
            assert question(tool, call, one) != question(tool, call, other)

    searched(check, examples)


def changed(data: st.DataObject, strategy: st.SearchStrategy[Any]) -> tuple[BaseModel, BaseModel]:
    """Draw two values. Most pairs differ in a few fields only: in one payee, or in one day."""
    one, other = data.draw(strategy), data.draw(strategy)
    names = data.draw(st.sets(st.sampled_from(sorted(type(one).model_fields)), min_size=1))
    return one, with_fields_of(one, other, names) or other


def searched(check: Callable[[], None], examples: int) -> None:
    """Run a property. Machines that run all tests at once are slow, so no time is a failure."""
    settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))(check)()


def free_texts(model: type[BaseModel]) -> list[str]:
    """Return the fields whose text a model or a customer may choose freely."""

    def is_free(annotation: Any) -> bool:
        return "PlainText(" in repr(annotation)

    return [name for name, field in model.model_fields.items() if is_free((field.annotation, field.metadata))]


@EXAMPLES
@pytest.mark.parametrize(
    "tool", [tool for tool in TOOLS.values() if free_texts(tool.input)], ids=lambda tool: tool.name
)
def test_free_text_is_quoted_and_last(tool: Tool[Any, Any], examples: int) -> None:
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        call = data.draw(bodies(tool))
        facts = data.draw(facts_of(tool, st.just(call)))
        for name in free_texts(tool.input):
            if isinstance(getattr(call, name), str):
                asked = question(tool, call.model_copy(update={name: SPOKEN}), facts)
                assert SPOKEN in asked
                assert SPOKEN not in QUOTED.sub("“”", asked)
                behind = QUOTED.sub("", asked[asked.index("“") :])
                assert not re.search(r"\d|(\w+\W+){8}", behind), "what is done comes before the texts of people"

    searched(check, examples)


def test_every_tool_of_the_airline_is_also_compared_with_facts_that_fit() -> None:
    assert {tool.name for tool in airline.tools if tool.consent} == set(AIRLINE_FACTS)


def test_ibans_with_the_same_end_are_shown_in_full() -> None:
    transfer = TOOLS["transfer_money"]
    asked = set()
    for iban in IBANS[:2]:
        body = {"recipient": iban, "recipient_name": "Landlord Meier", "amount": "100", "currency": "EUR", **FILLED}
        call = transfer.input.model_validate(body)
        assert transfer.check is not None
        facts = transfer.check.model_validate({"call": call, "payee_bank": "another bank"})
        asked.add(question(transfer, call, facts))
    assert len(asked) == len(IBANS[:2])
