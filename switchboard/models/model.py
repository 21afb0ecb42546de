"""Interface of a language model, as the loop uses it, and the two errors that a call can raise."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, Protocol

from switchboard.agent import Agent
from switchboard.messages import Message, ModelReply, TurnRequest, Usage

RETRY_AFTER_MAX = timedelta(seconds=30)
"""The longest pause that an endpoint may ask for. The customer is waiting and the session is locked meanwhile."""

WHY_MAX_CHARS = 2_000
"""Of an error's text: it is journaled and logged, and some endpoints answer with whole pages."""

RejectedFor = Literal["setup", "content", "too_long"]


def clean(why: str) -> str:
    """Return an endpoint's words in a form that can be stored: short, and without half a Unicode character."""
    return why[:WHY_MAX_CHARS].encode(errors="replace").decode()


class ModelUnavailable(Exception):
    """The call failed in a way that may pass: 429, 5xx, no connection, no answer in time, an answer cut off.

    `kind` is the HTTP status, `timeout`, `connection`, `cut_off` or `malformed`; it is counted and quotes no text.
    `retry_after` is the pause that the endpoint asked for, at most RETRY_AFTER_MAX; None when it did not say.
    `give_up` when it asked for a longer pause: the next model is asked instead.
    `usage` is what the failed call cost, if the endpoint said so.
    """

    def __init__(
        self,
        why: str,
        kind: str,
        retry_after: timedelta | None = None,
        give_up: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(clean(why))
        self.kind = kind
        self.retry_after = retry_after
        self.give_up = give_up
        self.usage = usage


class ModelRejected(Exception):
    """The endpoint will never take this request.

    `kind` is the HTTP status, or `content_filter` when the answer itself says so. `reason` is `too_long` when the
    request does not fit into the model's context, `content` when a text in the request may be the cause, and `setup`
    when it is not: a wrong key, an unknown model, a quota that is used up.
    """

    def __init__(self, why: str, kind: str, reason: RejectedFor = "setup", usage: Usage | None = None) -> None:
        super().__init__(clean(why))
        self.kind = kind
        self.reason: RejectedFor = reason
        self.usage = usage


class Observer(Protocol):
    """Watches a model's answer while it is written. What it is given is not journaled and may be lost."""

    def text_delta(self, text: str) -> None:
        """More of the answer's text has arrived."""
        ...

    def attempt_failed(self) -> None:
        """The attempt failed: all text so far is void."""
        ...


class Model(Protocol):
    """Anything that can answer: an endpoint, or what a test or a benchmark puts in its place.

    `name` is the model as the settings name it. `provider` and `api` are OpenTelemetry's names for who serves it.
    """

    name: str

    async def ask(
        self, agent: Agent, request: TurnRequest, added: Sequence[Message], observer: Observer | None = None
    ) -> ModelReply:
        """Return the model's next message. Raises ModelUnavailable or ModelRejected, and nothing else on purpose.

        `added` are the messages of this turn so far, which follow the request's transcript.
        """
        ...
