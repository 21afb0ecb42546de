"""Serves flights: search and status, and the object that holds the seats of one flight on one day.

`FlightSeats` sells seats one call after the other, so none is sold twice. Whoever takes seats names the hold, and by
that name they are given back: because what they were for did not come about, or is over.
"""

from collections.abc import Sequence
from datetime import datetime

import restate
from pydantic import Field

from services.tools.airline.clock import airline_clock
from services.tools.airline.data.dataset import AirlineData, Party
from services.tools.airline.data.records import Day, Flight, FlightDay
from services.tools.airline.data.schedule import is_day, late_every_day, today
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
from services.tools.airline.flights.seat_inventory import Aboard, Holds
from switchboard import NoInput, implements
from switchboard.contract import Text
from switchboard.messages import WireModel
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import allowed, read, start

HOLDS = "holds"


class Keys(WireModel):
    """The flights that a search has found."""

    keys: tuple[search.FlightKey, ...]


class Pairs(WireModel):
    """The connections that a search has found."""

    pairs: tuple[tuple[search.FlightKey, search.FlightKey], ...]


class OnRecord(WireModel):
    """What the data set and the clock say of one flight on one day, before any reservation made here."""

    flight_number: str
    date: Day
    flight: Flight | None = None
    day: FlightDay | None = None
    late_every_day: bool = False
    parties: tuple[Party, ...] = ()
    free_seats: tuple[str, ...] = ()
    assigned: dict[str, tuple[str, ...]] = Field(default_factory=dict)


KEYS = restate.RunOptions[Keys](type_hint=Keys)
PAIRS = restate.RunOptions[Pairs](type_hint=Pairs)
ON_RECORD = restate.RunOptions[OnRecord](type_hint=OnRecord)


def flights_service(data: AirlineData) -> restate.Service:
    """Build the service; `data` has the flights and their days."""
    flights = tool_service(FLIGHTS, "Flights between airports: on sale or not, and how they are doing.")

    @implements(flights, LIST_ALL_AIRPORTS)
    async def list_all_airports(_ctx: restate.Context, _request: NoInput) -> Airports:
        """Every airport that is flown to."""
        return Airports(data.airports)

    @implements(flights, SEARCH_DIRECT_FLIGHT)
    async def search_direct_flight(ctx: restate.Context, request: FlightSearch) -> DirectFlights:
        """The direct flights on sale; none for an airport that is not flown to."""
        keys = (await ctx.run_typed("search", direct_of, KEYS, data, request)).keys
        found = await on_days(ctx, keys)
        return DirectFlights(tuple(search.offer(found[key], dated=False) for key in keys))

    @implements(flights, SEARCH_ONESTOP_FLIGHT)
    async def search_onestop_flight(ctx: restate.Context, request: FlightSearch) -> OneStopFlights:
        """The connections on sale with one stop, as many as a model is shown; none for an unknown airport."""
        pairs = (await ctx.run_typed("search", one_stop_of, PAIRS, data, request)).pairs
        found = await on_days(ctx, tuple(search.keys_of(pairs)))
        offers = [(search.offer(found[one], dated=True), search.offer(found[two], dated=True)) for one, two in pairs]
        return search.within_a_result(offers)

    @implements(flights, GET_FLIGHT_STATUS)
    async def get_flight_status(ctx: restate.Context, request: FlightStatusRequest) -> Text:
        """How a flight is doing. 404 for a flight or a day that is not known."""
        found = await ctx.run_typed("flight", status_of, ON_RECORD, data, request)
        known_flight(found)
        return Text(known_day(found).status)

    return flights


def direct_of(data: AirlineData, request: FlightSearch) -> Keys:
    now = airline_clock()
    origin, destination = data.airport(request.origin), data.airport(request.destination)
    return Keys(keys=tuple(search.direct(data, origin, destination, search.day_of(request.date, today(now)), now)))


def one_stop_of(data: AirlineData, request: FlightSearch) -> Pairs:
    now = airline_clock()
    origin, destination = data.airport(request.origin), data.airport(request.destination)
    return Pairs(pairs=tuple(search.one_stop(data, origin, destination, search.day_of(request.date, today(now)), now)))


def status_of(data: AirlineData, request: FlightStatusRequest) -> OnRecord:
    now = airline_clock()
    return recorded(data, request.flight_number, search.day_of(request.date, today(now)), now)


async def on_days(ctx: restate.Context, keys: Sequence[search.FlightKey]) -> dict[search.FlightKey, FlightOnDay]:
    """The flights as they stand, with the seats that are free now."""
    # All are started before any is awaited: the journal then holds them in one order on every replay.
    calls = [start(ctx, FLIGHT_ON_DAY, NoInput(), seats_key(*key)) for key in keys]
    await restate.gather(*calls)
    return {key: await read(FLIGHT_ON_DAY, call) for key, call in zip(keys, calls, strict=True)}


