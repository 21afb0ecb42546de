"""Reading a data set: the shipped one, its relative days and daily flights, and errors in broken ones."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, AirlineData, DataError, is_relative, read_data
from services.tools.airline.data.schedule import AIRLINE_ZONE
from tests.parts import needs_tau_airline, tau_airline

TODAY = dt.date(2026, 3, 10)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=AIRLINE_ZONE)


@pytest.fixture(scope="module")
def shipped() -> AirlineData:
    return read_data(DEFAULT_DATA)


def test_relative_days_are_counted_from_the_first_read(shipped: AirlineData) -> None:
    booked = shipped.reservation("AB4568", TODAY)
    assert booked is not None
    assert (booked.flights[0].date, booked.created_at) == ("2026-03-20", "2026-02-18T09:12:00")
    assert shipped.reservation("ZZ9999", TODAY) is None
    assert is_relative(shipped.reservations["AB4568"])


def test_shipped_reservations_are_paid_in_full(shipped: AirlineData) -> None:
    for reservation in shipped.reservations.values():
        paid = sum(payment.amount for payment in reservation.payment_history)
        people = len(reservation.passengers)
        price = sum(flight.price for flight in reservation.flights) * people
        price += 30 * people * (reservation.insurance == "yes") + 50 * reservation.nonfree_baggages
        assert paid == (0 if reservation.status else price), reservation.reservation_id
        assert reservation.reservation_id in shipped.users[reservation.user_id].reservations


@pytest.mark.parametrize(
    ("flight", "day", "status"),
    [
        ("SB245", "2026-03-11", "available"),
        ("SB245", "2026-03-10", "flying"),
        ("SB101", "2026-03-10", "landed"),
        ("SB246", "2026-03-10", "on time"),
        ("SB102", "2026-03-10", "delayed"),
        ("SB102", "2026-03-11", "available"),
        ("SB420", "2026-03-11", "cancelled"),
        ("SB245", "2026-02-08", "landed"),
    ],
)
def test_daily_flight_gets_its_status_from_the_clock(shipped: AirlineData, flight: str, day: str, status: str) -> None:
    found = shipped.on_day(flight, day, NOON)
    assert found is not None
    assert found.status == status
    assert (found.available_seats is not None) == (status == "available")


@pytest.mark.parametrize("day", ["2026-02-07", "2027-02-04", "*", "tomorrow", "2026-02-30"])
def test_daily_flight_is_unknown_on_distant_or_invalid_days(shipped: AirlineData, day: str) -> None:
    assert shipped.on_day("SB245", day, NOON) is None


def test_airport_is_found_by_city_name_and_code(shipped: AirlineData) -> None:
    assert [shipped.airport(place) for place in ("lis", "Lisbon", " New York ", "xyz")] == ["LIS", "LIS", "JFK", "XYZ"]


def copied(folder: Path, name: str, change: Any) -> Path:
    """Copy the shipped data set with one file changed."""
    for file in DEFAULT_DATA.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("users.json", lambda raw: raw["bob"].pop("email"), "users.json: bob: email: Field required"),
        (
            "users.json",
            lambda raw: raw["bob"].update(user_id="eve"),
            "users.json: bob must be an object, and its user_id must be missing or bob",
        ),
        (
            "users.json",
            lambda raw: raw["bob"]["reservations"].append("X"),
            "users.json: bob: there is no reservation X",
        ),
        (
            "users.json",
            lambda raw: raw["bob"]["payment_methods"].update(
                {"my card": raw["bob"]["payment_methods"]["gift_card_2210"]}
            ),
            "users.json: bob: the payment method 'my card' has an id with other characters",
        ),
        ("reservations.json", lambda raw: raw["AB4568"].update(cabin="first"), "reservations.json: AB4568: cabin:"),
        ("reservations.json", lambda raw: raw["AB4568"].update(user_id="x"), "AB4568: there is no user x"),
        (
            "reservations.json",
            lambda raw: raw["AB4568"]["flights"][0].update(flight_number="XX1"),
            "AB4568: there is no flight XX1",
        ),
        ("flights.json", lambda raw: raw["SB101"].update(dates=3), "flights.json: SB101: dates:"),
        ("extras.json", lambda raw: raw.update(free_seats=3), "extras.json: free_seats:"),
    ],
)
def test_broken_record_is_reported_with_its_file(tmp_path: Path, name: str, change: Any, said: str) -> None:
    with pytest.raises(DataError) as error:
        read_data(copied(tmp_path, name, change))
    assert said in str(error.value)


def test_missing_or_malformed_file_is_reported_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"flights\.json: No such file"):
        read_data(tmp_path)
    (tmp_path / "flights.json").write_text("{")
    with pytest.raises(DataError, match=r"flights\.json: not JSON"):
        read_data(tmp_path)
    (tmp_path / "flights.json").write_text("[]")
    with pytest.raises(DataError, match=r"flights\.json: not a JSON object"):
        read_data(tmp_path)


@needs_tau_airline
def test_benchmark_data_round_trips_unchanged() -> None:
    folder = tau_airline()
    assert folder is not None
    data = read_data(folder)
    for name, records in (("users", data.users), ("reservations", data.reservations), ("flights", data.flights)):
        raw = json.loads((folder / f"{name}.json").read_text())
        for key, record in records.items():
            told = {field: value for field, value in json.loads(record.model_dump_json()).items() if value is not None}
            assert told == ({"user_id": key, **raw[key]} if name == "users" else raw[key])
