"""What is journaled about a remote agent's task. It contains no token, and nothing of the customer but their words."""

from datetime import datetime, timedelta
from typing import Literal

from switchboard.messages import WireModel

State = Literal["working", "asks", "completed", "failed", "canceled", "rejected", "needs_sign_in"]


class Outgoing(WireModel):
    """A message to a remote agent. `context_id` and `task_id` are the remote agent's own; empty for a new context."""

    message_id: str
    text: str
    note: str = ""
    context_id: str = ""
    task_id: str = ""


class RemoteTask(WireModel):
    """How a remote agent's task stands. `text` is what it said last; `problem` is set if its answer was unusable."""

    state: State
    context_id: str = ""
    task_id: str = ""
    text: str = ""
    problem: str = ""


class Patience(WireModel):
    """How long a turn waits. A replay must wait as long, so it is journaled: the settings may have changed."""

    poll_first: timedelta
    poll_max: timedelta
    answer_within: timedelta
    works_max: timedelta


class Watch(WireModel):
    """A task whose answer the customer gets later. `polled` counts the requests so far."""

    session_id: str
    customer_id: str
    context_id: str
    task_id: str
    until: datetime
    polled: int = 0


class Remembered(WireModel):
    """What the transcript keeps for the next message to the same remote agent. `asked` counts questions in a row."""

    context_id: str
    task_id: str = ""
    asked: int = 0
