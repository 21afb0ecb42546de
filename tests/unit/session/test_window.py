"""The window: the part of a conversation that the model sees verbatim."""

from switchboard.messages import ModelReply, ToolCall, ToolResult, UserText
from switchboard.session.window import (
    WINDOW_KEPT_BYTES,
    WINDOW_MAX_BYTES,
    Window,
    drop_summarized,
    flatten,
    newest_turns,
    size_of,
    turns_to_summarize,
    window_turn,
)


def window(turns: int, size: int = 10) -> Window:
    return tuple(
        window_turn(
            number,
            [
                UserText(text=f"question {number}"),
                ModelReply(agent="Bank", calls=(ToolCall(call_id=f"c{number}", tool="t", arguments="{}"),)),
                ToolResult(call_id=f"c{number}", ok=True, content="x" * size),
                ModelReply(agent="Bank", text=f"answer {number}"),
            ],
        )
        for number in range(1, turns + 1)
    )


def test_short_conversation_is_in_the_window_whole() -> None:
    assert newest_turns(window(2), WINDOW_MAX_BYTES) == window(2)
    assert turns_to_summarize(window(2)) == ()
    assert [message.kind for message in flatten(window(1))] == ["user", "model", "tool", "model"]


def test_window_drops_the_oldest_turns_as_a_whole() -> None:
    seen = newest_turns(window(100, size=1_000), WINDOW_MAX_BYTES)
    assert seen == window(100, size=1_000)[-len(seen) :]
    assert WINDOW_MAX_BYTES * 0.8 < size_of(seen) <= WINDOW_MAX_BYTES


def test_summarised_and_kept_turns_are_the_whole_window() -> None:
    whole = window(40, size=1_000)
    oldest = turns_to_summarize(whole)
    rest = drop_summarized(whole, oldest[-1].turn)
    assert (*oldest, *rest) == whole
    assert size_of(rest) <= WINDOW_KEPT_BYTES
    assert turns_to_summarize(rest) == ()


def test_window_keeps_the_last_turn_at_any_size() -> None:
    big = window(2, size=2 * WINDOW_MAX_BYTES)
    assert newest_turns(big, WINDOW_MAX_BYTES) == big[-1:]
    assert turns_to_summarize(big) == big[:1]
    assert turns_to_summarize(big[-1:]) == ()


def test_turn_size_is_in_bytes() -> None:
    assert window_turn(1, [UserText(text="é")]).size_bytes == len('{"kind":"user","text":"é"}'.encode())


def test_empty_window_yields_nothing() -> None:
    assert (newest_turns((), 1), turns_to_summarize(()), flatten(())) == ((), (), ())
