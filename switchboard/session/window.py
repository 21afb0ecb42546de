"""How much of a conversation a model sees: the newest turns, and a summary of those before. Pure."""

from collections.abc import Sequence

from switchboard.messages import Message, WireModel

WINDOW_MAX_BYTES = 16 * 1024
"""About 4,000 tokens of English; past it the older turns are summarised."""

WINDOW_KEPT_BYTES = 8 * 1024
"""What stays word for word then."""

WINDOW_LIMIT_BYTES = 2 * WINDOW_MAX_BYTES
"""While no summary can be had, the oldest turns are left out: a turn's cost is bounded, however long the session."""


class WindowTurn(WireModel):
    """One turn as a model sees it; `size_bytes` is that of its messages in JSON."""

    turn: int
    size_bytes: int
    messages: tuple[Message, ...]


Window = tuple[WindowTurn, ...]


def window_turn(turn: int, messages: Sequence[Message]) -> WindowTurn:
    size = sum(len(message.model_dump_json().encode()) for message in messages)
    return WindowTurn(turn=turn, size_bytes=size, messages=tuple(messages))


def flat(window: Window) -> tuple[Message, ...]:
    """The window's messages, oldest first."""
    return tuple(message for turn in window for message in turn.messages)


def size_of(window: Window) -> int:
    return sum(turn.size_bytes for turn in window)


def newest(window: Window, limit_bytes: int) -> Window:
    """The newest whole turns that fit; the last one always stays, whatever its size.

    Whole turns, because a result without its call is an error at the model's endpoint.
    """
    kept = window[-1:]
    for turn in reversed(window[:-1]):
        if size_of(kept) + turn.size_bytes > limit_bytes:
            break
        kept = (turn, *kept)
    return kept


def to_fold(window: Window) -> Window:
    """The oldest turns, which a summary should replace; none while everything fits."""
    if size_of(window) <= WINDOW_MAX_BYTES:
        return ()
    return window[: len(window) - len(newest(window, WINDOW_KEPT_BYTES))]


def folded(window: Window, through_turn: int) -> Window:
    """The window without the turns that a summary stands for now."""
    return tuple(turn for turn in window if turn.turn > through_turn)
