"""A reservation's writes: one at a time, on what was read, and back when they fall."""

import datetime as dt

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.reservations.record import (
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
STANDS = ReservationState(kept=KEPT)


def cancelling(operation_id: str, revision: int = 0) -> WriteReservation:
    gone = KEPT.model_copy(update={"reservation": KEPT.reservation.model_copy(update={"status": "cancelled"})})
    return WriteReservation(operation_id=operation_id, revision=revision, kept=gone)


def written(slot: ReservationState, request: WriteReservation) -> ReservationState:
    after = write(slot, request)
    assert isinstance(after, ReservationState), after
    return after


def test_a_write_stands_once_it_is_settled_and_falls_when_it_is_undone() -> None:
    open_slot = written(STANDS, cancelling("op1"))
    assert open_slot.kept is not None
    assert (open_slot.kept.reservation.status, open_slot.kept.revision) == ("cancelled", 1)
    assert written(open_slot, cancelling("op1")) == open_slot
    assert undo(open_slot, "op1") == STANDS
    assert undo(open_slot, "op2") == open_slot
    settled = settle(open_slot, "op1")
    assert undo(settled, "op1") == settled
    assert settle(open_slot, "op2") == open_slot


def test_no_second_write_while_one_is_open_nor_on_what_has_changed() -> None:
    open_slot = written(STANDS, cancelling("op1"))
    under_way = write(open_slot, cancelling("op2", revision=1))
    changed = write(settle(open_slot, "op1"), cancelling("op2", revision=0))
    assert isinstance(under_way, Refusal)
    assert "under way" in under_way.why
    assert isinstance(changed, Refusal)
    assert "has been changed meanwhile" in changed.why


def test_an_id_is_claimed_by_one_and_freed_when_nothing_comes_of_it() -> None:
    mine = claim(None, is_taken=False, operation_id="op1")
    assert mine == ReservationState(operation_id="op1")
    assert claim(mine, is_taken=False, operation_id="op1") == mine
    assert claim(mine, is_taken=False, operation_id="op2") is None
    assert claim(None, is_taken=True, operation_id="op1") is None
    assert claim(STANDS, is_taken=False, operation_id="op1") is None
    assert mine is not None
    assert undo(mine, "op1") is None
    assert undo(written(mine, cancelling("op1")), "op1") is None
