"""Who may have which seat, and how a claim ends."""

from collections.abc import Callable
from datetime import date

import pytest

from services.tools.demo_data.airline import FlightData, airline
from services.tools.flights.contract import Cabin, ClaimSeat, SettleClaim
from services.tools.flights.policy import Refusal, claim, release, undo
from services.tools.flights.seating import Hold, Holds, occupants, seat_map

DAY = date(2026, 12, 3)
NOBODY_MOVED = Holds()
ALICE, ERIN = "AB4568", "JK9001"


def flight(number: str = "SB245") -> FlightData:
    found = airline().flight(number)
    assert found is not None
    return found


def request(booking: str, seat: str, claim_id: str = "claim-1", cabin: Cabin = "economy") -> ClaimSeat:
    return ClaimSeat(confirmation_number=booking, cabin=cabin, seat=seat, claim_id=claim_id)


def asked(holds: Holds, wanted: ClaimSeat, number: str = "SB245") -> Holds | Refusal:
    return claim(airline(), flight(number), DAY, holds, wanted)


def claimed(holds: Holds, booking: str, seat: str, claim_id: str = "claim-1") -> Holds:
    outcome = asked(holds, request(booking, seat, claim_id))
    assert isinstance(outcome, Holds), outcome
    return outcome


def end(booking: str, claim_id: str = "claim-1") -> SettleClaim:
    return SettleClaim(confirmation_number=booking, claim_id=claim_id)


def taken(holds: Holds) -> dict[str, str]:
    return occupants(airline(), flight(), DAY, holds)


@pytest.mark.parametrize(
    ("wanted", "status_code", "words"),
    [
        (request(ALICE, "31A"), 404, "There is no seat 31A on SB245."),
        (request(ALICE, "2B"), 404, "There is no seat 2B on SB245."),
        (request(ALICE, "2A"), 409, "Seat 2A on SB245 is in business, and booking AB4568 is in economy."),
        (request(ALICE, "10A"), 409, "Seat 10A on SB245 on 3 December is taken. Free window seats near it: "),
    ],
)
def test_a_seat_that_cannot_be_had_is_refused_with_the_reason(wanted: ClaimSeat, status_code: int, words: str) -> None:
    refusal = asked(NOBODY_MOVED, wanted)
    assert isinstance(refusal, Refusal)
    assert refusal.status_code == status_code
    assert refusal.why.startswith(words)


def test_on_a_cancelled_flight_no_seat_changes() -> None:
    refusal = asked(NOBODY_MOVED, request("GH5120", "10B"), "SB420")
    assert refusal == Refusal("SB420 on 3 December is cancelled, so its seats cannot be changed.")


def test_seats_offered_instead_are_free_alike_and_near() -> None:
    refusal = asked(NOBODY_MOVED, request(ALICE, "10A"))
    assert isinstance(refusal, Refusal)
    offered = refusal.why.split(": ")[1].rstrip(".").split(", ")
    free = {seat.seat: seat for seat in seat_map(airline(), flight(), DAY, NOBODY_MOVED) if seat.free}
    assert offered[:2] == ["10F", "9A"]
    assert len(offered) == 3
    assert all(free[seat].position == "window" and free[seat].cabin == "economy" for seat in offered)


def test_a_claim_takes_the_seat_and_holds_the_former_one_back() -> None:
    holds = claimed(NOBODY_MOVED, ALICE, "10B")
    assert holds.by_booking[ALICE] == Hold(seat="10B", former="12C", claim_id="claim-1")
    assert (taken(holds)["10B"], taken(holds)["12C"]) == (ALICE, ALICE)


@pytest.mark.parametrize("seat", ["10B", "12C"])
def test_neither_seat_of_an_open_claim_can_be_had_by_another_booking(seat: str) -> None:
    refusal = asked(claimed(NOBODY_MOVED, ALICE, "10B"), request(ERIN, seat, "claim-2"))
    assert isinstance(refusal, Refusal)
    assert "is taken" in refusal.why


def test_a_released_claim_frees_the_former_seat() -> None:
    holds = release(claimed(NOBODY_MOVED, ALICE, "10B"), end(ALICE))
    assert holds.by_booking[ALICE] == Hold(seat="10B")
    assert "12C" not in taken(holds)
    assert claimed(holds, ERIN, "12C", "claim-2").by_booking[ERIN].seat == "12C"


def test_an_undone_claim_leaves_everything_as_it_was() -> None:
    assert taken(undo(claimed(NOBODY_MOVED, ALICE, "10B"), end(ALICE))) == taken(NOBODY_MOVED)


def test_a_booking_that_had_no_seat_has_none_after_an_undone_claim() -> None:
    assert undo(claimed(NOBODY_MOVED, "ZZ0001", "10B"), end("ZZ0001")) == NOBODY_MOVED


def test_claiming_ones_own_seat_succeeds_and_changes_no_seat() -> None:
    holds = claimed(NOBODY_MOVED, ALICE, "12C")
    assert taken(holds) == taken(NOBODY_MOVED)
    assert taken(release(holds, end(ALICE))) == taken(undo(holds, end(ALICE))) == taken(NOBODY_MOVED)


def test_the_same_claim_twice_is_one_claim() -> None:
    holds = claimed(NOBODY_MOVED, ALICE, "10B")
    assert claimed(holds, ALICE, "10B") == holds


def test_a_booking_has_one_open_claim_at_a_time() -> None:
    refusal = asked(claimed(NOBODY_MOVED, ALICE, "10B"), request(ALICE, "11B", "claim-2"))
    assert isinstance(refusal, Refusal)
    assert "Another change" in refusal.why


@pytest.mark.parametrize("settle", [release, undo])
def test_settling_a_claim_that_is_not_open_does_nothing(settle: Callable[[Holds, SettleClaim], Holds]) -> None:
    settled = release(claimed(NOBODY_MOVED, ALICE, "10B"), end(ALICE))
    moved_on = claimed(settled, ALICE, "11B", "claim-2")
    assert [settle(holds, end(ALICE)) for holds in (settled, moved_on)] == [settled, moved_on]


def test_a_refused_claim_can_be_undone_without_harm() -> None:
    assert undo(NOBODY_MOVED, end(ALICE)) == NOBODY_MOVED
