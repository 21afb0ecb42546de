"""The seats of one flight on one day: free counts, seat numbers and holders. Pure.

Seats are sold by cabin and also have numbers, and both always agree. A reservation that takes seats gets numbers. The
free count of a cabin is the data set's count minus the seats taken plus the seats given back since.
"""

import zlib
from collections.abc import Mapping, Sequence

from pydantic import Field

from services.tools.airline.data.dataset import BookedParty
from services.tools.airline.data.models import Cabin
from services.tools.airline.flights.contract import Position, Seat, TakeSeats
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

CABINS: Mapping[Cabin, tuple[range, str]] = {
    "business": (range(1, 8), "ACDF"),
    "economy": (range(8, 28), "ABCDEF"),
    "basic_economy": (range(28, 36), "ABCDEF"),
}
"""Rows and letters of each cabin; every aircraft has the same layout."""

POSITIONS: Mapping[str, Position] = {
    "A": "window",
    "B": "middle",
    "C": "aisle",
    "D": "aisle",
    "E": "middle",
    "F": "window",
}
SUGGESTIONS_MAX = 3


class Hold(WireModel):
    """The seats of a reservation, in the order of its passengers."""

    reservation_id: str
    cabin: Cabin
    seats: tuple[str, ...]


class Holds(WireModel):
    """The changed holds of one flight on one day, by hold id.

    The data set's reservations hold seats under their own ids; null means that they have given them back.
    """

    by_id: dict[str, Hold | None] = Field(default_factory=dict)

    def having(self, hold_id: str, hold: Hold | None) -> "Holds":
        return Holds(by_id=self.by_id | {hold_id: hold})

    def without(self, hold_id: str) -> "Holds":
        return Holds(by_id={one: hold for one, hold in self.by_id.items() if one != hold_id})


