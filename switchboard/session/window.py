"""How much of a conversation a model sees: the newest turns, and a summary of the older ones. Pure."""

from collections.abc import Collection, Sequence

from switchboard.messages import Message, WireModel

WINDOW_MAX_BYTES = 16 * 1024
"""About 4,000 tokens of English. Above this size the older turns are summarised."""

WINDOW_KEPT_BYTES = 8 * 1024
"""How much of the newest turns stays word for word when older ones are summarised."""

WINDOW_LIMIT_BYTES = 2 * WINDOW_MAX_BYTES
"""Hard limit when summaries fail: the oldest turns are dropped, so that the cost of a turn stays bounded."""

WINDOW_STAFFED_BYTES = 4 * WINDOW_MAX_BYTES
"""The same while a staff member answers. It is larger, because no summary is made until the hand-back."""


class WindowTurn(WireModel):
    """One turn as a model sees it. `size_bytes` is the size of its messages in JSON."""

    turn: int
    size_bytes: int
    messages: tuple[Message, ...]


Window = tuple[WindowTurn, ...]


OPAQUE_KEPT_BYTES = 64 * 1024
"""How much of what only models can read stays in the window, such as encrypted reasoning. The newest is kept."""


def window_turn(turn: int, messages: Sequence[Message]) -> WindowTurn:
    size = sum(len(visible(message).model_dump_json().encode()) for message in messages)
    return WindowTurn(turn=turn, size_bytes=size, messages=tuple(messages))


def visible(message: Message) -> Message:
    """Return the message without what only its model can read."""
    return message.without_parts() if message.kind == "model" else message


def bound_opaque(window: Window) -> Window:
    """Return the window with the opaque parts of its newest replies, up to OPAQUE_KEPT_BYTES."""
    left, kept = OPAQUE_KEPT_BYTES, []
    for turn in reversed(window):
        left -= opaque_size(turn)
        kept.append(turn if left >= 0 else without_opaque(turn))
    return tuple(reversed(kept))


def opaque_size(turn: WindowTurn) -> int:
    """Return the size of what only models can read. `size_bytes` does not include it."""
    # By `kind`: `isinstance` is slow for pydantic's classes, and a window has a hundred messages.
    replies = [message for message in turn.messages if message.kind == "model"]
    return sum(len(part.data.encode()) for reply in replies for part in reply.parts)


def without_opaque(turn: WindowTurn) -> WindowTurn:
    return turn.model_copy(update={"messages": tuple(visible(message) for message in turn.messages)})


def withhold(window: Window, positions: Collection[int]) -> Window:
    """Return the window with the messages at these positions of `flatten` marked as withheld."""
    marked, position = [], 0
    for turn in window:
        messages = []
        for message in turn.messages:
            messages.append(message.model_copy(update={"withheld": True}) if position in positions else message)
            position += 1
        marked.append(turn.model_copy(update={"messages": tuple(messages)}))
    return tuple(marked)


def skip_messages(window: Window, skipped: int) -> Window:
    """Return the window without the turns of its first `skipped` messages."""
    end, count = 0, 0
    for turn in window:
        count += len(turn.messages)
        if count > skipped:
            break
        end += 1
    return window[end:]


def flatten(window: Window) -> tuple[Message, ...]:
    """Return the window's messages, oldest first."""
    return tuple(message for turn in window for message in turn.messages)


def size_of(window: Window) -> int:
    return sum(turn.size_bytes for turn in window)


def newest_turns(window: Window, limit_bytes: int) -> Window:
    """Return the newest whole turns that fit. The last turn is always included, whatever its size.

    Turns are never split, because model endpoints reject a tool result without its call.
    """
    size, first = size_of(window[-1:]), max(len(window) - 1, 0)
    while first and size + window[first - 1].size_bytes <= limit_bytes:
        first -= 1
        size += window[first].size_bytes
    return window[first:]


def turns_to_summarize(window: Window) -> Window:
    """Return the oldest turns, which a summary should replace. Empty while the whole window fits."""
    if size_of(window) <= WINDOW_MAX_BYTES:
        return ()
    return window[: len(window) - len(newest_turns(window, WINDOW_KEPT_BYTES))]


def drop_summarized(window: Window, through_turn: int) -> Window:
    """Return the window without the turns up to and including `through_turn`, which a summary now replaces."""
    return tuple(turn for turn in window if turn.turn > through_turn)
