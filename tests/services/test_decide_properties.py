"""Whatever a model replies, the decision answers each call once, and no reply gets around consent, identity or limits.

The agents are those of the reference mesh, with all their tools.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Agent, Tool
from switchboard.agent import HANDOFF_PREFIX
from switchboard.loop.decide import (
    CALLS_MAX,
    CHANGED,
    CONFIRMED,
    EXPLANATION_MAX_CHARS,
    Act,
    Answer,
    ApprovedCall,
    AskAgain,
    Decision,
    HandOver,
    UncheckedCall,
    ValidatedCall,
    decide,
    for_customers,
    hold,
    recheck,
    release,
)
from switchboard.messages import Card, HeldCall, Identity, Message, ModelReply, ToolCall, ToolResult, UserText
from tests.services.inputs import models
from tests.services.test_consent_questions import FILLED, facts_of

IDENTITY = Identity(session_id="s", customer_id="alice")
OTHER = "mallory"
AGENTS = (bank, airline, triage)
PEERS = tuple(Card(name=agent.name, handles=agent.handles) for agent in AGENTS)

EXAMPLES = pytest.mark.parametrize("examples", [60, pytest.param(20_000, marks=pytest.mark.slow)])
EXAMPLES_OF_TOOL = pytest.mark.parametrize("examples", [5, pytest.param(1_000, marks=pytest.mark.slow)])

REFUSAL_MAX_CHARS = EXPLANATION_MAX_CHARS + 1_000
"""A refusal names at most all tools of an agent, beside what is wrong."""

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
BROKEN = st.sampled_from(
    (
        *("", "{", "}", "null", "[]", '"text"', "1", "NaN", "{}{}", '{"a": 1,}', "{'a': 1}", '{"amount": 1e400}'),
        *('{"amount": 1e999999999}', '{"amount": NaN}', '{"amount": "1e999999999"}', '{"a": 1, "a": 2}', '"\\ud800"'),
        *('{"customer_id": "mallory"}', '{"user_id": "mallory"}', '{"\\ud800": 1}', "[" * 2000, '{"a":' * 2000),
    )
)


def arguments_of(tool: Tool[Any, Any]) -> st.SearchStrategy[str]:
    """Return texts of arguments: what fits, the same with something else in it, and what a model never should write."""
    filled = {name: FILLED[part] for name, part in tool.filled_fields().items()}
    fitting = models(tool.input, filled).map(lambda call: call.model_dump(mode="json", exclude=set(filled)))
    names = st.one_of(st.sampled_from(("customer_id", "user_id", "session_id", "signed_in", *tool.input.model_fields)))
    stranger = st.dictionaries(names, st.one_of(st.just(OTHER), JSON_VALUES), min_size=1, max_size=2)
    changed = st.builds(lambda one, other: {**one, **other}, fitting, stranger)
    return st.one_of(fitting.map(json.dumps), changed.map(json.dumps), JSON_VALUES.map(json.dumps), BROKEN, st.text())


def calls_of(agent: Agent) -> st.SearchStrategy[tuple[str, str]]:
    known = [st.tuples(st.just(tool.name), arguments_of(tool)) for tool in agent.tools]
    others = (*(tool.name for one in AGENTS for tool in one.tools), *(HANDOFF_PREFIX + peer.name for peer in PEERS))
    names = st.one_of(st.sampled_from((*others, HANDOFF_PREFIX, f"{HANDOFF_PREFIX}Unknown", "")), st.text(max_size=100))
    return st.one_of(*known, st.tuples(names, st.one_of(BROKEN, JSON_VALUES.map(json.dumps))))


def replies(agent: Agent) -> st.SearchStrategy[ModelReply]:
    calls = st.one_of(
        st.lists(calls_of(agent), max_size=3), st.lists(calls_of(agent), min_size=CALLS_MAX, max_size=CALLS_MAX + 3)
    )
    return st.builds(
        lambda text, made: ModelReply(
            agent=agent.name,
            text=text,
            calls=tuple(ToolCall(call_id=f"c{i}", tool=tool, arguments=given) for i, (tool, given) in enumerate(made)),
        ),
        st.one_of(st.just(""), st.text(max_size=20)),
        calls,
    )


def handed_over(by: Agent, to: str) -> tuple[Message, ...]:
    call = ToolCall(call_id="h", tool=HANDOFF_PREFIX + to, arguments="{}")
    return (
        UserText(text="hello"),
        ModelReply(agent=by.name, calls=(call,)),
        ToolResult(call_id="h", ok=True, content=f"Handed over to {to}."),
    )


@EXAMPLES
@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_reply_leads_to_a_decision_that_keeps_the_rules(agent: Agent, examples: int) -> None:
    transcripts = st.sampled_from(((), *(handed_over(one, agent.name) for one in AGENTS)))

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(replies(agent), transcripts, st.booleans())
    def check(reply: ModelReply, transcript: tuple[Message, ...], null_is_absent: bool) -> None:
        peers = tuple(peer for peer in PEERS if peer.name != agent.name)
        decision = decide(reply, agent, IDENTITY, peers, transcript, null_is_absent)
        assert decide(reply, agent, IDENTITY, peers, transcript, null_is_absent) == decision, "not deterministic"
        check_decision(decision, reply, agent, peers)
        # Also what is stored and shown can be made of any reply.
        ModelReply.model_validate_json(for_customers(reply, agent).model_dump_json())

    check()


def check_decision(decision: Decision, reply: ModelReply, agent: Agent, peers: tuple[Card, ...]) -> None:
    match decision:
        case Answer():
            assert not reply.calls
            assert decision.text.strip()
        case AskAgain():
            assert not reply.calls
            assert not reply.text.strip()
        case HandOver():
            assert [call.call_id for call in reply.calls] == [decision.closed.call_id]
            assert decision.hand_off.to in {peer.name for peer in peers}
        case Act():
            assert [call.call_id for call in decision.calls] == [call.call_id for call in reply.calls]
            assert sum(not isinstance(call, ToolResult) for call in decision.calls) <= CALLS_MAX
            assert all(isinstance(call, ToolResult) for call in decision.calls[CALLS_MAX:])
            assert 0 <= decision.unfit <= sum(isinstance(call, ToolResult) for call in decision.calls)
            for asked, call in zip(reply.calls, decision.calls, strict=True):
                check_call(asked, call, agent)


def check_call(asked: ToolCall, call: ValidatedCall, agent: Agent) -> None:
    tool = agent.tool(asked.tool)
    if isinstance(call, ToolResult):
        assert not call.ok
        assert call.outcome == "known"
        assert 0 < len(call.content) <= REFUSAL_MAX_CHARS
        return
    assert tool is not None
    # What needs the customer's yes is never approved by a reply alone.
    assert isinstance(call, ApprovedCall) == (tool.consent is None)
    assert isinstance(call, UncheckedCall) == (tool.consent is not None and tool.check is not None)
    check_identity(tool, call.body)
    if isinstance(call, HeldCall):
        assert call.question == " ".join(call.question.split())


def check_identity(tool: Tool[Any, Any], body: str) -> None:
    """Check that the body fits the tool, and that it is the call of the session's customer."""
    arguments = tool.input.model_validate_json(body)
    assert arguments.model_dump_json() == body
    for name, part in tool.filled_fields().items():
        assert getattr(arguments, name) == getattr(IDENTITY, part)
    if tool.keyed_by:
        assert tool.key(IDENTITY) == getattr(IDENTITY, tool.keyed_by)


