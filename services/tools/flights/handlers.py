"""Serves flights: their status, and the object that holds the seats of one flight on one day.

A seat changes hands in two moves, so that a change that fails half-way can always be taken back: `claim` moves a
booking to a free seat and holds its former one back for it; then `release` lets the former seat go, or `undo_claim`
returns to it. A new booking takes its seats in the same way: `take` claims one for each passenger. Until then nobody
else can have either seat, and the booking cannot be moved by another claim. A claim whose caller was killed by hand
(not: crashed) stays like that until somebody settles it.
"""

import datetime as dt

import restate

from services.tools.clock import business_now
from services.tools.demo_data.airline import FlightData, airline
from services.tools.flights import policy, seating, status
from services.tools.flights.contract import (
    GET_FLIGHT_STATUS,
    SEATS,
    ClaimSeat,
    FlightStatus,
    FlightStatusRequest,
    SeatClaimed,
    SeatHeld,
    SeatMap,
    SeatsTaken,
    SeatsVacated,
    SettleClaim,
    TakeSeats,
    VacateSeats,
)
from services.tools.flights.seating import Holds
from switchboard import NoInput
from switchboard.declare import tool_object, tool_service

HOLDS = "holds"

flights = tool_service(GET_FLIGHT_STATUS.service, "Flight status: on time or not, times and gates.")
seats = tool_object(SEATS, "The seats of one flight on one day; the key is `{flight_number}:{date}`.")


@flights.handler()
async def get_flight_status(ctx: restate.Context, request: FlightStatusRequest) -> FlightStatus:
    """How a flight is doing. 404 for a flight number or a day that is not known."""
    flight = airline().flight(request.flight_number)
    if flight is None:
        raise restate.TerminalError(f"There is no flight {request.flight_number}. Check the number.", status_code=404)
    now = await business_now(ctx)
    date = request.date or status.date_in_question(flight, now)
    if not status.is_known(date, now):
        raise restate.TerminalError(
            f"The status of {flight.number} is known for {status.KNOWN_DAYS_BACK} days back and"
            f" {status.KNOWN_DAYS_AHEAD} days ahead of today, {now:%Y-%m-%d}; not for {date}.",
            status_code=404,
        )
    return status.status(flight, date, now)


@seats.handler(kind="shared")
async def seat_map(ctx: restate.ObjectSharedContext, _request: NoInput) -> SeatMap:
    """Every seat, front to back, free or not. 404 for a flight that does not exist."""
    flight, date = flight_of(ctx.key())
    return SeatMap(seats=seating.seat_map(airline(), flight, date, await holds_of(ctx)))


@seats.handler()
async def claim(ctx: restate.ObjectContext, request: ClaimSeat) -> SeatClaimed:
    """Move a booking to a free seat. 404 for a seat that does not exist, 409 for one that the booking cannot have."""
    flight, date = flight_of(ctx.key())
    outcome = policy.claim(airline(), flight, date, await holds_of(ctx), request)
    if isinstance(outcome, policy.Refusal):
        raise restate.TerminalError(outcome.why, status_code=outcome.status_code)
    ctx.set(HOLDS, outcome)
    hold = outcome.by_booking[request.holder]
    return SeatClaimed(seat=hold.seat, former=hold.former)


@seats.handler()
async def take(ctx: restate.ObjectContext, request: TakeSeats) -> SeatsTaken:
    """Claim a seat for each passenger of a new booking. 404 and 409, with the reason, when not all can be had."""
    flight, date = flight_of(ctx.key())
    outcome = policy.take(airline(), flight, date, await holds_of(ctx), request)
    if isinstance(outcome, policy.Refusal):
        raise restate.TerminalError(outcome.why, status_code=outcome.status_code)
    ctx.set(HOLDS, outcome)
    held = policy.seats_of(outcome, request.confirmation_number)
    return SeatsTaken(seats=tuple(hold.seat for hold in held.values()))


@seats.handler()
async def vacate(ctx: restate.ObjectContext, request: VacateSeats) -> SeatsVacated:
    """Free all seats of a cancelled booking. Does nothing when it has none."""
    before = await holds_of(ctx)
    after = policy.vacate(before, request.confirmation_number)
    ctx.set(HOLDS, after)
    return SeatsVacated(seats_total=len(before.by_booking) - len(after.by_booking))


@seats.handler()
async def release(ctx: restate.ObjectContext, request: SettleClaim) -> SeatHeld:
    """The claim stands: its former seat is free. Does nothing for a claim that is settled or was never made."""
    return keep(ctx, policy.release(await holds_of(ctx), request), request)


@seats.handler()
async def undo_claim(ctx: restate.ObjectContext, request: SettleClaim) -> SeatHeld:
    """The claim falls: back to the former seat. Does nothing for a claim that is settled or was never made."""
    return keep(ctx, policy.undo(await holds_of(ctx), request), request)


def keep(ctx: restate.ObjectContext, holds: Holds, request: SettleClaim) -> SeatHeld:
    flight, _ = flight_of(ctx.key())
    ctx.set(HOLDS, holds)
    return SeatHeld(seat=seating.seat_of(airline(), flight, holds, request.holder))


async def holds_of(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Holds:
    return await ctx.get(HOLDS, type_hint=Holds) or Holds()


def flight_of(key: str) -> tuple[FlightData, dt.date]:
    """The flight and the day of this object. Raises TerminalError 404 when there is no such flight."""
    found = seating.parse_key(airline(), key)
    if found is None:
        raise restate.TerminalError(f"There is no flight {key}.", status_code=404)
    return found
