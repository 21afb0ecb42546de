"""Decisions on a model's reply: one row for each kind of reply."""

import dataclasses
import json
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import Field

from switchboard import Agent, FromIdentity, NoInput, Resolved, Tool, ToolInput
from switchboard.loop.call_report import report_calls
from switchboard.loop.decide import (
    CALLS_MAX,
    CHANGED,
    Act,
    Answer,
    ApprovedCall,
    AskAgain,
    HandOver,
    UncheckedCall,
    ValidatedCall,
    decide,
    for_customers,
    hold,
    recheck,
    release,
    released_calls,
)
from switchboard.messages import Card, HeldCall, Identity, ModelReply, ToolCall, ToolResult, WireModel

IDENTITY = Identity(session_id="s-1", customer_id="alice")
PEERS = (Card(name="Airline", handles="flights"), Card(name="Triage", handles="the rest"))


class Payment(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    to: str
    amount: Annotated[Decimal, Field(gt=0)]


class Done(WireModel):
    done: bool


BALANCE = Tool("Accounts", "get_balance", "The balance.", NoInput, Done, keyed_by="customer_id", verified=False)
PAY = Tool("Payments", "pay", "Pay.", Payment, Done, verified=False)
BANK = Agent(name="Bank", handles="money", instructions="Help.", tools=(BALANCE, PAY))


def reply(*calls: tuple[str, str], text: str = "") -> ModelReply:
    return ModelReply(
        agent="Bank",
        text=text,
        calls=tuple(ToolCall(call_id=f"c{i}", tool=tool, arguments=given) for i, (tool, given) in enumerate(calls)),
    )


def act(*calls: tuple[str, str]) -> tuple[ValidatedCall, ...]:
    decision = decide(reply(*calls), BANK, IDENTITY, PEERS)
    assert isinstance(decision, Act)
    return decision.calls


def test_a_text_is_the_answer() -> None:
    assert decide(reply(text="You have 5 EUR."), BANK, IDENTITY, PEERS) == Answer("You have 5 EUR.")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Sorry, it was booked too long ago. (rule X3)", "Sorry, it was booked too long ago."),
        ("Not possible (Rule C10), and L1 is full (rule L1).", "Not possible, and L1 is full."),
        ("Our rule (see rule book) is simple.", "Our rule (see rule book) is simple."),
    ],
)
def test_customers_read_replies_without_numbers_of_rules(said: str, read: str) -> None:
    beside_a_call = for_customers(reply(("get_balance", "{}"), text=said), BANK)
    assert [for_customers(reply(text=said), BANK).text, beside_a_call.text] == [read, read]
    assert beside_a_call.calls[0].label == "get balance"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_reply_is_asked_again(text: str) -> None:
    assert isinstance(decide(reply(text=text), BANK, IDENTITY, PEERS), AskAgain)


def test_calls_are_approved_in_the_order_of_the_model() -> None:
    calls = act(("pay", '{"to": "bob", "amount": "2.50"}'), ("get_balance", "{}"), ("get_balance", ""))
    assert [(call.call_id, isinstance(call, ApprovedCall)) for call in calls] == [
        ("c0", True),
        ("c1", True),
        ("c2", True),
    ]


def test_the_loop_fills_in_who_asks() -> None:
    (call,) = act(("pay", '{"to": "bob", "amount": "2.50"}'))
    assert isinstance(call, ApprovedCall)
    assert call.body == '{"customer_id":"alice","to":"bob","amount":"2.50"}'


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("get_weather", "{}", "There is no tool 'get_weather'. Tools: get_balance, pay."),
        ("pay", '{"to": "bob", "amount":', "The arguments are not JSON"),
        ("pay", "[1]", "have to be a JSON object"),
        ("pay", '{"to":' + "[" * 100_000, "The arguments are not JSON"),
        ("pay", r'{"to": "\ud83d", "amount": 1}', "The arguments are not JSON"),
        ("pay", '{"to": "bob", "amount": NaN}', "The arguments are not JSON"),
        ("x" * 10_000, "{}", "There is no tool 'xxxxx"),
        ("pay", '{"to": "bob"}', "amount: Field required"),
        ("pay", '{"to": "bob", "amount": "-1"}', "amount: Input should be greater than 0"),
        ("pay", '{"to": "bob", "amount": "1", "fast": true}', "fast: Extra inputs are not permitted"),
        ("pay", '{"to": "bob", "amount": "1", "customer_id": "bob"}', "customer_id cannot be given"),
        ("handoff_to_Nobody", "{}", "There is no agent 'Nobody' to hand off to. Agents: Airline, Triage."),
        ("handoff_to_Bank", "{}", "There is no agent 'Bank' to hand off to."),
    ],
)
def test_a_call_that_cannot_be_made_is_a_result_that_says_why(tool: str, arguments: str, told: str) -> None:
    (call,) = act((tool, arguments))
    assert isinstance(call, ToolResult)
    assert not call.ok
    assert call.call_id == "c0"
    assert told in call.content
    assert len(call.content) < 2_000


