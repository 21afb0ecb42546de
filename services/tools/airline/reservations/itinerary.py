"""Flights as the rules see them: current state, departure and arrival times, and order. Pure."""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.tools.airline.data.models import Day, Flight, FlightDay, FlightType, Reservation, ReservedFlight
from services.tools.airline.data.schedule import AIRLINE_ZONE, at, late_every_day
from services.tools.airline.reservations.contract import FlightChoice


@dataclass(frozen=True)
class Leg:
    """A flight on one day as part of a route: where from, where to, and when."""

    flight_number: str
    origin: str
    destination: str
    date: Day
    departs: dt.datetime
    arrives: dt.datetime

    @property
    def label(self) -> str:
        return f"{self.flight_number} on {self.date}"


@dataclass(frozen=True)
class FlightState(Leg):
    """The current state of a flight on one day."""

    day: FlightDay
    late_every_day: bool = False
    """Whether the flight is late on every day, so that the delay is known at booking."""


DAY_BEGINS, DAY_ENDS = "00:00:00", "23:59:59"

FlightKey = tuple[str, Day]
"""Flight number and day of departure."""

Flights = Mapping[FlightKey, FlightState]
"""The current state of all flights that a rule needs. A flight that does not fly on its day is missing."""


def flight_state(flight: Flight, date: Day, day: FlightDay) -> FlightState:
    """Return the flight's state on that day, with scheduled times in the airline's time zone."""
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


def parse_time(written: str) -> dt.datetime:
    """Parse a time as records store it; without a time zone it is in the airline's."""
    read = dt.datetime.fromisoformat(written)
    return read if read.tzinfo else read.replace(tzinfo=AIRLINE_ZONE)


def key_of(flight: ReservedFlight | FlightChoice) -> FlightKey:
    return flight.flight_number, flight.date


def keys_of(flights: Iterable[ReservedFlight | FlightChoice]) -> tuple[FlightKey, ...]:
    return tuple(map(key_of, flights))


def has_departed(flight: FlightState, now: dt.datetime) -> bool:
    """Return whether the flight has departed: by its status, or by the clock if it is still on sale."""
    if flight.day.status in ("flying", "landed"):
        return True
    return flight.day.status == "available" and flight.departs <= now


def departed_flights(reservation: Reservation, flights: Flights, now: dt.datetime) -> tuple[FlightKey, ...]:
    """Return the reservation's flights that have departed. Flights on past dates with no data count as departed."""
    today = now.astimezone(AIRLINE_ZONE).date().isoformat()
    return tuple(
        key
        for key in keys_of(reservation.flights)
        if (has_departed(flights[key], now) if key in flights else key[1] < today)
    )


def booked_leg(flight: ReservedFlight) -> Leg:
    """Return the leg of a reserved flight that has no data any more, from the reservation itself.

    Its times are unknown. It departs at the end of the day and arrives at the beginning, so that no connection with it
    counts as missed.
    """
    return Leg(
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        date=flight.date,
        departs=at(flight.date, DAY_ENDS),
        arrives=at(flight.date, DAY_BEGINS),
    )


def is_route(flights: Sequence[Leg], origin: str, destination: str, flight_type: FlightType) -> bool:
    """Return whether the flights form a route from the origin to the destination and, on a round trip, back."""
    if not flights or flights[0].origin != origin:
        return False
    if any(before.destination != after.origin for before, after in itertools.pairwise(flights)):
        return False
    if flight_type == "one_way":
        return flights[-1].destination == destination
    return flights[-1].destination == origin and any(flight.destination == destination for flight in flights)


def missed_connection(flights: Sequence[Leg], kept: Iterable[FlightKey] = ()) -> Leg | None:
    """Return the first flight that departs before the previous one lands. Pairs in which both are kept are skipped."""
    old = frozenset(kept)
    for before, after in itertools.pairwise(flights):
        both_kept = {(before.flight_number, before.date), (after.flight_number, after.date)} <= old
        if after.departs < before.arrives and not both_kept:
            return after
    return None
