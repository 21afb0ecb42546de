"""Who may have which seat: the rules that the seats of a flight keep, whoever asks. Pure."""

import datetime as dt
from dataclasses import dataclass

from services.tools.demo_data.airline import AirlineData, FlightData
from services.tools.flights.contract import ClaimSeat, Seat, SettleClaim
from services.tools.flights.seating import Hold, Holds, near, occupants, plan, seat_map, seat_of
from services.tools.flights.status import is_cancelled

NOT_FOUND = 404
CONFLICT = 409


@dataclass(frozen=True)
class Refusal:
    """Why not, in a sentence for the customer, and as an HTTP status."""

    why: str
    status_code: int = CONFLICT


def claim(data: AirlineData, flight: FlightData, date: dt.date, holds: Holds, request: ClaimSeat) -> Holds | Refusal:
    """The holds after a booking has moved to a seat, its former seat held back; or why it may not.

    Claiming the seat that the booking has succeeds, and so does a claim that was made before under the same id.
    """
    hold = holds.by_booking.get(request.confirmation_number)
    if hold and hold.claim_id == request.claim_id:
        return holds
    refusal = (
        refuse_flight(flight, date)
        or refuse_seat(data, flight, request)
        or refuse_second_claim(hold, request)
        or refuse_taken(data, flight, date, holds, request)
    )
    if refusal:
        return refusal
    former = seat_of(data, flight, holds, request.confirmation_number)
    changed = Hold(seat=request.seat, former=former, claim_id=request.claim_id)
    return holds.with_hold(request.confirmation_number, changed)


def refuse_flight(flight: FlightData, date: dt.date) -> Refusal | None:
    if is_cancelled(flight):
        return Refusal(f"{flight.number} on {date:%-d %B} is cancelled, so its seats cannot be changed.")
    return None


def refuse_seat(data: AirlineData, flight: FlightData, request: ClaimSeat) -> Refusal | None:
    """A seat has to exist, in the cabin that was paid for."""
    seat = plan(data).get(request.seat)
    if seat is None:
        return Refusal(f"There is no seat {request.seat} on {flight.number}. {describe(data)}", NOT_FOUND)
    if seat.cabin != request.cabin:
        return Refusal(
            f"Seat {seat.seat} on {flight.number} is in {seat.cabin}, and booking {request.confirmation_number} is in"
            f" {request.cabin}. {describe(data)}"
        )
    return None


def refuse_second_claim(hold: Hold | None, request: ClaimSeat) -> Refusal | None:
    """One claim at a time: settling two of one booking in any order could leave it with another seat than recorded."""
    if hold and hold.claim_id:
        return Refusal(
            f"Another change of the seat of booking {request.confirmation_number} is under way. Try again in a moment."
        )
    return None


def refuse_taken(
    data: AirlineData, flight: FlightData, date: dt.date, holds: Holds, request: ClaimSeat
) -> Refusal | None:
    occupant = occupants(data, flight, date, holds).get(request.seat, request.confirmation_number)
    if occupant == request.confirmation_number:
        return None
    wanted = plan(data)[request.seat]
    suggestions = near(wanted, seat_map(data, flight, date, holds))
    return Refusal(f"Seat {request.seat} on {flight.number} on {date:%-d %B} is taken. {offer(wanted, suggestions)}")


def offer(wanted: Seat, suggestions: tuple[str, ...]) -> str:
    if not suggestions:
        return f"No other {wanted.position} seat is free in {wanted.cabin}."
    return f"Free {wanted.position} seats near it: {', '.join(suggestions)}."


def describe(data: AirlineData) -> str:
    """The cabins in a sentence: rows and letters."""
    cabins = (
        f"rows {cabin.first_row} to {cabin.last_row} are {cabin.name} ({', '.join(cabin.letters)})"
        for cabin in data.cabins
    )
    sentence = ", ".join(cabins)
    return f"{sentence[0].upper()}{sentence[1:]}."


def release(holds: Holds, request: SettleClaim) -> Holds:
    """The claim stands, the former seat is free; the same when that claim is settled or was never made."""
    hold = pending(holds, request)
    return holds.with_hold(request.confirmation_number, Hold(seat=hold.seat)) if hold else holds


def undo(holds: Holds, request: SettleClaim) -> Holds:
    """The former seat again, the claimed one free; the same when that claim is settled or was never made."""
    hold = pending(holds, request)
    if hold is None:
        return holds
    return holds.with_hold(request.confirmation_number, Hold(seat=hold.former) if hold.former else None)


def pending(holds: Holds, request: SettleClaim) -> Hold | None:
    """The booking's hold, if that very claim is what it waits for."""
    hold = holds.by_booking.get(request.confirmation_number)
    return hold if hold and hold.claim_id == request.claim_id else None
