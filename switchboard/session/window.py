"""How much of a conversation a model sees: the newest turns, and a summary of the older ones. Pure."""

from collections.abc import Sequence

from switchboard.messages import Message, WireModel

WINDOW_MAX_BYTES = 16 * 1024
"""About 4,000 tokens of English. Above this size the older turns are summarised."""

WINDOW_KEPT_BYTES = 8 * 1024
"""How much of the newest turns stays word for word when older ones are summarised."""

WINDOW_LIMIT_BYTES = 2 * WINDOW_MAX_BYTES
"""Hard limit when summaries fail: the oldest turns are dropped, so that the cost of a turn stays bounded."""


class WindowTurn(WireModel):
    """One turn as a model sees it. `size_bytes` is the size of its messages in JSON."""

    turn: int
    size_bytes: int
    messages: tuple[Message, ...]


Window = tuple[WindowTurn, ...]


def window_turn(turn: int, messages: Sequence[Message]) -> WindowTurn:
    size = sum(len(message.model_dump_json().encode()) for message in messages)
    return WindowTurn(turn=turn, size_bytes=size, messages=tuple(messages))


def flatten(window: Window) -> tuple[Message, ...]:
    """Return the window's messages, oldest first."""
    return tuple(message for turn in window for message in turn.messages)


def size_of(window: Window) -> int:
    return sum(turn.size_bytes for turn in window)


def newest_turns(window: Window, limit_bytes: int) -> Window:
    """Return the newest whole turns that fit. The last turn is always included, whatever its size.

    Turns are never split, because model endpoints reject a tool result without its call.
    """
    kept = window[-1:]
    for turn in reversed(window[:-1]):
        if size_of(kept) + turn.size_bytes > limit_bytes:
            break
        kept = (turn, *kept)
    return kept


def turns_to_summarize(window: Window) -> Window:
    """Return the oldest turns, which a summary should replace. Empty while the whole window fits."""
    if size_of(window) <= WINDOW_MAX_BYTES:
        return ()
    return window[: len(window) - len(newest_turns(window, WINDOW_KEPT_BYTES))]


def drop_summarized(window: Window, through_turn: int) -> Window:
    """Return the window without the turns up to and including `through_turn`, which a summary now replaces."""
    return tuple(turn for turn in window if turn.turn > through_turn)
