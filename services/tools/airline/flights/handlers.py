"""Serve flights: search, status, and the object that holds the seats of one flight on one day.

`FlightSeats` handles one call at a time, so no seat is sold twice. The caller takes seats under a hold id and gives
them back by the same id, when the booking fails or the reservation no longer needs them.
"""

from collections.abc import Sequence
from datetime import datetime

import restate
from pydantic import Field

from services.tools.airline.clock import airline_clock
from services.tools.airline.data.dataset import AirlineData, BookedParty
from services.tools.airline.data.models import Day, Flight, FlightDay, is_day
from services.tools.airline.data.schedule import late_every_day, today
from services.tools.airline.flights import search, seat_inventory
from services.tools.airline.flights.contract import (
    FLIGHT_ON_DAY,
    FLIGHT_SEATS,
    FLIGHTS,
    GET_FLIGHT_STATUS,
    GIVE_BACK_SEATS,
    LIST_ALL_AIRPORTS,
    MOVE_SEAT,
    SEARCH_DIRECT_FLIGHT,
    SEARCH_ONESTOP_FLIGHT,
    SEAT_MAP,
    TAKE_SEATS,
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
from services.tools.airline.flights.seat_inventory import Holds, SeatInventory
from switchboard import NoInput, implements
from switchboard.contract import Text
from switchboard.messages import WireModel
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import allowed, read, start

HOLDS = "holds"


class Keys(WireModel):
    """The flights that a search found."""

    keys: tuple[search.FlightKey, ...]


class Pairs(WireModel):
    """The connections that a search found."""

    pairs: tuple[tuple[search.FlightKey, search.FlightKey], ...]


class FlightRecord(WireModel):
    """The initial state of one flight on one day, from the data set and the clock."""

    flight_number: str
    date: Day
    flight: Flight | None = None
    day: FlightDay | None = None
    late_every_day: bool = False
    parties: tuple[BookedParty, ...] = ()
    free_seats: tuple[str, ...] = ()
    assigned: dict[str, tuple[str, ...]] = Field(default_factory=dict)


KEYS = restate.RunOptions[Keys](type_hint=Keys)
PAIRS = restate.RunOptions[Pairs](type_hint=Pairs)
FLIGHT_RECORD = restate.RunOptions[FlightRecord](type_hint=FlightRecord)


def flights_service(data: AirlineData) -> restate.Service:
    """Build the service. `data` holds the flights and their days."""
    flights = tool_service(FLIGHTS, "Search flights between airports and get their status.")

    @implements(flights, LIST_ALL_AIRPORTS)
    async def list_all_airports(_ctx: restate.Context, _request: NoInput) -> Airports:
        """Return every airport that the airline flies to."""
        return Airports(data.airports)

    @implements(flights, SEARCH_DIRECT_FLIGHT)
    async def search_direct_flight(ctx: restate.Context, request: FlightSearch) -> DirectFlights:
        """Return the direct flights on sale; none for an unknown airport."""
        keys = (await ctx.run_typed("search", find_direct_flights, KEYS, data, request)).keys
        found = await current_flights(ctx, keys)
        return DirectFlights(tuple(search.offer(found[key], dated=False) for key in keys))

    @implements(flights, SEARCH_ONESTOP_FLIGHT)
    async def search_onestop_flight(ctx: restate.Context, request: FlightSearch) -> OneStopFlights:
        """Return the one-stop connections on sale that fit into a result; none for an unknown airport."""
        pairs = (await ctx.run_typed("search", find_one_stop_flights, PAIRS, data, request)).pairs
        found = await current_flights(ctx, tuple(search.unique_keys(pairs)))
        offers = [(search.offer(found[one], dated=True), search.offer(found[two], dated=True)) for one, two in pairs]
        return search.fit_into_result(offers)

    @implements(flights, GET_FLIGHT_STATUS)
    async def get_flight_status(ctx: restate.Context, request: FlightStatusRequest) -> Text:
        """Return a flight's status. 404 for an unknown flight or day."""
        found = await ctx.run_typed("flight", find_flight, FLIGHT_RECORD, data, request)
        require_flight(found)
        return Text(require_day(found).status)

    return flights


def find_direct_flights(data: AirlineData, request: FlightSearch) -> Keys:
    now = airline_clock()
    origin, destination = data.airport(request.origin), data.airport(request.destination)
    return Keys(
        keys=tuple(search.direct_flights(data, origin, destination, search.resolve_day(request.date, today(now)), now))
    )


def find_one_stop_flights(data: AirlineData, request: FlightSearch) -> Pairs:
    now = airline_clock()
    origin, destination = data.airport(request.origin), data.airport(request.destination)
    return Pairs(
        pairs=tuple(
            search.one_stop_flights(data, origin, destination, search.resolve_day(request.date, today(now)), now)
        )
    )


def find_flight(data: AirlineData, request: FlightStatusRequest) -> FlightRecord:
    now = airline_clock()
    return flight_record(data, request.flight_number, search.resolve_day(request.date, today(now)), now)


async def current_flights(
    ctx: restate.Context, keys: Sequence[search.FlightKey]
) -> dict[search.FlightKey, FlightOnDay]:
    """Return the flights with their free seats."""
    # Start all calls before awaiting any, so that the journal has the same order on every replay.
    calls = [start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(*key)) for key in keys]
    await restate.gather(*calls)
    return {key: await read(FLIGHT_ON_DAY, call) for key, call in zip(keys, calls, strict=True)}


