"""The stored record of a reservation: its values, the object's internal tools, and its transitions. Pure.

A write stays open until its caller settles or undoes it, and no other write is accepted in the meantime. So undo can
restore the previous record. A write names the revision that it is based on. If the reservation has changed since, the
write is refused, and the caller must read the reservation again.
"""

from typing import Literal

from pydantic import Field

from services.tools.airline.data.models import Cabin, Day, Reservation, ReservedFlight
from services.tools.airline.reservations.contract import RESERVATIONS
from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import Refusal

DISRUPTIONS_MAX = 24
"""Per reservation; the first ones are stored, later ones are dropped. Bounds the size of the state."""


class Disruption(WireModel):
    """A disruption of one of the reservation's flights, and the cabin at the time of the change or cancellation."""

    flight_number: str
    date: Day
    status: Literal["cancelled", "delayed"]
    cabin: Cabin


class StoredReservation(WireModel):
    """A reservation and its history.

    `holds` maps a flight's key to the id that the reservation's seats are held under; without an entry it is the
    reservation's own id. `changed` says whether its flights or cabin were ever changed. `disruptions` are stored by the
    write that changes or cancels the reservation, because later delays of a flight do not count for it.
    """

    reservation: Reservation
    revision: int = 0
    holds: dict[str, str] = Field(default_factory=dict)
    former_flights: tuple[ReservedFlight, ...] = Field((), description="Written by older versions; not used any more")
    changed: bool = False
    disruptions: tuple[Disruption, ...] = ()


class ReservationState(WireModel):
    """The object's state: the reservation, None while its id is only claimed, and the write that is open."""

    kept: StoredReservation | None = None
    operation_id: str = ""
    before: StoredReservation | None = None


class Found(WireModel):
    """The reservation with this id, or None."""

    kept: StoredReservation | None


class OperationRef(ToolInput):
    operation_id: str


class WriteReservation(ToolInput):
    """The new reservation, based on `revision` of the stored one."""

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
    purpose="Get a stored reservation.",
    input=NoInput,
    output=Found,
    internal=True,
    read_only=True,
)
CLAIM_ID = Tool(
    service=RESERVATIONS,
    handler="claim_id",
    purpose="Claim an id for a new reservation, unless another reservation has it.",
    input=OperationRef,
    output=Claimed,
    internal=True,
)
WRITE = Tool(
    service=RESERVATIONS,
    handler="write",
    purpose="Change a reservation. The caller must settle or undo the write afterwards.",
    input=WriteReservation,
    output=Acknowledged,
    internal=True,
)
SETTLE_WRITE = Tool(
    service=RESERVATIONS,
    handler="settle_write",
    purpose="Make the write final.",
    input=OperationRef,
    output=Acknowledged,
    internal=True,
)
UNDO_WRITE = Tool(
    service=RESERVATIONS,
    handler="undo_write",
    purpose="Undo the write, or release the claimed id.",
    input=OperationRef,
    output=Acknowledged,
    internal=True,
)


def claim(state: ReservationState | None, is_taken: bool, operation_id: str) -> ReservationState | None:
    """Return the state with the id claimed for a new reservation; None if another reservation has it."""
    if state is not None and state.operation_id == operation_id:
        return state
    return None if state is not None or is_taken else ReservationState(operation_id=operation_id)


def write(state: ReservationState, request: WriteReservation) -> ReservationState | Refusal:
    """Return the state after the write; unchanged if the operation has already written."""
    reservation_id = request.kept.reservation.reservation_id
    if state.operation_id not in ("", request.operation_id):
        return Refusal(f"Another change of reservation {reservation_id} is in progress. Please try again in a minute.")
    present = state.kept.revision if state.kept else 0
    if state.kept is not None and state.operation_id == request.operation_id:
        return state
    if present != request.revision:
        return Refusal(f"Reservation {reservation_id} was changed in the meantime. Look it up again.")
    written = request.kept.model_copy(update={"revision": present + 1})
    return ReservationState(kept=written, operation_id=request.operation_id, before=state.kept)


def settle(state: ReservationState, operation_id: str) -> ReservationState:
    """Return the state with the write made final; unchanged if it is not open."""
    return ReservationState(kept=state.kept) if state.operation_id == operation_id else state


def undo(state: ReservationState, operation_id: str) -> ReservationState | None:
    """Return the state before the write, None if there was none; unchanged if the write is not open."""
    if state.operation_id != operation_id:
        return state
    return ReservationState(kept=state.before) if state.before else None