def test_a_bad_call_keeps_its_place_beside_good_ones() -> None:
    calls = act(("get_balance", "{}"), ("nonsense", "{}"), ("get_balance", "{}"))
    assert [isinstance(call, ApprovedCall) for call in calls] == [True, False, True]


def test_a_hand_off_names_the_agent_and_answers_its_own_call() -> None:
    decision = decide(reply(("handoff_to_Airline", '{"reason": "a seat"}')), BANK, IDENTITY, PEERS)
    assert isinstance(decision, HandOver)
    assert (decision.hand_off.to, decision.hand_off.reason) == ("Airline", "a seat")
    assert (decision.closed.call_id, decision.closed.ok) == ("c0", True)


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"reason": 7}', "{}", "[" * 100_000, r'{"reason": "\ud83d"}'])
def test_a_hand_off_without_a_readable_reason_is_followed(arguments: str) -> None:
    decision = decide(reply(("handoff_to_Airline", arguments)), BANK, IDENTITY, PEERS)
    assert isinstance(decision, HandOver)
    assert decision.hand_off.reason == ""


def test_a_hand_off_beside_tool_calls_waits_until_their_results_are_used() -> None:
    balance, hand_off = act(("get_balance", "{}"), ("handoff_to_Airline", "{}"))
    assert isinstance(balance, ApprovedCall)
    assert isinstance(hand_off, ToolResult)
    assert "hand off with that call alone" in hand_off.content


def test_two_hand_offs_at_once_are_both_refused() -> None:
    assert all(isinstance(call, ToolResult) for call in act(("handoff_to_Airline", "{}"), ("handoff_to_Triage", "{}")))


def test_calls_past_the_limit_are_answered_and_not_made() -> None:
    calls = act(*[("get_balance", "{}")] * (CALLS_MAX + 2))
    assert sum(isinstance(call, ApprovedCall) for call in calls) == CALLS_MAX
    assert [call.call_id for call in calls] == [f"c{i}" for i in range(CALLS_MAX + 2)]


def test_the_model_is_not_shown_what_the_loop_fills_in() -> None:
    schema = PAY.parameters()
    assert set(schema["properties"]) == {"to", "amount"}
    assert schema["required"] == ["to", "amount"]
    assert "customer_id" not in json.dumps(schema)


def test_a_tool_is_keyed_by_the_identity() -> None:
    assert (BALANCE.key(IDENTITY), PAY.key(IDENTITY)) == ("alice", None)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Agent(name="bank", handles="x", instructions=""),
        lambda: Agent(name="Bank", handles=" ", instructions=""),
        lambda: Agent(name="Bank", handles="x", instructions="", tools=(BALANCE, BALANCE)),
        lambda: Tool("Accounts", "get balance", "", NoInput, Done),
        lambda: Agent(
            name="Bank",
            handles="x",
            instructions="",
            tools=(Tool("A", "handoff_to_x", "", NoInput, Done),),
        ),
    ],
)
def test_a_wrong_declaration_fails_where_it_is_written(broken: object) -> None:
    with pytest.raises(ValueError, match=r"agent|tool"):
        broken()  # type: ignore[operator]