def of_stranger(facts: BaseModel) -> str:
    """Return the JSON of facts that name another customer than the session's."""
    given = facts.model_dump(mode="json")
    for name in ("customer_id", "user_id"):
        if name in given.get("call", {}):
            given["call"][name] = OTHER
    return json.dumps(given)


CONSENT = [(agent, tool) for agent in AGENTS for tool in agent.tools if tool.consent]


@EXAMPLES_OF_TOOL
@pytest.mark.parametrize(("agent", "tool"), CONSENT, ids=[f"{agent.name}.{tool.name}" for agent, tool in CONSENT])
def test_confirmed_call_is_the_one_that_was_shown(agent: Agent, tool: Tool[Any, Any], examples: int) -> None:
    filled = {name: getattr(IDENTITY, part) for name, part in tool.filled_fields().items()}
    inputs = models(tool.input, filled)

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(inputs, facts_of(tool, inputs), facts_of(tool, inputs))
    def check(wanted: BaseModel, facts: BaseModel | None, later: BaseModel | None) -> None:
        arguments = wanted.model_dump_json(exclude=set(filled))
        call = ToolCall(call_id="c0", tool=tool.name, arguments=arguments)
        (decided,) = decided_calls(call, agent)
        if isinstance(decided, ToolResult):
            # The tool's own validator can refuse what the random values give.
            return
        held = hold(decided, of_stranger(facts).encode()) if isinstance(decided, UncheckedCall) and facts else decided
        assert isinstance(held, HeldCall)
        check_identity(tool, held.body)
        released = release(held, agent)
        assert isinstance(released, UncheckedCall if tool.check else ApprovedCall)
        assert (released.body, released.call_id) == (held.body, f"c0{CONFIRMED}")
        if isinstance(released, UncheckedCall) and facts and later:
            check_again(released, held, facts, later)

    check()


def decided_calls(call: ToolCall, agent: Agent) -> tuple[ValidatedCall, ...]:
    decision = decide(ModelReply(agent=agent.name, calls=(call,)), agent, IDENTITY, PEERS)
    assert isinstance(decision, Act)
    return decision.calls


def check_again(released: UncheckedCall, held: HeldCall, facts: BaseModel, later: BaseModel) -> None:
    """A confirmed call is made as it was shown if its question is still the same, and not at all otherwise."""
    for now in (facts, later):
        answer = of_stranger(now).encode()
        made = recheck(released, answer)
        if hold(released, answer).question == held.question:
            assert made == ApprovedCall(released.call_id, released.tool, held.body)
        else:
            assert made == ToolResult(call_id=released.call_id, ok=False, content=CHANGED)
