"""The seat inventory: seat counts and seat numbers agree, and no seat is sold twice."""

from services.tools.airline.data.dataset import BookedParty
from services.tools.airline.flights.contract import TakeSeats
from services.tools.airline.flights.seat_inventory import (
    Holds,
    SeatInventory,
    available_seats,
    cabin_of,
    free_seats,
    give_back,
    move,
    seat_map,
    take,
)
from switchboard.toolkit.refusal import Refusal

AVAILABLE = {"basic_economy": 4, "economy": 6, "business": 2}
PARTIES = (BookedParty("AAAAAA", "economy", 2), BookedParty("BBBBBB", "business", 1))
PLANE = SeatInventory("XX100/2026-03-10", AVAILABLE, PARTIES, free_seats=("10B",), assigned={"AAAAAA": ("12C",)})  # type: ignore[arg-type]


def taken(holds: Holds, hold_id: str, seats: int, cabin: str = "economy", reservation_id: str = "NEW001") -> Holds:
    request = TakeSeats(hold_id=hold_id, reservation_id=reservation_id, cabin=cabin, seats_total=seats)
    found = take(PLANE, holds, "XX100", request)
    assert isinstance(found, Holds), found
    return found


def is_consistent(holds: Holds) -> bool:
    """Return whether the free counts match the free seat numbers, and no seat is held twice."""
    seats = [seat for hold in holds.by_id.values() if hold for seat in hold.seats]
    counts = available_seats(PLANE, holds)
    return len(set(seats)) == len(seats) and all(
        counts[cabin] == len(free_seats(PLANE, holds, cabin)) for cabin in counts
    )


def test_free_seats_match_the_data_set() -> None:
    assert is_consistent(Holds())
    assert available_seats(PLANE, Holds()) == AVAILABLE
    assert "10B" in free_seats(PLANE, Holds(), "economy")
    assert PLANE.base["AAAAAA"].seats[0] == "12C"
    assert len(PLANE.base["AAAAAA"].seats) == 2


def test_seat_assignment_is_the_same_in_every_process() -> None:
    again = SeatInventory("XX100/2026-03-10", AVAILABLE, PARTIES, free_seats=("10B",), assigned={"AAAAAA": ("12C",)})  # type: ignore[arg-type]
    assert (again.free, again.base) == (PLANE.free, PLANE.base)


def test_seats_are_taken_all_or_none_and_once_per_id() -> None:
    holds = taken(Holds(), "op1", 4)
    assert available_seats(PLANE, holds)["economy"] == 2
    assert taken(holds, "op1", 4) == holds
    refused = take(
        PLANE, holds, "XX100", TakeSeats(hold_id="op2", reservation_id="NEW002", cabin="economy", seats_total=3)
    )
    assert refused == Refusal("XX100 has only 2 seats left in economy.")
    full = taken(holds, "op3", 2)
    assert available_seats(PLANE, full)["economy"] == 0
    assert is_consistent(full)


def test_undone_seats_are_free_again() -> None:
    assert taken(Holds(), "op1", 4).without("op1") == Holds()


def test_seats_of_old_and_new_reservations_are_given_back() -> None:
    given = give_back(PLANE, Holds(), "AAAAAA")
    assert available_seats(PLANE, given)["economy"] == 8
    assert is_consistent(given)
    assert give_back(PLANE, given, "AAAAAA") == given
    assert give_back(PLANE, taken(Holds(), "op1", 2), "op1") == Holds()
    assert give_back(PLANE, Holds(), "op9") == Holds()


def test_change_of_cabin_keeps_only_the_new_seats() -> None:
    both = taken(Holds(), "op1", 2, cabin="basic_economy", reservation_id="AAAAAA")
    after = give_back(PLANE, both, "AAAAAA")
    assert available_seats(PLANE, after) == {"basic_economy": 2, "economy": 8, "business": 2}
    assert is_consistent(after)


def test_seats_given_back_late_do_not_free_newer_seats() -> None:
    """The reservation is changed and changed back before the first change's seats are given back."""
    back_again = taken(Holds(), "op2", 2, reservation_id="AAAAAA")
    after = give_back(PLANE, back_again, "AAAAAA")
    assert available_seats(PLANE, after)["economy"] == 6
    assert is_consistent(after)


def moved(holds: Holds, seat: str, passenger: int = 1, reservation_id: str = "AAAAAA") -> tuple[Holds, str] | Refusal:
    return move(PLANE, holds, "XX100", reservation_id, passenger, seat)


def test_moving_a_passenger_frees_the_former_seat() -> None:
    found = moved(Holds(), "10B")
    assert not isinstance(found, Refusal)
    holds, former = found
    assert former == "12C"
    assert "12C" in free_seats(PLANE, holds, "economy")
    assert is_consistent(holds)
    assert [seat.seat for seat in seat_map(PLANE, holds, "AAAAAA") if seat.passenger == 1] == ["10B"]
    assert moved(holds, "10B") == (holds, "10B")


def test_unavailable_seat_is_refused_with_alternatives() -> None:
    other = PLANE.base["AAAAAA"].seats[1]
    for seat, said in (
        (other, "is taken. "),
        ("1A", "is in business, but reservation AAAAAA is in economy."),
        ("9Z", "There is no seat 9Z on XX100."),
    ):
        refused = moved(Holds(), seat)
        assert isinstance(refused, Refusal)
        assert said in refused.why
    unknown = moved(Holds(), "10B", reservation_id="NOBODY")
    assert isinstance(unknown, Refusal)
    third = moved(Holds(), "10B", passenger=3)
    assert isinstance(third, Refusal)


def test_every_seat_belongs_to_one_cabin() -> None:
    assert [cabin_of(seat) for seat in ("7F", "8A", "27F", "28A", "36A", "7B")] == [
        "business",
        "economy",
        "economy",
        "basic_economy",
        None,
        None,
    ]
