"""The contract of cases: requests that are handed over to staff and stay open until staff close them."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from switchboard import FromIdentity, Tool, ToolInput
from switchboard.contract import SUBJECT_MAX_CHARS, PersonalInput, Text
from switchboard.messages import WireModel, added_later
from switchboard.text import PlainText

CASES = "Cases"
CASE_DESK = "CaseDesk"
CASE_INBOX = "CaseInbox"
INBOX_KEY = "staff"
"""There is one inbox, which all staff share."""

OPEN_OF_SESSION_MAX = 3
"""Open cases per conversation."""

OPEN_OF_CUSTOMER_MAX = 10
"""Open cases per customer. Verified and unverified ones are counted separately, so that a stranger who uses a
customer's id cannot use up the customer's limit."""

OPEN_UNVERIFIED_MAX = 5_000
"""Open unverified cases of all customers; half of the inbox's limit."""

SUMMARY_MAX_CHARS = 4_000
OUTCOME_MAX_CHARS = 500
PAGE_DEFAULT = 50
PAGE_MAX = 100

NOTES_MAX = 50
"""Notes of staff on one case."""

NOTE_MAX_CHARS = 2_000

Summary = Annotated[str, PlainText(SUMMARY_MAX_CHARS, min_chars=1, lines=True)]
StaffName = Annotated[str, PlainText(SUBJECT_MAX_CHARS, names=True)]
Outcome = Annotated[str, PlainText(OUTCOME_MAX_CHARS, min_chars=1, lines=True)]
NoteText = Annotated[str, PlainText(NOTE_MAX_CHARS, min_chars=1, lines=True)]


class TransferToHumanAgents(PersonalInput):
    """Open to unverified customers too; the case says whether the customer was verified."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    summary: Summary = Field(description="The request, and what was done about it")


class CaseNote(WireModel):
    """A note that a staff member added to a case. The customer does not see it. The time is UTC."""

    at: AwareDatetime
    by: str
    text: str


class Case(WireModel):
    """A customer's request to staff. Times are UTC. Closing it sets `closed_at`, `closed_by` and `outcome`."""

    case_id: str
    customer_id: str
    session_id: str
    verified: bool = Field(
        False,
        description="Whether the customer was signed in or verified when the case was opened. If not, staff must verify"
        " them before they disclose or change anything",
    )
    summary: str
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    closed_by: str | None = None
    outcome: str | None = None
    notes: tuple[CaseNote, ...] = added_later(())


class CaseQuery(ToolInput):
    """A page of open cases, oldest first."""

    offset: int = Field(0, ge=0)
    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX)


class CasePage(WireModel):
    """Open cases, oldest first. `open_total` is the number on all pages."""

    summary: str
    cases: tuple[Case, ...]
    open_total: int


class CaseRef(ToolInput):
    case_id: str


class NoteCase(CaseRef):
    by: StaffName = Field(description="The staff member: the subject of their token")
    text: NoteText = Field(description="The note. The customer does not see it")


class CloseCase(CaseRef):
    by: StaffName = Field(description="The staff member: the subject of their token")
    outcome: Outcome = Field(
        description="The outcome. The customer will read it, in conversations in which they are verified",
    )


TRANSFER_TO_HUMAN_AGENTS = Tool(
    service=CASE_DESK,
    handler="transfer_to_human_agents",
    purpose="Hand the request to human staff, with a summary, if the tools and the policy do not cover it.",
    input=TransferToHumanAgents,
    output=Text,
    verified=False,
    label="pass your request to our staff",
)

# Internal tools of the inbox, for other tools only. No agent lists them.

OPEN_CASE = Tool(
    service=CASE_INBOX,
    handler="open_case",
    purpose="Add a case to the inbox of staff.",
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
READ_CASE = Tool(
    service=CASE_INBOX,
    handler="read_case",
    purpose="Read a case, open or closed.",
    input=CaseRef,
    output=Case,
    internal=True,
    read_only=True,
)
NOTE_CASE = Tool(
    service=CASE_INBOX,
    handler="note_case",
    purpose="Add a note to an open case.",
    input=NoteCase,
    output=Case,
    internal=True,
)
LIST_CASES = Tool(
    service=CASE_INBOX,
    handler="list_cases",
    purpose="List the open cases.",
    input=CaseQuery,
    output=CasePage,
    internal=True,
    read_only=True,
)
