"""How much of a conversation a model sees. Pure."""

from collections.abc import Sequence

from switchboard.messages import Message, UserText

WINDOW_MAX_BYTES = 32 * 1024
"""About 8,000 tokens of English. What a turn reads, sends and journals is bounded by it, however long the session."""


def recent(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The newest whole turns that fit; the last one always stays, whatever its size.

    Whole turns, because a result without its call is an error at the model's endpoint.
    """
    turns = split_turns(messages)
    kept: list[Message] = []
    size = 0
    for index, turn in enumerate(reversed(turns)):
        size += sum(len(message.model_dump_json()) for message in turn)
        if index > 0 and size > WINDOW_MAX_BYTES:
            break
        kept = [*turn, *kept]
    return tuple(kept)


def split_turns(messages: Sequence[Message]) -> list[list[Message]]:
    """A turn begins with what the customer wrote."""
    turns: list[list[Message]] = []
    for message in messages:
        if isinstance(message, UserText) or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns
