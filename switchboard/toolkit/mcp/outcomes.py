"""What one attempt at a call sends, and how it ended. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from switchboard.foreign_tools import Kind
from switchboard.messages import WireModel, added_later


class RunningTask(WireModel):
    """A task of a server: a call that goes on after its answer. All that a later request for it needs."""

    task_id: str
    version: str
    """The protocol version of the connection that began it."""

    session: str = ""
    """The MCP session that it belongs to, for servers before 2026 that have sessions."""

    poll_seconds: float = 0
    """How often the server wants to be asked; 0 if it does not say."""

    answered: tuple[str, ...] = ()
    """The keys of its questions that are answered."""


class Outcome(WireModel):
    """How one attempt at a call ended.

    `done`: `text` is the result. `failed`: the server says that it was not done. `asked`: the server asks the customer
    something, and was told that the question is dismissed for now, or waits with its `task`. `unreached`: the call was
    not sent. `lost`: the call was sent, and it is not known whether it was done. `working`: it goes on as `task`.
    """

    kind: Kind
    text: str
    again: bool = True
    """False if a further attempt would only cost time."""

    others: bool = False
    """Whether `text` has other people's words."""

    task: RunningTask | None = added_later(None)


@dataclass(frozen=True)
class Attempt:
    """What one attempt at a call sends. `secrets` are the values of `headers`, which must appear nowhere."""

    tool: str
    arguments: Mapping[str, Any]
    key: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    asks: bool = False
    answers: Mapping[str, Any] | None = None
    auth: Any = field(default=None, repr=False)
    """Gets tokens by OAuth; None without."""