def flight_seats_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object. `data` holds the flights and the seats in their initial state."""
    flight_seats = tool_object(FLIGHT_SEATS, "The seats of one flight on one day; the key is `{flight_number}/{date}`.")

    @implements(flight_seats, FLIGHT_ON_DAY, kind="shared")
    async def as_it_stands(ctx: restate.ObjectSharedContext, _request: NoInput) -> FlightOnDay:
        """Return the flight, with free seats if it is on sale. 404 if it does not fly on that day."""
        found = await this_flight(ctx, data)
        flight, fields = require_flight(found), require_day(found)
        if fields.available_seats is not None:
            left = seat_inventory.available_seats(inventory_of(found), await holds_of(ctx))
            fields = fields.model_copy(update={"available_seats": left})
        schedule = flight.model_dump(exclude={"dates"})
        return FlightOnDay(**schedule, date=found.date, day=fields, late_every_day=found.late_every_day)

    @implements(flight_seats, TAKE_SEATS)
    async def take_seats(ctx: restate.ObjectContext, request: TakeSeats) -> SeatCount:
        """Take seats once per hold id. 404 if the flight is unknown, 409 if it is not on sale or has too few seats."""
        found = await this_flight(ctx, data)
        name, fields = f"Flight {found.flight_number} on {found.date}", require_day(found)
        if fields.status != "available":
            raise restate.TerminalError(f"{name} cannot be booked: its status is {fields.status}.", status_code=409)
        after = allowed(seat_inventory.take(inventory_of(found), await holds_of(ctx), name, request))
        ctx.set(HOLDS, after)
        return SeatCount(seats_total=request.seats_total)

    @implements(flight_seats, GIVE_BACK_SEATS)
    async def give_back_seats(ctx: restate.ObjectContext, request: GiveBackSeats) -> SeatCount:
        """Free the seats of the hold. Does nothing if there is no such hold."""
        inventory, before = inventory_of(await this_flight(ctx, data)), await holds_of(ctx)
        hold = seat_inventory.holds_now(inventory, before).get(request.hold_id)
        if hold is not None:
            ctx.set(HOLDS, seat_inventory.give_back(inventory, before, request.hold_id))
        return SeatCount(seats_total=len(hold.seats) if hold else 0)

    @implements(flight_seats, SEAT_MAP, kind="shared")
    async def seat_map(ctx: restate.ObjectSharedContext, request: SeatMapOf) -> SeatMap:
        """Return all seats, front to back, free or not. 404 if the flight does not fly on that day."""
        inventory = inventory_of(await this_flight(ctx, data))
        return SeatMap(seats=seat_inventory.seat_map(inventory, await holds_of(ctx), request.reservation_id))

    @implements(flight_seats, MOVE_SEAT)
    async def move_seat(ctx: restate.ObjectContext, request: MoveSeat) -> SeatMoved:
        """Move a passenger to a free seat. 404 if the seat does not exist, 409 if it is taken or in another cabin."""
        found = await this_flight(ctx, data)
        moved = seat_inventory.move(
            inventory_of(found),
            await holds_of(ctx),
            f"{found.flight_number} on {found.date}",
            request.reservation_id,
            request.passenger,
            request.seat,
        )
        after, former = allowed(moved)
        ctx.set(HOLDS, after)
        return SeatMoved(seat=request.seat, former=former)

    return flight_seats


async def holds_of(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Holds:
    return await ctx.get(HOLDS, type_hint=Holds) or Holds()


async def this_flight(ctx: restate.ObjectContext | restate.ObjectSharedContext, data: AirlineData) -> FlightRecord:
    """Return this object's flight in its initial state. Raises TerminalError 404 if it does not fly on that day.

    The state is journaled as one entry, so that a replay with other settings sees the same.
    """
    number, _, day = ctx.key().partition("/")
    found = await ctx.run_typed("flight", read_record, FLIGHT_RECORD, data, number, day)
    require_flight(found)
    require_day(found)
    return found


def read_record(data: AirlineData, number: str, day: Day) -> FlightRecord:
    return flight_record(data, number, day, airline_clock())


def flight_record(data: AirlineData, number: str, day: Day, now: datetime) -> FlightRecord:
    flight = data.flights.get(number)
    if flight is None:
        return FlightRecord(flight_number=number, date=day)
    return FlightRecord(
        flight_number=number,
        date=day,
        flight=flight.model_copy(update={"dates": {}}),
        day=data.on_day(number, day, now) if is_day(day) else None,
        late_every_day=late_every_day(flight, day),
        parties=data.parties(number, day),
        free_seats=data.extras.free_seats.get(number, ()),
        assigned=data.extras.assigned_seats.get(number, {}),
    )


def require_flight(found: FlightRecord) -> Flight:
    """Return the flight. Raises TerminalError 404 if the number is unknown."""
    if found.flight is None:
        raise restate.TerminalError(
            f"There is no flight {found.flight_number}. Check the flight number.", status_code=NOT_FOUND
        )
    return found.flight


def require_day(found: FlightRecord) -> FlightDay:
    """Return the flight's initial state on that day. Raises TerminalError 404 if there is none."""
    if found.day is None:
        raise restate.TerminalError(
            f"There is no information about flight {found.flight_number} on {found.date}. Check the date.",
            status_code=NOT_FOUND,
        )
    return found.day


def inventory_of(found: FlightRecord) -> SeatInventory:
    return SeatInventory(
        key=seats_key(found.flight_number, found.date),
        available=require_day(found).available_seats or {},
        parties=found.parties,
        free_seats=found.free_seats,
        assigned=found.assigned,
    )
