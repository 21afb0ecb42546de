"""Read and validate the airline's data set, once per process. Later changes are stored elsewhere.

docs/reference/airline-data.md describes the format.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import Field, ValidationError

from services.tools.airline.data import schedule
from services.tools.airline.data.models import Cabin, Day, Flight, FlightDay, Reservation, ReservedFlight, User
from services.tools.airline.settings import airline_settings
from switchboard.messages import WireModel

DEFAULT_DATA = Path(__file__).with_name("default")
CITIES = Path(__file__).with_name("cities.json")

PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Ids of payment methods that the tools accept as arguments."""

RELATIVE = ("+", "-")
"""Prefixes of a day that is relative to the day on which the reservation was first read."""

Record = TypeVar("Record", bound=WireModel)


class DataError(Exception):
    """The data set is invalid; the message names the file, the record and the problem."""


class Extras(WireModel):
    """Our additions to the benchmark's format, from the optional file `extras.json`.

    `free_seats` lists seats by flight that are free at the start. `assigned_seats` holds the seats of reservations by
    flight and reservation id, in the order of the passengers. `declined_cards` maps payment ids to the reason.
    """

    cities: dict[str, str] = Field(default_factory=dict)
    free_seats: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    assigned_seats: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    declined_cards: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class BookedParty:
    """The passengers of one of the data set's reservations on one flight."""

    reservation_id: str
    cabin: Cabin
    seats_total: int


@dataclass(frozen=True)
class AirlineData:
    """The airline's initial state."""

    flights: Mapping[str, Flight]
    reservations: Mapping[str, Reservation]
    users: Mapping[str, User]
    extras: Extras = field(default_factory=Extras)

    @cached_property
    def airports(self) -> dict[str, str]:
        """Cities by airport code, for all airports with flights."""
        known = orjson.loads(CITIES.read_bytes()) | self.extras.cities
        codes = dict.fromkeys(code for flight in self.flights.values() for code in (flight.origin, flight.destination))
        return {code: known.get(code, code) for code in codes}

    def airport(self, place: str) -> str:
        """Return the airport code for a code or a city's name. An unknown place is returned in upper case."""
        wanted = place.strip().casefold()
        by_name = {city.casefold(): code for code, city in self.airports.items()}
        return by_name.get(wanted, place.strip().upper())

    def reservation(self, reservation_id: str, opened_on: dt.date) -> Reservation | None:
        """Return the data set's reservation, with relative days counted from `opened_on`."""
        found = self.reservations.get(reservation_id)
        return found and with_absolute_dates(found, opened_on)

    def on_day(self, flight_number: str, day: Day, now: dt.datetime) -> FlightDay | None:
        flight = self.flights.get(flight_number)
        return schedule.on_day(flight, day, now) if flight else None

    def parties(self, flight_number: str, day: Day) -> tuple[BookedParty, ...]:
        """Return the data set's reservations on this flight.

        A reservation with relative days is included on every day, because the day of its first read is not known yet.
        So two reservations never get the same seat.
        """
        return (*self._parties.get((flight_number, day), ()), *self._parties.get((flight_number, ""), ()))

    @cached_property
    def _parties(self) -> dict[tuple[str, Day], list[BookedParty]]:
        found: dict[tuple[str, Day], list[BookedParty]] = {}
        for reservation in self.reservations.values():
            for flight in reservation.flights:
                day = "" if flight.date.startswith(RELATIVE) else flight.date
                party = BookedParty(reservation.reservation_id, reservation.cabin, len(reservation.passengers))
                if reservation.status is None:
                    found.setdefault((flight.flight_number, day), []).append(party)
        return found


def is_relative(reservation: Reservation) -> bool:
    """Return whether the reservation's days are relative to the day on which it was first read."""
    return any(flight.date.startswith(RELATIVE) for flight in reservation.flights)


def with_absolute_dates(reservation: Reservation, opened_on: dt.date) -> Reservation:
    """Return the reservation with its relative days as dates."""
    if not is_relative(reservation):
        return reservation
    flights = tuple(with_absolute_date(flight, opened_on) for flight in reservation.flights)
    made_on, _, time = reservation.created_at.partition("T")
    created_at = f"{absolute_date(made_on, opened_on)}T{time}"
    return reservation.model_copy(update={"flights": flights, "created_at": created_at})


def with_absolute_date(flight: ReservedFlight, opened_on: dt.date) -> ReservedFlight:
    return flight.model_copy(update={"date": absolute_date(flight.date, opened_on)})


def absolute_date(day: Day, opened_on: dt.date) -> Day:
    """Return `+10` as the date ten days later; a date is unchanged."""
    return (opened_on + dt.timedelta(days=int(day))).isoformat() if day.startswith(RELATIVE) else day


def read_data(folder: Path) -> AirlineData:
    """Read and validate a data set. Raises DataError."""
    data = AirlineData(
        flights=read_records(folder / "flights.json", Flight, "flight_number"),
        reservations=read_records(folder / "reservations.json", Reservation, "reservation_id"),
        users=read_records(folder / "users.json", User, "user_id"),
        extras=read_extras(folder / "extras.json"),
    )
    check_references(folder, data)
    return data


def read_records(path: Path, kind: type[Record], key: str) -> dict[str, Record]:
    """Return a file's records by id. Raises DataError."""
    raw = read_json_object(path)
    found = {}
    for name, record in raw.items():
        if not isinstance(record, dict) or record.get(key, name) != name:
            raise DataError(f"{path}: {name} must be an object, and its {key} must be missing or {name}")
        try:
            found[name] = kind.model_validate({key: name, **record})
        except ValidationError as error:
            raise DataError(f"{path}: {name}: {first_problem(error)}") from error
    return found


def read_json_object(path: Path) -> dict[str, object]:
    try:
        raw = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: not a JSON object of records by id")
    return raw


def read_extras(path: Path) -> Extras:
    try:
        return Extras.model_validate(read_json_object(path)) if path.exists() else Extras()
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def check_references(folder: Path, data: AirlineData) -> None:
    """Check that all references between records exist. Raises DataError."""
    for reservation in data.reservations.values():
        name = f"{folder / 'reservations.json'}: {reservation.reservation_id}"
        if reservation.user_id not in data.users:
            raise DataError(f"{name}: there is no user {reservation.user_id}")
        for flight in reservation.flights:
            if flight.flight_number not in data.flights:
                raise DataError(f"{name}: there is no flight {flight.flight_number}")
    for user in data.users.values():
        strange = next((one for one in user.payment_methods if not PAYMENT_ID.fullmatch(one)), None)
        if strange is not None:
            why = f"the payment method {strange!r} has an id with other characters than letters, digits, '_' and '-'"
            raise DataError(f"{folder / 'users.json'}: {user.user_id}: {why}")
        lost = [one for one in user.reservations if one not in data.reservations]
        if lost:
            raise DataError(f"{folder / 'users.json'}: {user.user_id}: there is no reservation {lost[0]}")


def data_set() -> AirlineData:
    """Read the configured data set, or the default one. Raises DataError."""
    return read_data(airline_settings().data_dir or DEFAULT_DATA)
