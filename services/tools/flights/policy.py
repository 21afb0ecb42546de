"""Who may have which seat: the rules that the seats of a flight keep, whoever asks. Pure."""

import datetime as dt
from dataclasses import dataclass

from services.tools.demo_data.airline import AirlineData, FlightData
from services.tools.flights.contract import ClaimSeat, Seat, SettleClaim, TakeSeats, holder
from services.tools.flights.seating import Hold, Holds, distance, near, occupants, plan, seat_map, seat_of
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
    hold = holds.by_booking.get(request.holder)
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
    former = seat_of(data, flight, holds, request.holder)
    changed = Hold(seat=request.seat, former=former, claim_id=request.claim_id)
    return holds.with_hold(request.holder, changed)


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
    occupant = occupants(data, flight, date, holds).get(request.seat, request.holder)
    if occupant == request.holder:
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
    return holds.with_hold(request.holder, Hold(seat=hold.seat)) if hold else holds


def undo(holds: Holds, request: SettleClaim) -> Holds:
    """The former seat again, the claimed one free; the same when that claim is settled or was never made."""
    hold = pending(holds, request)
    if hold is None:
        return holds
    return holds.with_hold(request.holder, Hold(seat=hold.former) if hold.former else None)


def pending(holds: Holds, request: SettleClaim) -> Hold | None:
    """The booking's hold, if that very claim is what it waits for."""
    hold = holds.by_booking.get(request.holder)
    return hold if hold and hold.claim_id == request.claim_id else None


def take(data: AirlineData, flight: FlightData, date: dt.date, holds: Holds, request: TakeSeats) -> Holds | Refusal:
    """The holds after a new booking's passengers have each claimed a seat: all of them, or a refusal.

    The same claim made twice is one claim. A number that somebody else's booking has is refused.
    """
    first = holds.by_booking.get(request.confirmation_number)
    if first and first.claim_id == request.claim_id:
        return holds
    if first or request.confirmation_number in data.confirmation_numbers():
        return Refusal(f"Booking {request.confirmation_number} has its seats on {flight.number} already.")
    if request.seat:
        wanted = ClaimSeat(**request.model_dump(exclude={"seats_total"}))
        refusal = refuse_seat(data, flight, wanted) or refuse_taken(data, flight, date, holds, wanted)
        if refusal:
            return refusal
    free = free_seats(data, flight, date, holds, request)
    if len(free) < request.seats_total:
        return Refusal(f"{flight.number} on {date:%-d %B} has {count(len(free))} left in {request.cabin}.")
    for passenger, seat in enumerate(free[: request.seats_total], start=1):
        held = Hold(seat=seat, claim_id=request.claim_id)
        holds = holds.with_hold(holder(request.confirmation_number, passenger), held)
    return holds


def free_seats(
    data: AirlineData, flight: FlightData, date: dt.date, holds: Holds, request: TakeSeats
) -> tuple[str, ...]:
    """The free seats of the cabin in the order in which they are given: from the wanted one on, else from the front."""
    free = [seat.seat for seat in seat_map(data, flight, date, holds) if seat.free and seat.cabin == request.cabin]
    wanted = request.seat
    return tuple(sorted(free, key=lambda seat: distance(wanted, seat)) if wanted else free)


def count(seats_total: int) -> str:
    return "no seat" if not seats_total else "1 seat" if seats_total == 1 else f"only {seats_total} seats"


def seats_of(holds: Holds, confirmation_number: str) -> dict[str, Hold]:
    """What the passengers of a new booking hold, by holder, in their order."""
    others = f"{confirmation_number}/"
    return {
        name: hold
        for name, hold in sorted(holds.by_booking.items())
        if name == confirmation_number or name.startswith(others)
    }


def vacate(holds: Holds, confirmation_number: str) -> Holds:
    """The holds without that booking's; the same when it has none."""
    for name in seats_of(holds, confirmation_number):
        holds = holds.with_hold(name, None)
    return holds
