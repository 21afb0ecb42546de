"""A session while a staff member answers in the agents' place: how it begins and ends, and what is said then. Pure."""

from datetime import datetime, timedelta

from switchboard.messages import Message, Note, Notice, UserText, WireModel
from switchboard.session.contract import STAFF_MEMBER, Staffed
from switchboard.session.state import FinishedTurn, Head, StaffMode, note_of_dropped

TAKEN_OVER = "A member of our staff has joined this conversation and will answer you here."
TAKEN_FROM_COLLEAGUE = "Another member of our staff will answer you here from now on."
QUESTION_DROPPED = "The question that was open is closed, and its changes were not made."
STAFF_WILL_ANSWER = "Thank you. A member of our staff will answer you here."
HANDED_BACK = "The member of our staff has left this conversation. Our assistant answers you again."
STAFF_SILENT = (
    "Sorry, our staff could not answer you in time. Our assistant answers you again: please write what you need."
)

ANSWERED_BY_STAFF = (
    "From {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC a member of staff answered the customer in your place."
    " Their messages appear as yours."
)
UNANSWERED = "They have not answered the customer's latest messages. Answer these together with the next message."
NOTE_BY_STAFF = "Their note for you: {note}"


class TakeOver(WireModel):
    """A staff member's request to answer in this session.

    `from_colleague` is the colleague whom they take the session from. `silent_max` is how long the customer may wait
    for them, 0 for no limit; it is read once, when the request arrives.
    """

    by: str
    at: datetime
    from_colleague: str = ""
    silent_max: timedelta = timedelta(0)


def take_over_of(stop: str) -> TakeOver | None:
    """Return the take-over that stops a turn; None if the customer stops it."""
    return TakeOver.model_validate_json(stop) if stop.startswith("{") else None


def held_by_another(head: Head, by: str, from_colleague: str = "") -> StaffMode | None:
    """Return the mode if a colleague answers in this session who was not named."""
    staff = head.staff
    return staff if staff is not None and staff.by not in (by, from_colleague) else None


def taken_over(head: Head, request: TakeOver) -> tuple[Head, FinishedTurn]:
    """Return the session in which the staff member answers, and the turn that says so. An open question is dropped."""
    held, before = head.held, head.staff
    texts = [TAKEN_OVER if before is None else TAKEN_FROM_COLLEAGUE]
    messages: list[Message] = []
    if held is not None:
        messages.append(note_of_dropped(held))
        texts += [QUESTION_DROPPED] if request.at < held.expires_at else []
    text = " ".join(texts)
    # With a colleague, the customer may have been waiting for some time.
    mode = StaffMode(
        by=request.by,
        since=request.at,
        waiting_since=request.at if before is None else before.waiting_since,
        timer=0 if before is None else before.timer,
    )
    done = FinishedTurn(text=text, added=(*messages, Notice(text=text)), by=request.by, act="taken_over")
    return head.model_copy(update={"staff": mode}), done


def customer_wrote(head: Head, at: datetime, text: str) -> tuple[Head, FinishedTurn]:
    """Return the session after a message of the customer to the staff member."""
    assert head.staff is not None
    mode = head.staff.model_copy(update={"waiting_since": head.staff.waiting_since or at})
    done = FinishedTurn(text=STAFF_WILL_ANSWER, added=(UserText(text=text),))
    return head.model_copy(update={"staff": mode}), done


def staff_wrote(head: Head, text: str) -> tuple[Head, FinishedTurn]:
    """Return the session after a message of the staff member to the customer."""
    assert head.staff is not None
    mode, by = head.staff.model_copy(update={"waiting_since": None}), head.staff.by
    return head.model_copy(update={"staff": mode}), FinishedTurn(text=text, added=(Notice(text=text, by=by),), by=by)


def staff_noted(by: str, note: str) -> FinishedTurn:
    """Return the turn with a note for colleagues. Neither the customer nor a model sees it."""
    return FinishedTurn(text="", added=(), by=by, act="note", note=note)


def handed_back(head: Head, at: datetime, by: str, note: str = "") -> tuple[Head, FinishedTurn]:
    """Return the session in which agents answer again. `by` is empty if the staff member was silent for too long."""
    mode = head.staff
    assert mode is not None
    parts = [ANSWERED_BY_STAFF.format(since=mode.since, until=at)]
    parts += [UNANSWERED] if mode.waiting_since is not None else []
    parts += [NOTE_BY_STAFF.format(note=note)] if note else []
    text = HANDED_BACK if by else STAFF_SILENT
    messages = (Note(text=" ".join(parts)), Notice(text=text))
    done = FinishedTurn(text=text, added=messages, by=by, act="handed_back", note=note)
    return head.model_copy(update={"staff": None}), done


def shown_mode(head: Head, for_staff: bool) -> Staffed | None:
    """Return who answers, for the status. Customers do not get the name."""
    mode = head.staff
    if mode is None:
        return None
    return Staffed(by=mode.by if for_staff else STAFF_MEMBER, since=mode.since, waiting_since=mode.waiting_since)
