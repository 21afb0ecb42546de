"""Where one can sit on a flight, and who does: the plan, the seats that strangers took, the seats of bookings. Pure."""

import datetime as dt
import zlib
from collections.abc import Mapping

from pydantic import Field

from services.tools.demo_data.airline import AirlineData, FlightData
from services.tools.flights.contract import Position, Seat
from switchboard.messages import Wire

STRANGER = "stranger"
"""Holds the seats that are taken by somebody who is not in the demo data."""

POSITIONS: Mapping[str, Position] = {
    "A": "window",
    "B": "middle",
    "C": "aisle",
    "D": "aisle",
    "E": "middle",
    "F": "window",
}
SUGGESTIONS_MAX = 3


class Hold(Wire):
    """A booking's seat. While a claim is not settled, `claim_id` names it and `former` is held back as well."""

    seat: str
    former: str | None = None
    claim_id: str | None = None


class Holds(Wire):
    """What changed on one flight on one day: by confirmation number, the hold of every booking that ever claimed."""

    by_booking: dict[str, Hold] = Field(default_factory=dict)

    def with_hold(self, confirmation_number: str, hold: Hold | None) -> "Holds":
        """The same with that booking's hold replaced, or taken away."""
        others = {booking: held for booking, held in self.by_booking.items() if booking != confirmation_number}
        return Holds(by_booking=others if hold is None else others | {confirmation_number: hold})


def parse_key(data: AirlineData, key: str) -> tuple[FlightData, dt.date] | None:
    """The flight and the day that a key `{flight_number}:{date}` names; None when there is no such flight."""
    number, _, day = key.partition(":")
    flight = data.flight(number)
    try:
        return (flight, dt.date.fromisoformat(day)) if flight else None
    except ValueError:
        return None


def plan(data: AirlineData) -> dict[str, Seat]:
    """All seats of an aircraft, front to back, as if nobody sat there."""
    return {
        f"{row}{letter}": Seat(seat=f"{row}{letter}", cabin=cabin.name, position=POSITIONS[letter], free=True)
        for cabin in data.cabins
        for row in range(cabin.first_row, cabin.last_row + 1)
        for letter in cabin.letters
    }


def occupants(data: AirlineData, flight: FlightData, date: dt.date, holds: Holds) -> dict[str, str]:
    """Who holds which seat that is not free: a confirmation number, or STRANGER."""
    booked = data.seats_booked(flight.number)
    taken = {seat: booking for booking, seat in booked.items() if booking not in holds.by_booking}
    for booking, hold in holds.by_booking.items():
        taken |= {seat: booking for seat in (hold.former, hold.seat) if seat}
    # The seat that a booking has left is free: a stranger could not have taken it while it was the booking's.
    never = {*booked.values(), *flight.always_free, *taken}
    strangers = {seat: STRANGER for seat in plan(data) if seat not in never and is_strangers(data, flight, date, seat)}
    return taken | strangers


def is_strangers(data: AirlineData, flight: FlightData, date: dt.date, seat: str) -> bool:
    """Whether a stranger sits there: scattered by a checksum, so the same flight looks the same in every process."""
    return zlib.crc32(f"{flight.number}:{date}:{seat}".encode()) % 100 < data.seats_taken_percent


def seat_of(data: AirlineData, flight: FlightData, holds: Holds, confirmation_number: str) -> str | None:
    """The seat of a booking on this flight, None when it has none."""
    hold = holds.by_booking.get(confirmation_number)
    return hold.seat if hold else data.seats_booked(flight.number).get(confirmation_number)


def seat_map(data: AirlineData, flight: FlightData, date: dt.date, holds: Holds) -> tuple[Seat, ...]:
    """Every seat of the flight, front to back, free or not."""
    taken = occupants(data, flight, date, holds)
    return tuple(seat.model_copy(update={"free": seat.seat not in taken}) for seat in plan(data).values())


def near(wanted: Seat, seats: tuple[Seat, ...]) -> tuple[str, ...]:
    """Free seats of the same cabin and position, the nearest row first, at most SUGGESTIONS_MAX."""
    alike = [
        seat.seat for seat in seats if seat.free and seat.cabin == wanted.cabin and seat.position == wanted.position
    ]
    return tuple(sorted(alike, key=lambda seat: distance(wanted.seat, seat))[:SUGGESTIONS_MAX])


def distance(one: str, other: str) -> tuple[int, int]:
    """How far apart two seats are: rows first, then letters."""
    return abs(int(one[:-1]) - int(other[:-1])), abs(ord(one[-1]) - ord(other[-1]))
