"""The contract of the staff's HTTP API: request bodies and path parameters. `by` is in none of them."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, Field, JsonValue, RootModel

from switchboard.builtin.approvals.contract import Reason
from switchboard.builtin.cases.contract import NoteText, Outcome
from switchboard.contract import SUBJECT_MAX_CHARS
from switchboard.gateway.contract import Request, complete_characters
from switchboard.session.contract import SESSION_ID, SUBJECT
from switchboard.session.staff_contract import NAME, OptionalNote
from switchboard.session.staff_contract import NoteText as SessionNoteText

ID_MAX_CHARS = 128

RecordId = Annotated[str, Path(pattern=rf"^[A-Za-z0-9._-]{{1,{ID_MAX_CHARS}}}$", description="Id from the list.")]
CustomerId = Annotated[str, Path(pattern=SUBJECT, description="The customer's id at the identity provider.")]
CustomerFilter = Annotated[str | None, Query(pattern=SUBJECT, description="Only the sessions of this customer.")]
TextFilter = Annotated[
    str | None,
    Query(pattern=f"^{SESSION_ID}$", description="Only the sessions with this text in the id as it is shown."),
]
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]


class ApprovalDecision(Request):
    """A decision on a request. The customer will read the reason."""

    why: Reason


class NewNote(Request):
    """A note on a case. The customer does not see it."""

    text: NoteText


class Closing(Request):
    """The outcome of a case. The customer will read it in conversations in which they are verified."""

    outcome: Outcome


class TakeOver(Request):
    """A take-over of a session. `from` names the colleague who answers in it, to take it over from them."""

    from_colleague: str = Field(
        "",
        alias="from",
        max_length=SUBJECT_MAX_CHARS,
        description="The colleague who answers in the session, if one does. Without it, their session is refused.",
    )


class StaffText(Request):
    """A message of a staff member to the customer."""

    text: Annotated[
        str,
        AfterValidator(complete_characters),
        Field(
            description="The message, at most 8 KiB. Hidden, control and bidirectional characters are removed.",
            json_schema_extra={"minLength": 1},
        ),
    ]


class ColleagueNote(Request):
    """A note for colleagues in a session. Neither the customer nor an agent sees it."""

    text: SessionNoteText


class HandBack(Request):
    """The end of a take-over. The agents read the note; the customer does not."""

    note: OptionalNote = ""


class HandlerInput(RootModel[dict[str, JsonValue]]):
    """The input of a staff handler, without `by`."""

    root: dict[str, JsonValue] = Field(default_factory=dict)
