"""What the loop needs of a language model, and the two ways in which a call can fail."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from switchboard.agent import Agent
from switchboard.messages import Message, ModelReply, TurnRequest

RETRY_AFTER_MAX = timedelta(seconds=30)
"""The longest pause that an endpoint may ask for: a customer is waiting, and the session is held meanwhile."""


class ModelUnavailable(Exception):
    """The call failed in a way that may pass: 429, 5xx, no connection, no answer in time, an answer cut off.

    `kind` is the HTTP status, `timeout`, `connection` or `malformed`: what is counted, and never quotes anybody.
    `retry_after` is what the endpoint asked for, at most RETRY_AFTER_MAX; None when it did not say.
    """

    def __init__(self, why: str, kind: str, retry_after: timedelta | None = None) -> None:
        super().__init__(why)
        self.kind = kind
        self.retry_after = retry_after


class ModelRejected(Exception):
    """The endpoint will never take this request: bad key, unknown model, malformed request, quota used up.

    `kind` is the HTTP status.
    """

    def __init__(self, why: str, kind: str) -> None:
        super().__init__(why)
        self.kind = kind


class Model(Protocol):
    """Anything that can answer: the endpoint below, or what a test or a benchmark puts in its place.

    Raises ModelUnavailable or ModelRejected, and nothing else on purpose.
    """

    name: str

    async def ask(self, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> ModelReply: ...
