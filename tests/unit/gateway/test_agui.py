"""A turn's events as a run of AG-UI: whatever is lost or repeated, components end with the text of the reply."""

from datetime import UTC, datetime
from typing import Any

import pytest
from ag_ui.core import BaseEvent, RunAgentInput
from hypothesis import given
from hypothesis import strategies as st

from switchboard.events import (
    SEQ_MAX,
    AgentStarted,
    Delta,
    Event,
    ModelStep,
    Numbered,
    Reset,
    Shown,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from switchboard.gateway.agui import Run, answer_of, customer_text
from switchboard.messages import CallToConfirm, Confirmation

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPLY = "Your balance is 12.00 EUR."


def given_input(**more: Any) -> RunAgentInput:
    message = {"id": "m1", "role": "user", "content": "how much is my balance?"}
    return RunAgentInput.model_validate({"threadId": "s-1", "runId": "r-1", "messages": [message]} | more)


class Component:
    """What a chat component shows of a run. It refuses what AG-UI does not allow."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}
        self.open: set[str] = set()
        self.steps: list[str] = []
        self.tools: dict[str, str] = {}
        self.ended: dict[str, Any] | None = None

    def take(self, event: BaseEvent) -> None:
        data = event.model_dump(mode="json", by_alias=True)
        assert self.ended is None, "an event after the end of the run"
        match data["type"]:
            case "TEXT_MESSAGE_START":
                assert not self.open, "two messages are open"
                assert data["messageId"] not in self.messages
                self.open.add(data["messageId"])
                self.messages[data["messageId"]] = ""
            case "TEXT_MESSAGE_CONTENT":
                assert data["messageId"] in self.open
                assert data["delta"], "an empty delta"
                self.messages[data["messageId"]] += data["delta"]
            case "TEXT_MESSAGE_END":
                self.open.remove(data["messageId"])
            case "MESSAGES_SNAPSHOT":
                assistants = [each for each in data["messages"] if each["role"] == "assistant"]
                self.messages = {each["id"]: each["content"] for each in assistants}
            case "STEP_STARTED":
                self.steps.append(data["stepName"])
            case "STEP_FINISHED":
                self.steps.remove(data["stepName"])
            case "TOOL_CALL_START":
                self.tools[data["toolCallId"]] = ""
            case "TOOL_CALL_RESULT":
                self.tools[data["toolCallId"]] = data["content"]
            case "RUN_FINISHED" | "RUN_ERROR":
                assert not self.open
                assert not self.steps
                self.ended = data
            case _:
                pass


def play(events: list[Shown], given: RunAgentInput | None = None) -> Component:
    component, run = Component(), Run(given or given_input())
    component.take(run.started())
    for event in events:
        for shown in run.take(event):
            component.take(shown)
    return component


def numbered(seq: int, event: Event) -> Numbered:
    return Numbered(turn=1, seq=seq, event=event)


def reply(text: str = REPLY, confirmation: Confirmation | None = None) -> Numbered:
    return numbered(SEQ_MAX, TurnFinished(text=text, agent="Bank", confirmation=confirmation))


OPENING: list[Shown] = [numbered(1, TurnStarted(at=AT)), numbered(3, AgentStarted(agent="Bank"))]


def delta(text: str, offset: int = 0, seq: int = 4, writer: str = "w1") -> Delta:
    return Delta(turn=1, seq=seq, attempt=0, writer=writer, offset=offset, text=text)


UNNUMBERED = st.lists(
    st.one_of(
        st.builds(
            delta,
            text=st.sampled_from(["Your", "Your balance", "Something else", "x"]),
            offset=st.integers(0, 6),
            seq=st.integers(4, 5),
            writer=st.sampled_from(["w1", "w2"]),
        ),
        st.builds(
            Reset,
            turn=st.just(1),
            seq=st.integers(4, 5),
            attempt=st.just(0),
            writer=st.sampled_from(["w1", "w2"]),
        ),
    ),
    max_size=12,
)


@given(UNNUMBERED, UNNUMBERED)
def test_the_last_message_is_the_reply_whatever_was_written_before(first: list[Shown], second: list[Shown]) -> None:
    step = numbered(4, ModelStep(agent="Bank", text="Let me look."))

    shown = play([*OPENING, *first, step, *second, reply()])

    assert list(shown.messages.values()) == ["Let me look.", REPLY]
    assert shown.ended is not None
    assert shown.ended["outcome"]["type"] == "success"


def test_text_that_arrives_in_order_is_shown_as_it_is_written() -> None:
    run, shown = Run(given_input()), []
    for event in (*OPENING, delta("Your balance "), delta("is 12.00 ", 13), reply()):
        shown += [each.model_dump(mode="json", by_alias=True) for each in run.take(event)]

    assert [each["delta"] for each in shown if each["type"] == "TEXT_MESSAGE_CONTENT"] == [
        "Your balance ",
        "is 12.00 ",
        "EUR.",
    ]
    assert "MESSAGES_SNAPSHOT" not in {each["type"] for each in shown}


def test_tools_run_side_by_side_and_end_as_they_did() -> None:
    started: list[Shown] = [
        numbered(5 + index, ToolStarted(call_id=call_id, tool="get_balance")) for index, call_id in enumerate("abc")
    ]
    ended: list[Shown] = [
        numbered(8, ToolFinished(call_id="a", tool="get_balance", ok=True)),
        numbered(9, ToolFinished(call_id="b", tool="get_balance", ok=False)),
        numbered(10, ToolFinished(call_id="c", tool="get_balance", ok=False, outcome="held")),
    ]
    shown = play([*OPENING, numbered(4, ModelStep(agent="Bank")), *started, *ended, reply()])
    assert shown.tools == {"a": "Done.", "b": "Failed.", "c": "Waits for the customer's yes."}


def test_a_question_ends_the_run_with_an_interrupt_that_the_next_run_answers() -> None:
    question = "Please confirm, with yes or no: Pay 50.00 EUR to Bob."
    asked = Confirmation(held_id="h-1", calls=(CallToConfirm(tool="transfer", question=question),), expires_at=AT)
    ended = play([*OPENING, reply(question, asked)]).ended
    assert ended is not None
    (interrupt,) = ended["outcome"]["interrupts"]
    assert (interrupt["id"], interrupt["message"]) == ("h-1", question)

    yes = given_input(resume=[{"interruptId": "h-1", "status": "resolved", "payload": {"confirmed": True}}])
    no = given_input(resume=[{"interruptId": "h-1", "status": "resolved", "payload": {"confirmed": False}}])
    left = given_input(resume=[{"interruptId": "h-1", "status": "cancelled"}])
    assert [answer_of(each) for each in (yes, no, left, given_input())] == [("h-1", True), ("h-1", False)] * 1 + [
        ("h-1", False),
        None,
    ]


@pytest.mark.parametrize("payload", [None, True, "yes", {}, {"confirmed": "yes"}, {"confirmed": 1}])
def test_an_answer_that_is_neither_yes_nor_no_is_refused(payload: object) -> None:
    entry = {"interruptId": "h-1", "status": "resolved", "payload": payload}
    with pytest.raises(ValueError, match="confirmed"):
        answer_of(given_input(resume=[entry]))


def test_a_run_without_a_reply_ends_with_an_error() -> None:
    run, component = Run(given_input()), Component()
    for event in (*OPENING, delta("Your")):
        for shown in run.take(event):
            component.take(shown)
    for shown in run.failed("The mesh is away. Retry.", "restate_away"):
        component.take(shown)
    assert component.ended is not None
    assert (component.ended["type"], component.ended["code"]) == ("RUN_ERROR", "restate_away")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"id": "1", "role": "assistant", "content": "hi"}],
        [{"id": "1", "role": "user", "content": [{"type": "image", "source": {"type": "url", "value": "x"}}]}],
    ],
)
def test_a_conversation_that_does_not_end_with_a_customers_text_is_refused(messages: list[Any]) -> None:
    with pytest.raises(ValueError, match="message"):
        customer_text(given_input(messages=messages))


def test_the_customers_text_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "how much"}, {"type": "text", "text": "is my balance?"}]
    given = given_input(messages=[{"id": "1", "role": "user", "content": parts}])
    assert customer_text(given) == "how much\nis my balance?"
