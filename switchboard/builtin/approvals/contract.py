"""The contract of approvals: staff decide each request once, and the requester is notified."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from switchboard import Tool, ToolInput
from switchboard.contract import SUBJECT_MAX_CHARS
from switchboard.messages import WireModel
from switchboard.text import PlainText

APPROVALS = "Approvals"
INBOX = "ApprovalInbox"
INBOX_KEY = "staff"
"""There is one inbox, which all staff share."""

DECIDED_BY_DEADLINE = "Switchboard"
"""Value of `by` in a decision that the deadline made, because no staff member decided in time."""

PAGE_DEFAULT = 50
PAGE_MAX = 100

REASON_MAX_CHARS = 500

Name = Annotated[str, PlainText(SUBJECT_MAX_CHARS, names=True)]
Reason = Annotated[str, PlainText(REASON_MAX_CHARS, min_chars=1, lines=True)]


class Fact(WireModel):
    """One fact that staff need for the decision, formatted for display."""

    name: str
    value: str


class PendingApproval(WireModel):
    """A request that is waiting for approval. Times are UTC."""

    approval_id: str
    title: str
    customer_id: str
    since: AwareDatetime
    until: AwareDatetime = Field(description="Deadline; after it the request is declined automatically.")
    facts: tuple[Fact, ...]
    reminders: int = Field(0, description="Number of reminders sent to staff.")


class Decision(WireModel):
    """A decision. Times are UTC."""

    approval_id: str
    approved: bool
    by: str
    why: str
    at: AwareDatetime


class InboxQuery(ToolInput):
    """A page of pending requests, oldest first."""

    offset: int = Field(0, ge=0)
    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class InboxPage(WireModel):
    """Pending requests, oldest first. `waiting_total` is the number on all pages."""

    summary: str
    waiting: tuple[PendingApproval, ...]
    waiting_total: int


class StaffDecision(ToolInput):
    """A staff member's decision. The customer is shown `why`."""

    approval_id: str
    by: Name = Field(description="The staff member: the subject of their token.")
    why: Reason = Field(description="The reason. The customer will read it.")


class Decided(WireModel):
    """The final decision."""

    summary: str
    decision: Decision


# Internal tools of the inbox, for other tools only. No agent lists them.


class Callback(WireModel):
    """The Restate handler that receives the `Decision`."""

    service: str
    handler: str
    key: str


class ApprovalRequest(ToolInput):
    """A request for approval. `approval_id` is the idempotency key: an id is added once."""

    waiting: PendingApproval
    tell: Callback


class ApprovalRef(ToolInput):
    approval_id: str


class Expire(ApprovalRef):
    """The deadline has passed: decline the request unless staff have decided. `why` is for the customer."""

    why: Reason


class Decide(StaffDecision):
    approved: bool


class Acknowledgement(WireModel):
    """The inbox has processed the message. `changed` is False if there was nothing to do."""

    changed: bool


ASK_FOR_APPROVAL = Tool(
    service=INBOX,
    handler="ask_for_approval",
    purpose="Ask staff for approval.",
    input=ApprovalRequest,
    output=Acknowledgement,
    internal=True,
)
REMIND = Tool(
    service=INBOX,
    handler="remind",
    purpose="Remind staff of a pending request.",
    input=ApprovalRef,
    output=Acknowledgement,
    internal=True,
)
WITHDRAW = Tool(
    service=INBOX,
    handler="withdraw",
    purpose="Withdraw a request that no longer needs a decision.",
    input=ApprovalRef,
    output=Acknowledgement,
    internal=True,
)
EXPIRE = Tool(
    service=INBOX,
    handler="expire",
    purpose="Decline a request that staff have not decided in time. Returns the final decision.",
    input=Expire,
    output=Decision,
    internal=True,
)
DECIDE = Tool(
    service=INBOX,
    handler="decide",
    purpose="Decide a request. Refused if it is already decided.",
    input=Decide,
    output=Decided,
    internal=True,
)
LIST_WAITING = Tool(
    service=INBOX,
    handler="list_waiting",
    purpose="List the pending requests.",
    input=InboxQuery,
    output=InboxPage,
    internal=True,
    read_only=True,
)
