"""The stored record of a reservation: its values, the object's internal tools, and its transitions. Pure.

A write stays open until its caller settles or undoes it; meanwhile no other write is accepted. So undoing a write
restores the record before it. A write names the revision that it was decided on: when the reservation has changed
since, the write is refused and has to be decided again.
"""

from typing import Literal

from pydantic import Field

from services.tools.airline.data.records import Cabin, Day, Reservation, ReservedFlight
from services.tools.airline.reservations.contract import RESERVATIONS
from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import Refusal

DISRUPTIONS_MAX = 24
"""Of one reservation, the first ones: what is kept has a limit."""


class Disruption(WireModel):
    """What was wrong with a flight of the reservation, and the cabin that it had, as the flight was dealt with."""

    flight_number: str
    date: Day
    status: Literal["cancelled", "delayed"]
    cabin: Cabin


class StoredReservation(WireModel):
    """A reservation as it stands, and what it went through here.

    `holds` says under which id it has its seats on a flight, by the flight's key; where it says nothing, under its own.
    `changed` says whether other flights or another cabin were ever given to it. `disruptions` are noted by the write
    that changes or cancels the reservation: what a flight does after that is no longer the reservation's.
    """

    reservation: Reservation
    revision: int = 0
    holds: dict[str, str] = Field(default_factory=dict)
    former_flights: tuple[ReservedFlight, ...] = Field((), description="Of older objects; nothing is judged by it")
    changed: bool = False
    disruptions: tuple[Disruption, ...] = ()


class ReservationState(WireModel):
    """What an object keeps under its id: nothing yet while the id is only claimed; and the write that is open."""

    kept: StoredReservation | None = None
    operation_id: str = ""
    before: StoredReservation | None = None


class Found(WireModel):
    """What there is under an id."""

    kept: StoredReservation | None


class OperationRef(ToolInput):
    operation_id: str


class WriteReservation(ToolInput):
    """The reservation as it is to be, decided on `revision`."""

    operation_id: str
    revision: int
    kept: StoredReservation


class Claimed(WireModel):
    claimed: bool


class Acknowledged(WireModel):
    changed: bool


FIND = Tool(
    service=RESERVATIONS,
    handler="find",
    purpose="A reservation.",
    input=NoInput,
    output=Found,
    internal=True,
)
CLAIM_ID = Tool(
    service=RESERVATIONS,
    handler="claim_id",
    purpose="Take an id for a new reservation, unless it is another's.",
    input=OperationRef,
    output=Claimed,
    internal=True,
)
WRITE = Tool(
    service=RESERVATIONS,
    handler="write",
    purpose="Change a reservation. The write has to be settled or undone afterwards.",
    input=WriteReservation,
    output=Acknowledged,
    internal=True,
)
SETTLE_WRITE = Tool(
    service=RESERVATIONS,
    handler="settle_write",
    purpose="The write stands.",
    input=OperationRef,
    output=Acknowledged,
    internal=True,
)
UNDO_WRITE = Tool(
    service=RESERVATIONS,
    handler="undo_write",
    purpose="The write, or the claim of an id, falls.",
    input=OperationRef,
    output=Acknowledged,
    internal=True,
)


def claim(slot: ReservationState | None, is_taken: bool, operation_id: str) -> ReservationState | None:
    """The slot claimed for a new reservation; None when the id is another's."""
    if slot is not None and slot.operation_id == operation_id:
        return slot
    return None if slot is not None or is_taken else ReservationState(operation_id=operation_id)


def write(slot: ReservationState, request: WriteReservation) -> ReservationState | Refusal:
    """The slot after the write; the same when it was made before under that id."""
    reservation_id = request.kept.reservation.reservation_id
    if slot.operation_id not in ("", request.operation_id):
        return Refusal(f"Another change of reservation {reservation_id} is under way. Try again in a moment.")
    present = slot.kept.revision if slot.kept else 0
    if slot.kept is not None and slot.operation_id == request.operation_id:
        return slot
    if present != request.revision:
        return Refusal(f"Reservation {reservation_id} has been changed meanwhile. Look at it again.")
    written = request.kept.model_copy(update={"revision": present + 1})
    return ReservationState(kept=written, operation_id=request.operation_id, before=slot.kept)


def settle(slot: ReservationState, operation_id: str) -> ReservationState:
    """The write stands; the same when it is not open."""
    return ReservationState(kept=slot.kept) if slot.operation_id == operation_id else slot


def undo(slot: ReservationState, operation_id: str) -> ReservationState | None:
    """What was before the write, None when that is nothing; the same when it is not open."""
    if slot.operation_id != operation_id:
        return slot
    return ReservationState(kept=slot.before) if slot.before else None
