"""Merge the data set with the state of the objects into the airline's current records. Pure."""

import datetime as dt
from collections.abc import Mapping

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.models import Cabin, Day, Flight, FlightDay, Reservation, User
from services.tools.airline.record_dump.contract import Dump

SeatsLeft = Mapping[tuple[str, Day], Mapping[Cabin, int]]
"""Free seats by cabin, for the flights and days on which they differ from the data set."""


def dump(
    data: AirlineData,
    users: Mapping[str, User],
    reservations: Mapping[str, Reservation],
    seats: SeatsLeft,
    now: dt.datetime,
    changed_only: bool,
) -> Dump:
    """Return all records, or only those that differ from the data set."""
    flights: dict[str, Flight] = {}
    for (number, day), left in seats.items():
        flight = flights.get(number, data.flights[number])
        flights[number] = with_seats(flight, day, data.on_day(number, day, now), left)
    users = {one: user for one, user in users.items() if user != data.users.get(one)}
    reservations = {one: kept for one, kept in reservations.items() if kept != data.reservations.get(one)}
    if changed_only:
        return Dump(users=users, reservations=reservations, flights=flights)
    return Dump(
        users={**data.users, **users},
        reservations={**data.reservations, **reservations},
        flights={**data.flights, **flights},
    )


def with_seats(flight: Flight, day: Day, fields: FlightDay | None, left: Mapping[Cabin, int]) -> Flight:
    """Return the flight with these free seats on one day; unchanged if it is not on sale on that day."""
    if fields is None or fields.available_seats is None:
        return flight
    return flight.model_copy(
        update={"dates": {**flight.dates, day: fields.model_copy(update={"available_seats": dict(left)})}}
    )