def flight_seats_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object; `data` has the flights, and the seats that were taken before any reservation made here."""
    flight_seats = tool_object(FLIGHT_SEATS, "The seats of one flight on one day; the key is `{flight_number}/{date}`.")

    @implements(flight_seats, FLIGHT_ON_DAY, kind="shared")
    async def as_it_stands(ctx: restate.ObjectSharedContext, _request: NoInput) -> FlightOnDay:
        """The flight, with its free seats when it is on sale. 404 when it does not fly on that day."""
        found = await flight_of(ctx, data)
        flight, fields = known_flight(found), known_day(found)
        if fields.available_seats is not None:
            left = seat_inventory.available_seats(aboard(found), await holds_of(ctx))
            fields = fields.model_copy(update={"available_seats": left})
        schedule = flight.model_dump(exclude={"dates"})
        return FlightOnDay(**schedule, date=found.date, day=fields, late_every_day=found.late_every_day)

    @implements(flight_seats, TAKE_SEATS)
    async def take_seats(ctx: restate.ObjectContext, request: TakeSeats) -> SeatCount:
        """Take seats, once for each id. 404 when it does not fly, 409 when it is not on sale or has too few seats."""
        found = await flight_of(ctx, data)
        name, fields = f"Flight {found.flight_number} on {found.date}", known_day(found)
        if fields.status != "available":
            raise restate.TerminalError(f"{name} is not on sale: it is {fields.status}.", status_code=409)
        after = allowed(seat_inventory.take(aboard(found), await holds_of(ctx), name, request))
        ctx.set(HOLDS, after)
        return SeatCount(seats_total=request.seats_total)

    @implements(flight_seats, GIVE_BACK_SEATS)
    async def give_back_seats(ctx: restate.ObjectContext, request: GiveBackSeats) -> SeatCount:
        """The seats of the hold are free again. Does nothing when there is none under that id."""
        plan, before = aboard(await flight_of(ctx, data)), await holds_of(ctx)
        hold = seat_inventory.holds_now(plan, before).get(request.hold_id)
        if hold is not None:
            ctx.set(HOLDS, seat_inventory.give_back(plan, before, request.hold_id))
        return SeatCount(seats_total=len(hold.seats) if hold else 0)

    @implements(flight_seats, SEAT_MAP, kind="shared")
    async def seat_map(ctx: restate.ObjectSharedContext, request: SeatMapOf) -> SeatMap:
        """Every seat, front to back, free or not. 404 when it does not fly on that day."""
        plan = aboard(await flight_of(ctx, data))
        return SeatMap(seats=seat_inventory.seat_map(plan, await holds_of(ctx), request.reservation_id))

    @implements(flight_seats, MOVE_SEAT)
    async def move_seat(ctx: restate.ObjectContext, request: MoveSeat) -> SeatMoved:
        """Move a passenger to a free seat. 404 for a seat that does not exist, 409 for one that they cannot have."""
        found = await flight_of(ctx, data)
        moved = seat_inventory.move(
            aboard(found),
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


async def flight_of(ctx: restate.ObjectContext | restate.ObjectSharedContext, data: AirlineData) -> OnRecord:
    """What the data set and the clock say of this object. Raises TerminalError 404 when it does not fly on that day.

    Journaled as one, so that a replay under other settings sees the same.
    """
    number, _, day = ctx.key().partition("/")
    found = await ctx.run_typed("flight", read_record, ON_RECORD, data, number, day)
    known_flight(found)
    known_day(found)
    return found


def read_record(data: AirlineData, number: str, day: Day) -> OnRecord:
    return recorded(data, number, day, airline_clock())


def recorded(data: AirlineData, number: str, day: Day, now: datetime) -> OnRecord:
    flight = data.flights.get(number)
    if flight is None:
        return OnRecord(flight_number=number, date=day)
    return OnRecord(
        flight_number=number,
        date=day,
        flight=flight.model_copy(update={"dates": {}}),
        day=data.on_day(number, day, now) if is_day(day) else None,
        late_every_day=late_every_day(flight, day),
        parties=data.parties(number, day),
        free_seats=data.extras.free_seats.get(number, ()),
        assigned=data.extras.assigned_seats.get(number, {}),
    )


def known_flight(found: OnRecord) -> Flight:
    """The flight of that number. Raises TerminalError 404."""
    if found.flight is None:
        raise restate.TerminalError(
            f"There is no flight {found.flight_number}; check the number.", status_code=NOT_FOUND
        )
    return found.flight


def known_day(found: OnRecord) -> FlightDay:
    """The flight on that day, before any reservation made here. Raises TerminalError 404."""
    if found.day is None:
        raise restate.TerminalError(
            f"Flight {found.flight_number} does not fly on {found.date}, as far as is known.", status_code=NOT_FOUND
        )
    return found.day


def aboard(found: OnRecord) -> Aboard:
    return Aboard(
        key=seats_key(found.flight_number, found.date),
        available=known_day(found).available_seats or {},
        parties=found.parties,
        free_seats=found.free_seats,
        assigned=found.assigned,
    )
