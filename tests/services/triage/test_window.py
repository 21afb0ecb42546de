"""How much of a conversation a model sees."""

from services.triage.window import WINDOW_MAX_BYTES, recent
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult, UserText


def turn(number: int, size: int = 10) -> list[Message]:
    return [
        UserText(text=f"question {number}"),
        ModelReply(agent="Bank", calls=(ToolCall(call_id=f"c{number}", tool="t", arguments="{}"),)),
        ToolResult(call_id=f"c{number}", ok=True, content="x" * size),
        ModelReply(agent="Bank", text=f"answer {number}"),
    ]


def test_a_short_conversation_is_seen_whole() -> None:
    messages = [*turn(1), *turn(2)]
    assert recent(messages) == tuple(messages)


def test_the_oldest_turns_are_left_out_whole() -> None:
    messages = [message for number in range(100) for message in turn(number, size=1_000)]
    seen = recent(messages)
    assert seen == tuple(messages[-len(seen) :])
    assert seen[0] == UserText(text=f"question {100 - len(seen) // 4}")
    assert WINDOW_MAX_BYTES * 0.8 < sum(len(message.model_dump_json()) for message in seen) <= WINDOW_MAX_BYTES


def test_the_last_turn_stays_whatever_its_size() -> None:
    messages = [*turn(1), *turn(2, size=2 * WINDOW_MAX_BYTES)]
    assert recent(messages) == tuple(messages[4:])


def test_nothing_is_seen_of_nothing() -> None:
    assert recent([]) == ()
