"""Flights as a reservation's rules see them: as they stand, when they leave and land, in which order. Pure."""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.tools.airline.data.records import Day, Flight, FlightDay, FlightType, Reservation, ReservedFlight
from services.tools.airline.data.schedule import AIRLINE_ZONE, at, late_every_day
from services.tools.airline.reservations.contract import FlightChoice


@dataclass(frozen=True)
class Leg:
    """A flight on one day, as a part of a way: from where to where, and when."""

    flight_number: str
    origin: str
    destination: str
    date: Day
    departs: dt.datetime
    arrives: dt.datetime

    @property
    def named(self) -> str:
        return f"{self.flight_number} on {self.date}"


@dataclass(frozen=True)
class FlightState(Leg):
    """A flight on one day, as it stands."""

    day: FlightDay
    late_every_day: bool = False
    """Whether it is late on each day that it flies, so that this is known before the day comes."""


DAY_BEGINS, DAY_ENDS = "00:00:00", "23:59:59"

FlightKey = tuple[str, Day]
"""Flight number and day of departure."""

Flights = Mapping[FlightKey, FlightState]
"""The flights that a rule has to know, as they stand; one that does not fly on its day is not in it."""


def flight_state(flight: Flight, date: Day, day: FlightDay) -> FlightState:
    """The flight on that day, scheduled times by the airline's clock."""
    return FlightState(
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        date=date,
        departs=at(date, flight.scheduled_departure_time_est),
        arrives=at(date, flight.scheduled_arrival_time_est),
        day=day,
        late_every_day=late_every_day(flight, date),
    )


def moment(written: str) -> dt.datetime:
    """A moment as records hold it; without a zone it is the airline's."""
    read = dt.datetime.fromisoformat(written)
    return read if read.tzinfo else read.replace(tzinfo=AIRLINE_ZONE)


def key_of(flight: ReservedFlight | FlightChoice) -> FlightKey:
    return flight.flight_number, flight.date


def keys_of(flights: Iterable[ReservedFlight | FlightChoice]) -> tuple[FlightKey, ...]:
    return tuple(map(key_of, flights))


def has_left(flight: FlightState, now: dt.datetime) -> bool:
    """Whether the flight has been flown, or is. By its status; for one still on sale by the clock."""
    if flight.day.status in ("flying", "landed"):
        return True
    return flight.day.status == "available" and flight.departs <= now


def left(reservation: Reservation, flights: Flights, now: dt.datetime) -> tuple[FlightKey, ...]:
    """Those of the reservation's flights that have left. Of a day before today that nobody knows any more, all have."""
    today = now.astimezone(AIRLINE_ZONE).date().isoformat()
    return tuple(
        key
        for key in keys_of(reservation.flights)
        if (has_left(flights[key], now) if key in flights else key[1] < today)
    )


def booked_leg(flight: ReservedFlight) -> Leg:
    """A flight of a reservation that nobody knows any more: its places as they were booked, at some time of its day.

    It leaves at the day's end and lands at its beginning: what its times might have been, none is held against it.
    """
    return Leg(
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        date=flight.date,
        departs=at(flight.date, DAY_ENDS),
        arrives=at(flight.date, DAY_BEGINS),
    )


def leads(flights: Sequence[Leg], origin: str, destination: str, flight_type: FlightType) -> bool:
    """Whether the flights lead from the origin to the destination, and on a round trip back again."""
    if not flights or flights[0].origin != origin:
        return False
    if any(before.destination != after.origin for before, after in itertools.pairwise(flights)):
        return False
    if flight_type == "one_way":
        return flights[-1].destination == destination
    return flights[-1].destination == origin and any(flight.destination == destination for flight in flights)


def missed(flights: Sequence[Leg], kept: Iterable[FlightKey] = ()) -> Leg | None:
    """The first flight that leaves before the one ahead of it has landed. Two flights both kept are not looked at."""
    old = frozenset(kept)
    for before, after in itertools.pairwise(flights):
        both_kept = {(before.flight_number, before.date), (after.flight_number, after.date)} <= old
        if after.departs < before.arrives and not both_kept:
            return after
    return None
