"""What the approvals promise: staff decide what waits for them, once, and whoever waits is told."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel

APPROVALS = "Approvals"
INBOX = "ApprovalInbox"
INBOX_KEY = "staff"
"""There is one inbox; all of staff see the same."""

NO_STAFF = "Switchboard"
"""Who decides when the deadline has come."""

PAGE_DEFAULT = 50
PAGE_MAX = 100

WHY_MAX_CHARS = 500

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=WHY_MAX_CHARS)]


class Fact(WireModel):
    """One figure that staff decide by, as it is shown to them."""

    name: str
    value: str


class Waiting(WireModel):
    """What waits for a decision, for whom, and by which facts it may be decided. Times are UTC."""

    approval_id: str
    title: str
    customer_id: str
    since: AwareDatetime
    until: AwareDatetime = Field(description="After this it is declined without staff.")
    facts: tuple[Fact, ...]
    reminders: int = Field(0, description="How often staff were reminded of it.")


class Decision(WireModel):
    """A decision: what, by whom, why, when (UTC)."""

    approval_id: str
    approved: bool
    by: str
    why: str
    at: AwareDatetime


class InboxQuery(ToolInput):
    """Which page of what waits; the oldest comes first."""

    offset: int = Field(0, ge=0)
    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class InboxPage(WireModel):
    """What waits, the oldest first; `waiting_total` counts those of other pages too."""

    summary: str
    waiting: tuple[Waiting, ...]
    waiting_total: int


class StaffDecision(ToolInput):
    """A staff member's decision. The customer is told `why`."""

    approval_id: str
    by: Name = Field(description="The staff member.")
    why: Why = Field(description="The reason, in words that the customer may read.")


class Decided(WireModel):
    """The decision that counts."""

    summary: str
    decision: Decision


# From here on: what other tools ask the inbox for. No agent lists these.


class Door(WireModel):
    """The Restate handler that is sent the `Decision`."""

    service: str
    handler: str
    key: str


class AskForApproval(ToolInput):
    """A question to staff. `approval_id` is the idempotency key: the same id is asked once."""

    waiting: Waiting
    tell: Door


class ApprovalRef(ToolInput):
    approval_id: str


class Expire(ApprovalRef):
    """The deadline has come: decline it, unless staff were faster. `why` is for the customer."""

    why: Why


class Decide(StaffDecision):
    approved: bool


class Noted(WireModel):
    """The inbox has taken it. `changed` is False when there was nothing to do."""

    changed: bool


ASK_FOR_APPROVAL = Tool(
    service=INBOX,
    handler="ask_for_approval",
    purpose="Put something before staff.",
    input=AskForApproval,
    output=Noted,
    internal=True,
)
REMIND = Tool(
    service=INBOX,
    handler="remind",
    purpose="Remind staff of what still waits.",
    input=ApprovalRef,
    output=Noted,
    internal=True,
)
WITHDRAW = Tool(
    service=INBOX,
    handler="withdraw",
    purpose="Take back what need not be decided any more.",
    input=ApprovalRef,
    output=Noted,
    internal=True,
)
EXPIRE = Tool(
    service=INBOX,
    handler="expire",
    purpose="Decline what staff have not decided in time; answers with the decision that counts.",
    input=Expire,
    output=Decision,
    internal=True,
)
DECIDE = Tool(
    service=INBOX,
    handler="decide",
    purpose="A staff member's decision; refused when there is one already.",
    input=Decide,
    output=Decided,
    internal=True,
)
LIST_WAITING = Tool(
    service=INBOX,
    handler="list_waiting",
    purpose="What waits for staff.",
    input=InboxQuery,
    output=InboxPage,
    internal=True,
)
