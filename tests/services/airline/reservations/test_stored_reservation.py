"""Writes to a stored reservation: one at a time, only if unchanged since the read, and undoable."""

import datetime as dt

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.reservations.stored_reservation import (
    ReservationState,
    StoredReservation,
    WriteReservation,
    claim,
    settle,
    undo,
    write,
)
from switchboard.toolkit.refusal import Refusal

BOOKED = read_data(DEFAULT_DATA).reservation("AB4568", dt.date(2026, 3, 10))
assert BOOKED is not None
KEPT = StoredReservation(reservation=BOOKED)
SETTLED = ReservationState(kept=KEPT)


def cancelling(operation_id: str, revision: int = 0) -> WriteReservation:
    gone = KEPT.model_copy(update={"reservation": KEPT.reservation.model_copy(update={"status": "cancelled"})})
    return WriteReservation(operation_id=operation_id, revision=revision, kept=gone)


def written(state: ReservationState, request: WriteReservation) -> ReservationState:
    after = write(state, request)
    assert isinstance(after, ReservationState), after
    return after


def test_write_is_final_once_settled_and_reverted_when_undone() -> None:
    open_state = written(SETTLED, cancelling("op1"))
    assert open_state.kept is not None
    assert (open_state.kept.reservation.status, open_state.kept.revision) == ("cancelled", 1)
    assert written(open_state, cancelling("op1")) == open_state
    assert undo(open_state, "op1") == SETTLED
    assert undo(open_state, "op2") == open_state
    settled = settle(open_state, "op1")
    assert undo(settled, "op1") == settled
    assert settle(open_state, "op2") == open_state


def test_write_is_refused_while_another_is_open_or_after_a_change() -> None:
    open_state = written(SETTLED, cancelling("op1"))
    in_progress = write(open_state, cancelling("op2", revision=1))
    changed = write(settle(open_state, "op1"), cancelling("op2", revision=0))
    assert isinstance(in_progress, Refusal)
    assert "in progress" in in_progress.why
    assert isinstance(changed, Refusal)
    assert "was changed in the meantime" in changed.why


def test_id_is_claimed_once_and_released_on_undo() -> None:
    mine = claim(None, is_taken=False, operation_id="op1")
    assert mine == ReservationState(operation_id="op1")
    assert claim(mine, is_taken=False, operation_id="op1") == mine
    assert claim(mine, is_taken=False, operation_id="op2") is None
    assert claim(None, is_taken=True, operation_id="op1") is None
    assert claim(SETTLED, is_taken=False, operation_id="op1") is None
    assert mine is not None
    assert undo(mine, "op1") is None
    assert undo(written(mine, cancelling("op1")), "op1") is None
