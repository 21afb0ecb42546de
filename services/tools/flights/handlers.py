"""Serves flights: search and status, and the object that holds the seats of one flight on one day.

`FlightSeats` sells seats one call after the other, so none is sold twice. Whoever takes seats names the hold, and by
that name they are given back: because what they were for did not come about, or is over.
"""

from datetime import datetime

import restate

from services.tools.airline_data.dataset import airline
from services.tools.airline_data.records import Day, Flight, FlightDay, Text
from services.tools.airline_data.schedule import is_day, today
from services.tools.call import allowed, read, start
from services.tools.clock import airline_now
from services.tools.flights import search, seating
from services.tools.flights.contract import (
    FLIGHT_ON_DAY,
    FLIGHT_SEATS,
    FLIGHTS,
    Airports,
    DirectFlights,
    FlightOnDay,
    FlightSearch,
    FlightStatusRequest,
    GiveBackSeats,
    MoveSeat,
    OneStopFlights,
    SeatCount,
    SeatMap,
    SeatMapOf,
    SeatMoved,
    TakeSeats,
    seats_key,
)
from services.tools.flights.seating import Aboard, Holds
from services.tools.refusal import NOT_FOUND
from switchboard import NoInput
from switchboard.declare import tool_object, tool_service

HOLDS = "holds"

flights = tool_service(FLIGHTS, "Flights between airports: on sale or not, and how they are doing.")
flight_seats = tool_object(FLIGHT_SEATS, "The seats of one flight on one day; the key is `{flight_number}/{date}`.")


@flights.handler()
async def list_all_airports(_ctx: restate.Context, _request: NoInput) -> Airports:
    """Every airport that is flown to."""
    return Airports(airline().airports)


@flights.handler()
async def search_direct_flight(ctx: restate.Context, request: FlightSearch) -> DirectFlights:
    """The direct flights on sale; none for an airport that is not flown to."""
    now = await airline_now(ctx)
    origin, destination = airline().airport(request.origin), airline().airport(request.destination)
    keys = search.direct(airline(), origin, destination, search.day_of(request.date, today(now)), now)
    found = await on_days(ctx, keys)
    return DirectFlights(tuple(search.offer(found[key], dated=False) for key in keys))


@flights.handler()
async def search_onestop_flight(ctx: restate.Context, request: FlightSearch) -> OneStopFlights:
    """The connections on sale with one stop; none for an airport that is not flown to."""
    now = await airline_now(ctx)
    origin, destination = airline().airport(request.origin), airline().airport(request.destination)
    pairs = search.one_stop(airline(), origin, destination, search.day_of(request.date, today(now)), now)
    found = await on_days(ctx, list(search.keys_of(pairs)))
    return OneStopFlights(
        tuple((search.offer(found[one], dated=True), search.offer(found[two], dated=True)) for one, two in pairs)
    )


@flights.handler()
async def get_flight_status(ctx: restate.Context, request: FlightStatusRequest) -> Text:
    """How a flight is doing. 404 for a flight or a day that is not known."""
    now = await airline_now(ctx)
    flight, day = known_flight(request.flight_number), search.day_of(request.date, today(now))
    return Text(known_day(flight, day, now).status)


async def on_days(ctx: restate.Context, keys: list[search.FlightKey]) -> dict[search.FlightKey, FlightOnDay]:
    """The flights as they stand, with the seats that are free now."""
    # All are started before any is awaited: the journal then holds them in one order on every replay.
    calls = [start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(*key)) for key in keys]
    await restate.gather(*calls)
    return {key: await read(FLIGHT_ON_DAY, call) for key, call in zip(keys, calls, strict=True)}


@flight_seats.handler(kind="shared")
async def as_it_stands(ctx: restate.ObjectSharedContext, _request: NoInput) -> FlightOnDay:
    """The flight, with its free seats when it is on sale. 404 when it does not fly on that day."""
    flight, day, fields = await flight_of(ctx)
    if fields.available_seats is not None:
        left = seating.available_seats(aboard(flight, day, fields), await holds_of(ctx))
        fields = fields.model_copy(update={"available_seats": left})
    schedule = flight.model_dump(exclude={"dates"})
    return FlightOnDay(**schedule, date=day, day=fields)


