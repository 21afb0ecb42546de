"""What the loop tells while a turn runs. It is not journaled, and a replay tells the same again."""

from collections.abc import Sequence
from typing import Protocol

from switchboard.messages import Message, ToolResult


class Listener(Protocol):
    """Hears of a turn while it runs."""

    @property
    def watched(self) -> bool:
        """Whether people watch the turn at this moment."""
        ...

    def said(self, messages: Sequence[Message]) -> None:
        """All messages that the turn has added so far. They only become more."""
        ...

    def returned(self, result: ToolResult) -> None:
        """A call has ended while others of its step still run."""
        ...
