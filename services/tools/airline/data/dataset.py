"""Reads a data set of the airline, once per process, and checks it; knows nothing of what changed since.

The format is in docs/reference/airline-data.md.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import Field, ValidationError

from services.tools.airline.data import schedule
from services.tools.airline.data.records import Cabin, Day, Flight, FlightDay, Reservation, ReservedFlight, User
from services.tools.airline.settings import airline_settings
from switchboard.messages import WireModel

DEFAULT_DATA = Path(__file__).with_name("default")
CITIES = Path(__file__).with_name("cities.json")

RELATIVE = ("+", "-")
"""Begins a day that is counted from the one on which the reservation was first looked at."""

Record = TypeVar("Record", bound=WireModel)


class DataError(Exception):
    """A data set that cannot be used; says which file and which record, and what is wrong with it."""


class Extras(WireModel):
    """What the benchmark's format has no place for; the file `extras.json` of a data set may be missing.

    `free_seats` are seats of a flight that no stranger ever takes, `assigned_seats` those that reservations have, by
    flight, then by reservation, in the order of its passengers. `declined_cards` says why, by payment id.
    """

    cities: dict[str, str] = Field(default_factory=dict)
    free_seats: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    assigned_seats: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    declined_cards: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Party:
    """The passengers of a reservation of the data set on one flight."""

    reservation_id: str
    cabin: Cabin
    seats_total: int


@dataclass(frozen=True)
class AirlineData:
    """The airline as it was before anybody changed anything."""

    flights: Mapping[str, Flight]
    reservations: Mapping[str, Reservation]
    users: Mapping[str, User]
    extras: Extras = field(default_factory=Extras)

    @cached_property
    def airports(self) -> dict[str, str]:
        """Cities by the codes that occur in flights."""
        known = orjson.loads(CITIES.read_bytes()) | self.extras.cities
        codes = dict.fromkeys(code for flight in self.flights.values() for code in (flight.origin, flight.destination))
        return {code: known.get(code, code) for code in codes}

    def airport(self, place: str) -> str:
        """The code that a code or a city's name stands for; what is neither is answered as it is."""
        wanted = place.strip().casefold()
        by_name = {city.casefold(): code for code, city in self.airports.items()}
        return by_name.get(wanted, place.strip().upper())

    def reservation(self, reservation_id: str, opened_on: dt.date) -> Reservation | None:
        """The reservation as the data set has it, its relative days counted from `opened_on`."""
        found = self.reservations.get(reservation_id)
        return found and dated(found, opened_on)

    def on_day(self, flight_number: str, day: Day, now: dt.datetime) -> FlightDay | None:
        flight = self.flights.get(flight_number)
        return schedule.on_day(flight, day, now) if flight else None

    def parties(self, flight_number: str, day: Day) -> tuple[Party, ...]:
        """Who of the data set's reservations flies there. One with relative days is expected on every day: when its
        customer comes first is not known, and so two of them never meet on a seat."""
        return (*self._parties.get((flight_number, day), ()), *self._parties.get((flight_number, ""), ()))

    @cached_property
    def _parties(self) -> dict[tuple[str, Day], list[Party]]:
        found: dict[tuple[str, Day], list[Party]] = {}
        for reservation in self.reservations.values():
            for flight in reservation.flights:
                day = "" if flight.date.startswith(RELATIVE) else flight.date
                party = Party(reservation.reservation_id, reservation.cabin, len(reservation.passengers))
                if reservation.status is None:
                    found.setdefault((flight.flight_number, day), []).append(party)
        return found


def is_relative(reservation: Reservation) -> bool:
    """Whether the reservation's days are counted from the day on which it was first looked at."""
    return any(flight.date.startswith(RELATIVE) for flight in reservation.flights)


def dated(reservation: Reservation, opened_on: dt.date) -> Reservation:
    """The reservation with its relative days as dates."""
    if not is_relative(reservation):
        return reservation
    flights = tuple(redated(flight, opened_on) for flight in reservation.flights)
    made_on, _, time = reservation.created_at.partition("T")
    created_at = f"{absolute(made_on, opened_on)}T{time}"
    return reservation.model_copy(update={"flights": flights, "created_at": created_at})


def redated(flight: ReservedFlight, opened_on: dt.date) -> ReservedFlight:
    return flight.model_copy(update={"date": absolute(flight.date, opened_on)})


def absolute(day: Day, opened_on: dt.date) -> Day:
    """`+10` as the date ten days after; a date is left as it is."""
    return (opened_on + dt.timedelta(days=int(day))).isoformat() if day.startswith(RELATIVE) else day


def read_data(folder: Path) -> AirlineData:
    """Read and check a data set. Raises DataError."""
    data = AirlineData(
        flights=records(folder / "flights.json", Flight, "flight_number"),
        reservations=records(folder / "reservations.json", Reservation, "reservation_id"),
        users=records(folder / "users.json", User, "user_id"),
        extras=extras(folder / "extras.json"),
    )
    check(folder, data)
    return data


def records(path: Path, kind: type[Record], key: str) -> dict[str, Record]:
    """The records of a file by their ids. Raises DataError."""
    raw = content(path)
    found = {}
    for name, record in raw.items():
        if not isinstance(record, dict) or record.get(key, name) != name:
            raise DataError(f"{path}: {name} is not a record of that {key}")
        try:
            found[name] = kind.model_validate({key: name, **record})
        except ValidationError as error:
            raise DataError(f"{path}: {name}: {first_problem(error)}") from error
    return found


def content(path: Path) -> dict[str, object]:
    try:
        raw = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: not a JSON object of records by id")
    return raw


def extras(path: Path) -> Extras:
    try:
        return Extras.model_validate(content(path)) if path.exists() else Extras()
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def check(folder: Path, data: AirlineData) -> None:
    """Records that name others have to name some that are there. Raises DataError."""
    for reservation in data.reservations.values():
        name = f"{folder / 'reservations.json'}: {reservation.reservation_id}"
        if reservation.user_id not in data.users:
            raise DataError(f"{name}: there is no user {reservation.user_id}")
        for flight in reservation.flights:
            if flight.flight_number not in data.flights:
                raise DataError(f"{name}: there is no flight {flight.flight_number}")
    for user in data.users.values():
        lost = [one for one in user.reservations if one not in data.reservations]
        if lost:
            raise DataError(f"{folder / 'users.json'}: {user.user_id}: there is no reservation {lost[0]}")


def data_set() -> AirlineData:
    """Read the data set that the settings name. Raises DataError."""
    return read_data(airline_settings().data_dir or DEFAULT_DATA)