@flight_seats.handler()
async def take_seats(ctx: restate.ObjectContext, request: TakeSeats) -> SeatCount:
    """Take seats, once for each id. 404 when it does not fly, 409 when it is not on sale or has too few seats."""
    flight, day, fields = await flight_of(ctx)
    name = f"Flight {flight.flight_number} on {day}"
    if fields.status != "available":
        raise restate.TerminalError(f"{name} is not on sale: it is {fields.status}.", status_code=409)
    after = allowed(seating.take(aboard(flight, day, fields), await holds_of(ctx), name, request))
    ctx.set(HOLDS, after)
    return SeatCount(seats_total=request.seats_total)


@flight_seats.handler()
async def give_back_seats(ctx: restate.ObjectContext, request: GiveBackSeats) -> SeatCount:
    """The seats of the hold are free again. Does nothing when there is none under that id."""
    flight, day, fields = await flight_of(ctx)
    plan, before = aboard(flight, day, fields), await holds_of(ctx)
    hold = seating.holds_now(plan, before).get(request.hold_id)
    if hold is not None:
        ctx.set(HOLDS, seating.give_back(plan, before, request.hold_id))
    return SeatCount(seats_total=len(hold.seats) if hold else 0)


@flight_seats.handler(kind="shared")
async def seat_map(ctx: restate.ObjectSharedContext, request: SeatMapOf) -> SeatMap:
    """Every seat, front to back, free or not. 404 when it does not fly on that day."""
    flight, day, fields = await flight_of(ctx)
    return SeatMap(seats=seating.seat_map(aboard(flight, day, fields), await holds_of(ctx), request.reservation_id))


@flight_seats.handler()
async def move_seat(ctx: restate.ObjectContext, request: MoveSeat) -> SeatMoved:
    """Move a passenger to a free seat. 404 for a seat that does not exist, 409 for one that they cannot have."""
    flight, day, fields = await flight_of(ctx)
    name = f"{flight.flight_number} on {day}"
    moved = seating.move(
        aboard(flight, day, fields),
        await holds_of(ctx),
        name,
        request.reservation_id,
        request.passenger,
        request.seat,
    )
    after, former = allowed(moved)
    ctx.set(HOLDS, after)
    return SeatMoved(seat=request.seat, former=former)


async def holds_of(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Holds:
    return await ctx.get(HOLDS, type_hint=Holds) or Holds()


async def flight_of(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> tuple[Flight, Day, FlightDay]:
    """The flight, the day and how it is doing, of this object. Raises TerminalError 404."""
    number, _, day = ctx.key().partition("/")
    flight = known_flight(number)
    return flight, day, known_day(flight, day, await airline_now(ctx))


def known_flight(number: str) -> Flight:
    """The flight of that number. Raises TerminalError 404."""
    flight = airline().flights.get(number)
    if flight is None:
        raise restate.TerminalError(f"There is no flight {number}; check the number.", status_code=NOT_FOUND)
    return flight


def known_day(flight: Flight, day: Day, now: datetime) -> FlightDay:
    """The flight on that day, before any reservation made here. Raises TerminalError 404."""
    fields = airline().on_day(flight.flight_number, day, now) if is_day(day) else None
    if fields is None:
        raise restate.TerminalError(
            f"Flight {flight.flight_number} does not fly on {day}, as far as is known.", status_code=NOT_FOUND
        )
    return fields


def aboard(flight: Flight, day: Day, fields: FlightDay) -> Aboard:
    data = airline()
    return Aboard(
        key=seats_key(flight.flight_number, day),
        available=fields.available_seats or {},
        parties=data.parties(flight.flight_number, day),
        free_seats=data.extras.free_seats.get(flight.flight_number, ()),
        assigned=data.extras.assigned_seats.get(flight.flight_number),
    )
