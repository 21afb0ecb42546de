"""The airline's records as they stand: the data set, and what the objects keep of it. Pure."""

import datetime as dt
from collections.abc import Mapping

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.records import Cabin, Day, Flight, FlightDay, Reservation, User
from services.tools.airline.records.contract import Dump

SeatsLeft = Mapping[tuple[str, Day], Mapping[Cabin, int]]
"""Free seats by cabin, of the flight days on which that differs from the data set."""


def dump(
    data: AirlineData,
    users: Mapping[str, User],
    reservations: Mapping[str, Reservation],
    seats: SeatsLeft,
    now: dt.datetime,
    changed_only: bool,
) -> Dump:
    """All records, or those alone that are not as in the data set."""
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
    """The flight with that many seats free on one day; the same when it is not on sale then."""
    if fields is None or fields.available_seats is None:
        return flight
    return flight.model_copy(
        update={"dates": {**flight.dates, day: fields.model_copy(update={"available_seats": dict(left)})}}
    )
