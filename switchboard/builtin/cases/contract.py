"""What cases promise: a customer's matter that staff take over, kept until one of them closes it."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from switchboard import FromIdentity, Tool, ToolInput
from switchboard.contract import PersonalInput, Text
from switchboard.messages import WireModel

CASES = "Cases"
CASE_DESK = "CaseDesk"
CASE_INBOX = "CaseInbox"
INBOX_KEY = "staff"
"""There is one inbox; all of staff see the same."""

OPEN_OF_SESSION_MAX = 3
OPEN_OF_CUSTOMER_MAX = 10
OPEN_UNVERIFIED_MAX = 5_000
"""Open cases of one conversation; of one customer, verified and unverified ones counted apart, so that a stranger who
goes by a customer's name takes nothing from them; and of all who are not verified, half of what the inbox holds."""

SUMMARY_MAX_CHARS = 4_000
PAGE_DEFAULT = 50
PAGE_MAX = 100

Summary = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUMMARY_MAX_CHARS)]
StaffName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Outcome = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class TransferToHumanAgents(PersonalInput):
    """Anybody may ask for a person; the case says whether it is known to be the customer."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    summary: Summary = Field(description="The customer's matter, and what was done about it")


class Case(WireModel):
    """A customer's matter. Times are UTC; who closed it, when and how stands there once it is closed."""

    case_id: str
    customer_id: str
    session_id: str
    verified: bool = Field(
        False,
        description="Whether who opened it was signed in as the customer, or had proven to be them. If not, staff have"
        " to make sure of it before they tell or do anything",
    )
    summary: str
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    closed_by: str | None = None
    outcome: str | None = None


class CaseQuery(ToolInput):
    """Which page of the open cases; the oldest comes first."""

    offset: int = Field(0, ge=0)
    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class CasePage(WireModel):
    """Open cases, the oldest first; `open_total` counts those of other pages too."""

    summary: str
    cases: tuple[Case, ...]
    open_total: int


class CloseCase(ToolInput):
    case_id: str
    by: StaffName = Field(description="The staff member")
    outcome: Outcome = Field(
        description="What became of it, in words that the customer may read. Told in the conversation only where it is"
        " known to be them",
    )


TRANSFER_TO_HUMAN_AGENTS = Tool(
    service=CASE_DESK,
    handler="transfer_to_human_agents",
    purpose="Hand the customer's matter to human staff, with a summary, when the tools and the policy do not cover it.",
    input=TransferToHumanAgents,
    output=Text,
    verified=False,
)

# From here on: what other tools ask the inbox for. No agent lists these.

OPEN_CASE = Tool(
    service=CASE_INBOX,
    handler="open_case",
    purpose="Put a case before staff.",
    input=Case,
    output=Case,
    internal=True,
)
CLOSE_CASE = Tool(
    service=CASE_INBOX,
    handler="close_case",
    purpose="Close a case.",
    input=CloseCase,
    output=Case,
    internal=True,
)
LIST_CASES = Tool(
    service=CASE_INBOX,
    handler="list_cases",
    purpose="The open cases.",
    input=CaseQuery,
    output=CasePage,
    internal=True,
)