class SeatInventory:
    """The initial seats of one flight on one day: free seats by cabin, and the seats of the data set's reservations.

    Seats are drawn by a checksum of `key`, so they are the same in every process. `free_seats` and `assigned` override
    the draw: the former are free, the latter belong to a reservation.
    """

    def __init__(
        self,
        key: str,
        available: Mapping[Cabin, int],
        parties: Sequence[BookedParty],
        free_seats: Sequence[str] = (),
        assigned: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.available = available
        self._key = key
        self._free_seats = free_seats
        self._assigned = assigned or {}
        self.free: dict[Cabin, list[str]] = {}
        self.base: dict[str, Hold] = {}
        for cabin in CABINS:
            self._seat_cabin(cabin, [party for party in parties if party.cabin == cabin])

    def _seat_cabin(self, cabin: Cabin, parties: Sequence[BookedParty]) -> None:
        """Draw seats for the data set's reservations, then the free ones. All other seats are taken by others."""
        named = {seat for seats in self._assigned.values() for seat in seats}
        scattered = sorted((seat for seat in seats_of(cabin) if seat not in named), key=self._scatter)
        kept_free = [seat for seat in scattered if seat in self._free_seats]
        others = [seat for seat in scattered if seat not in kept_free]
        for party in parties:
            own = tuple(self._assigned.get(party.reservation_id, ()))
            drawn = party.seats_total - len(own)
            # Reservations draw from the back of the list; the free seats come from the front.
            seats = (*own, *(others.pop() for _ in range(min(drawn, len(others)))))
            self.base[party.reservation_id] = Hold(reservation_id=party.reservation_id, cabin=cabin, seats=seats)
        self.free[cabin] = [*kept_free, *others][: self.available.get(cabin, 0)]

    def _scatter(self, seat: str) -> int:
        return zlib.crc32(f"{self._key}:{seat}".encode())


def seats_of(cabin: Cabin) -> tuple[str, ...]:
    """Return all seats of a cabin, front to back."""
    rows, letters = CABINS[cabin]
    return tuple(f"{row}{letter}" for row in rows for letter in letters)


def cabin_of(seat: str) -> Cabin | None:
    return next((cabin for cabin in CABINS if seat in seats_of(cabin)), None)


def holds_now(inventory: SeatInventory, holds: Holds) -> dict[str, Hold]:
    """Return all current holds by hold id."""
    return {hold_id: hold for hold_id, hold in (inventory.base | holds.by_id).items() if hold is not None}


def available_seats(inventory: SeatInventory, holds: Holds) -> dict[Cabin, int]:
    """Return the number of free seats by cabin."""
    left = dict(inventory.available)
    for hold_id, hold in holds.by_id.items():
        before = inventory.base.get(hold_id)
        if before is not None and before.cabin in left:
            left[before.cabin] += len(before.seats)
        if hold is not None and hold.cabin in left:
            left[hold.cabin] -= len(hold.seats)
    return left


def free_seats(inventory: SeatInventory, holds: Holds, cabin: Cabin) -> list[str]:
    """Return the free seats of a cabin, front to back: the initial ones plus those given back minus those taken."""
    free = set(inventory.free[cabin])
    free |= {seat for hold_id in holds.by_id if hold_id in inventory.base for seat in inventory.base[hold_id].seats}
    free -= {seat for hold in holds_now(inventory, holds).values() for seat in hold.seats}
    return [seat for seat in seats_of(cabin) if seat in free]


def take(inventory: SeatInventory, holds: Holds, flight: str, request: TakeSeats) -> Holds | Refusal:
    """Return the holds after all these seats are taken; unchanged if the hold id already has seats."""
    if request.hold_id in holds.by_id:
        return holds
    free = free_seats(inventory, holds, request.cabin)
    left = available_seats(inventory, holds).get(request.cabin, 0)
    if min(left, len(free)) < request.seats_total:
        return Refusal(f"{flight} has {count(left)} left in {request.cabin.replace('_', ' ')}.")
    seats = tuple(free[: request.seats_total])
    hold = Hold(reservation_id=request.reservation_id, cabin=request.cabin, seats=seats)
    return holds.having(request.hold_id, hold)


def count(seats_total: int) -> str:
    return "no seat" if not seats_total else "only 1 seat" if seats_total == 1 else f"only {seats_total} seats"


def give_back(inventory: SeatInventory, holds: Holds, hold_id: str) -> Holds:
    """Return the holds without that one; unchanged if there is none."""
    if hold_id in inventory.base:
        return holds.having(hold_id, None)
    return holds.without(hold_id)


def hold_of(inventory: SeatInventory, holds: Holds, reservation_id: str) -> tuple[str, Hold] | None:
    """Return the reservation's hold id and hold; the newer one while its cabin is being changed."""
    own = [(one, hold) for one, hold in holds_now(inventory, holds).items() if hold.reservation_id == reservation_id]
    return own[-1] if own else None


def seat_map(inventory: SeatInventory, holds: Holds, reservation_id: str) -> tuple[Seat, ...]:
    """Return all seats, front to back; the reservation's seats have their passenger's number."""
    own = hold_of(inventory, holds, reservation_id)
    passengers = {seat: number for number, seat in enumerate(own[1].seats, start=1)} if own else {}
    free = {seat for cabin in CABINS for seat in free_seats(inventory, holds, cabin)}
    return tuple(
        Seat(seat=seat, cabin=cabin, position=POSITIONS[seat[-1]], free=seat in free, passenger=passengers.get(seat))
        for cabin in CABINS
        for seat in seats_of(cabin)
    )


def move(
    inventory: SeatInventory, holds: Holds, flight: str, reservation_id: str, passenger: int, seat: str
) -> tuple[Holds, str] | Refusal:
    """Return the holds after a passenger has moved to another seat in the cabin, and the former seat."""
    own = hold_of(inventory, holds, reservation_id)
    if own is None or passenger > len(own[1].seats):
        return Refusal(f"Reservation {reservation_id} has no seats on {flight} that could be changed.", NOT_FOUND)
    hold_id, hold = own
    former = hold.seats[passenger - 1]
    refusal = refuse_seat(flight, hold, seat)
    if refusal:
        return refusal
    if seat != former and seat not in free_seats(inventory, holds, hold.cabin):
        return Refusal(f"Seat {seat} on {flight} is taken. {offer(seat, free_seats(inventory, holds, hold.cabin))}")
    seats = tuple(seat if number == passenger else own_seat for number, own_seat in enumerate(hold.seats, start=1))
    return holds.having(hold_id, hold.model_copy(update={"seats": seats})), former


def refuse_seat(flight: str, hold: Hold, seat: str) -> Refusal | None:
    """Refuse a seat that does not exist or is in another cabin."""
    cabin = cabin_of(seat)
    if cabin is None:
        return Refusal(f"There is no seat {seat} on {flight}. {describe()}", NOT_FOUND)
    if cabin != hold.cabin:
        paid, other = hold.cabin.replace("_", " "), cabin.replace("_", " ")
        return Refusal(
            f"Seat {seat} on {flight} is in {other}, but reservation {hold.reservation_id} is in {paid}. {describe()}"
        )
    return None


def offer(wanted: str, free: Sequence[str]) -> str:
    """Suggest free seats in the same position, the nearest row first."""
    position = POSITIONS[wanted[-1]]
    alike = [seat for seat in free if POSITIONS[seat[-1]] == position]
    if not alike:
        return f"No other {position} seat is free in this cabin."
    nearest = sorted(alike, key=lambda seat: distance(wanted, seat))[:SUGGESTIONS_MAX]
    return f"Free {position} seats nearby: {', '.join(nearest)}."


def distance(one: str, other: str) -> tuple[int, int]:
    """Return the distance of two seats for sorting: rows first, then letters."""
    return abs(int(one[:-1]) - int(other[:-1])), abs(ord(one[-1]) - ord(other[-1]))


def describe() -> str:
    """Return a sentence with the rows and letters of all cabins."""
    cabins = (
        f"rows {rows[0]} to {rows[-1]} are {cabin.replace('_', ' ')} ({', '.join(letters)})"
        for cabin, (rows, letters) in CABINS.items()
    )
    sentence = ", ".join(cabins)
    return f"{sentence[0].upper()}{sentence[1:]}."