def test_a_question_is_one_line_whatever_is_in_the_arguments() -> None:
    tool = Tool("Payments", "pay", "Pay.", Payment, Done, verified=False, consent=lambda payment: f"Pay {payment.to}?")
    agent = Agent(name="Bank", handles="money", instructions="", tools=(tool,))
    asked = reply(("pay", json.dumps({"to": "Bob?\n- Nothing else", "amount": "1"})))
    decision = decide(asked, agent, IDENTITY, ())
    assert isinstance(decision, Act)
    assert [held.question for held in decision.held] == ["Pay Bob? - Nothing else?"]


class PayFacts(Resolved[Payment]):
    iban: str


def pay_question(payment: Payment, facts: PayFacts) -> str:
    return f"Pay {payment.amount} to {payment.to}, {facts.iban}?"


CHECKED = Tool("Payments", "pay", "Pay.", Payment, Done, verified=False, consent=pay_question, check=PayFacts)
CHECKED_BANK = Agent(name="Bank", handles="money", instructions="", tools=(CHECKED,))


def unchecked(to: str) -> UncheckedCall:
    asked = reply(("pay", json.dumps({"to": to, "amount": "1"})))
    decision = decide(asked, CHECKED_BANK, IDENTITY, ())
    assert isinstance(decision, Act)
    (call,) = decision.calls
    assert isinstance(call, UncheckedCall)
    return call


def facts(iban: str, to: str = "Bob Builder", customer_id: str = "alice") -> bytes:
    call = Payment(customer_id=customer_id, to=to, amount=Decimal(1))
    return PayFacts(call=call, iban=iban).model_dump_json().encode()


def test_check_words_the_question_and_resolves_the_call_but_not_its_customer() -> None:
    call = unchecked("bob")
    held = hold(call, facts("DE1", customer_id="mallory"))
    assert (held.question, held.checked) == ("Pay 1 to Bob Builder, DE1?", True)
    assert json.loads(held.body) == {"customer_id": "alice", "to": "Bob Builder", "amount": "1"}
    assert held.arguments == call.arguments


@pytest.mark.parametrize(("now", "made"), [(facts("DE1"), True), (facts("DE2"), False), (facts("DE1", "Rob"), False)])
def test_confirmed_call_is_made_only_if_its_question_is_still_the_same(now: bytes, made: bool) -> None:
    held = hold(unchecked("bob"), facts("DE1"))
    released = release(held, CHECKED_BANK)
    assert isinstance(released, UncheckedCall)
    result = recheck(released, now)
    assert result == (
        ApprovedCall("c0.confirmed", CHECKED, held.body)
        if made
        else ToolResult(call_id="c0.confirmed", ok=False, content=CHANGED)
    )


@pytest.mark.parametrize("check", [None, PayFacts])
def test_confirmed_call_has_the_words_for_customers_also_without_its_agent(check: type[PayFacts] | None) -> None:
    """The session reports with them if the agent does not say how the call ended."""
    consent = pay_question if check else lambda payment: f"Pay {payment.to}?"
    tool = dataclasses.replace(CHECKED, label="make the payment", consent=consent, check=check)
    agent = dataclasses.replace(CHECKED_BANK, tools=(tool,))
    decision = decide(reply(("pay", '{"to": "bob", "amount": "1"}')), agent, IDENTITY, ())
    assert isinstance(decision, Act)
    (call,) = decision.calls
    held = hold(call, facts("DE1")) if isinstance(call, UncheckedCall) else call
    assert isinstance(held, HeldCall)
    assert report_calls([ModelReply(agent="Bank", calls=released_calls((held,)))]).unknown == ("make the payment",)


def test_call_held_before_its_tool_had_a_check_is_released_as_before() -> None:
    held = hold(unchecked("bob"), facts("DE1")).model_copy(update={"checked": False})
    assert release(held, CHECKED_BANK) == ApprovedCall("c0.confirmed", CHECKED, held.body)
    assert "checked" not in json.loads(held.model_dump_json())


def test_arguments_of_any_tool_have_no_hidden_or_control_characters() -> None:
    (call,) = act(("pay", json.dumps({"to": "bo\u202eb\x1b[2J\u200b e\u0301", "amount": "1"})))
    assert isinstance(call, ApprovedCall)
    assert json.loads(call.body)["to"] == "bob[2J é"
