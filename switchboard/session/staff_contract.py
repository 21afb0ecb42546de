"""The contract of the staff door, between the gateway and the mesh's staff services. Pure.

Staff services are private: Restate's ingress does not pass requests on to them. The door does, for a staff member whom
the gateway has authenticated.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from switchboard.messages import WireModel
from switchboard.session.contract import (
    SESSION_ID,
    TRANSCRIPT_PAGE_MAX_TURNS,
    CustomerId,
    Staffed,
    TurnRecord,
    check_text,
)
from switchboard.text import PlainText

STAFF_DOOR = "StaffDoor"
STAFF_ROLE = "staff"
"""Value of the metadata `switchboard.role` with which a service says that it is for staff."""

BY = "by"
"""The field of a staff handler's input that the door fills in with the staff member's subject."""

NOTE_MAX_CHARS = 2_000

NoteText = Annotated[str, PlainText(NOTE_MAX_CHARS, min_chars=1, lines=True)]
OptionalNote = Annotated[str, PlainText(NOTE_MAX_CHARS, lines=True)]

TAKE_OVER = "staff_take_over"
STAFF_MESSAGE = "staff_message"
STAFF_NOTE = "staff_note"
HAND_BACK = "staff_hand_back"
"""The session's handlers with which staff act. They are private; only the door calls them."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
"""Names of services and handlers in a path."""

NOT_OFFERED = "This mesh does not offer"
"""Beginning of the refusal for a service or handler that the mesh does not have. The gateway recognises it."""

BY_IS_GIVEN = f"The field {BY!r} comes from your token. Leave it out."
NOT_TAKEN_OVER = "No member of staff answers in this session. Take it over first."
ANSWERED_BY_COLLEAGUE = (
    "{by} answers in this session since {since:%Y-%m-%d %H:%M} UTC. To take it over from them, name them in `from`."
)
ANSWERS = " answers in this session since "
"""Part of the refusal above. The gateway recognises it."""

REGISTRY_AWAY = "The mesh cannot look up its staff services at the moment. Nothing was done. Retry in a few seconds."
SESSIONS_UNREADABLE = "The mesh cannot look through its sessions at the moment. Retry in a few seconds."
SEVERAL_SESSIONS = "Several sessions have this id in the list. Use the full id of the one that you mean."

SESSIONS_DEFAULT = 50
SESSIONS_MAX = 100
"""Sessions on a page of the list."""

OFFSET_MAX = 1_000_000


class StaffRequest(WireModel):
    """Names the staff member who sends the request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: CustomerId = Field(description="The subject of the staff member's token.")


class StaffCall(StaffRequest):
    """A call of a staff service's handler. The request is the handler's input without `by`."""

    service: str = Field(pattern=f"^{NAME.pattern}$")
    handler: str = Field(pattern=f"^{NAME.pattern}$")
    request: dict[str, JsonValue]


class StaffAnswer(WireModel):
    """The handler's answer, as it is."""

    answer: JsonValue


class StaffSessionRequest(StaffRequest):
    """Names the session that a staff member reads."""

    session_id: str


class StaffTakeOver(StaffSessionRequest):
    """Asks to answer in a session in the agents' place."""

    from_colleague: str = Field("", description="The colleague whom the session is taken from, if one answers in it.")


class StaffMessage(StaffSessionRequest):
    """A message to the customer."""

    text: Annotated[str, AfterValidator(check_text)]


class StaffNote(StaffSessionRequest):
    """A note for colleagues, which no customer and no agent sees."""

    text: NoteText


class StaffHandBack(StaffSessionRequest):
    """Lets the agents answer again. The agents read the note; the customer does not."""

    note: OptionalNote = ""


class StaffTurn(WireModel):
    """An act of staff was recorded: the number of the session's last turn, and who answers now, if not the agents."""

    turn: int
    staff: Staffed | None = None


class StaffTranscriptRequest(StaffSessionRequest):
    """A page of a session's transcript, oldest turn first."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)


class TranscriptPage(WireModel):
    """Input of the session's own handler for staff, which only the door calls."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)


class StaffEventsRequest(StaffSessionRequest):
    """The records of a session from which its events follow; see `EventsRequest`."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=0, le=TRANSCRIPT_PAGE_MAX_TURNS)


class EventsQuery(WireModel):
    """Input of the session's own handler for staff, which only the door calls."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=0, le=TRANSCRIPT_PAGE_MAX_TURNS)


class StatusQuery(WireModel):
    """Input of the session's own handler for staff. It has no fields."""


class SessionQuery(WireModel):
    """Selects sessions: those of a customer, or with a text in the id that the list shows. Without both, all."""

    customer_id: CustomerId | None = None
    text: str | None = Field(None, pattern=f"^{SESSION_ID}$")
    offset: int = Field(0, ge=0, le=OFFSET_MAX)
    limit: int = Field(SESSIONS_DEFAULT, ge=1, le=SESSIONS_MAX)


class SessionListRequest(StaffRequest, SessionQuery):
    """A page of the list of sessions, for a staff member."""


class SessionSummary(WireModel):
    """One session, as the list shows it."""

    session_id: str = Field(
        description="The session's id, of which the list shows only the public part if it is a secret. The staff's "
        "paths of a session accept it."
    )
    customer_id: str
    signed_in: bool
    active_agent: str = Field(description="Empty before the first reply.")
    turns_total: int
    last_at: datetime | None = Field(description="Time of the last turn.")
    running_since: datetime | None = Field(description="Set while a message is being answered.")
    questions: tuple[str, ...] = Field(description="Questions that wait for the customer's yes and have not expired.")
    cost: Decimal
    expired_at: datetime | None = Field(description="When the session expired. Its conversation is deleted.")
    staff: str = Field("", description="The member of staff who answers in the agents' place. Empty if none does.")


class SessionPage(WireModel):
    """A page of the sessions, newest activity first. `more` says whether there is another page."""

    sessions: tuple[SessionSummary, ...]
    more: bool
    currency: str


class StaffService(WireModel):
    """A staff service of the mesh, with the names of its handlers."""

    name: str
    description: str = ""
    handlers: tuple[str, ...]


class StaffServices(WireModel):
    """The staff services that this mesh has, by name."""

    services: tuple[StaffService, ...]


class StaffTurnRequest(StaffSessionRequest):
    """Names the turn that a staff member looks into."""

    turn: int = Field(ge=1)


class TimedPart(WireModel):
    """A model call, a tool call or an agent's turn. Times are milliseconds; `start_ms` counts from the turn's start.

    `depth` is 0 for the session. Each part comes after the part that called it. `took_ms` is None while it runs.
    """

    kind: Literal["session", "agent", "model", "tool"]
    name: str
    depth: int
    state: Literal["waiting", "running", "retrying", "paused", "ok", "failed"]
    start_ms: int
    took_ms: int | None
    why: str = Field("", description="The failure, if it failed.")


class Timeline(WireModel):
    """The parts of a turn, or in `note` the reason why there are none."""

    parts: tuple[TimedPart, ...] = ()
    took_ms: int = 0
    note: str = ""


class Refusal(WireModel):
    """A call that a tool refused or that failed. `rule` is the number of the policy's rule, if its text names one."""

    tool: str
    rule: str
    text: str


class TurnInspection(WireModel):
    """Everything that the mesh knows about a turn. `costs` has one entry for each model reply in the record.

    The cost does not include model calls that returned no usable reply; the session's cost does.
    """

    record: TurnRecord
    turns_total: int
    timeline: Timeline
    refusals: tuple[Refusal, ...]
    costs: tuple[Decimal, ...]
    cost: Decimal
    currency: str
