"""A reply says whether something is in doubt, whatever the model says."""

import pytest

from switchboard.loop.turn import with_doubts
from switchboard.messages import Message, ModelReply, Notice, Reply, ToolCall, ToolResult

REPLY = ModelReply(agent="A", text="All is well.")
DOUBT = "I don't know whether this was done: pay the order back."


def step(outcome: str, read_only: bool = False) -> tuple[Message, ...]:
    call = ToolCall(call_id="1", tool="refund", arguments="{}", label="pay the order back", read_only=read_only)
    result = ToolResult(call_id="1", ok=False, content="…", outcome=outcome)
    return ModelReply(agent="A", calls=(call,)), result


@pytest.mark.parametrize(
    ("added", "doubt"),
    [
        (step("unknown"), DOUBT),
        (step("unknown", read_only=True), ""),
        (step("known"), ""),
        (step("held"), ""),
        ((), ""),
        ((*step("unknown"), *step("known")), DOUBT),
    ],
)
def test_customer_is_told_of_an_unknown_outcome(added: tuple[Message, ...], doubt: str) -> None:
    outcome = with_doubts("All is well.", [*added, REPLY])
    assert isinstance(outcome.next, Reply)
    assert outcome.next.text == (f"All is well.\n\n{doubt}" if doubt else "All is well.")
    assert outcome.added == (*added, REPLY, *([Notice(text=doubt)] if doubt else []))
