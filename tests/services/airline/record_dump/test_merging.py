"""Merging the data set with the changed records."""

import datetime as dt

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.record_dump.merging import dump

DATA = read_data(DEFAULT_DATA)
NOW = dt.datetime(2026, 3, 10, 12, tzinfo=AIRLINE_ZONE)
BOB = DATA.users["bob"].model_copy(update={"membership": "gold"})
SEATS = {("SB245", "2026-03-20"): {"basic_economy": 12, "economy": 59, "business": 14}}


def test_changed_only_leaves_out_unchanged_records() -> None:
    told = dump(DATA, {"bob": BOB, "alice": DATA.users["alice"]}, {}, SEATS, NOW, changed_only=True)  # type: ignore[arg-type]
    assert (list(told.users), told.reservations, list(told.flights)) == (["bob"], {}, ["SB245"])
    day = told.flights["SB245"].dates["2026-03-20"]
    assert day.available_seats == SEATS["SB245", "2026-03-20"]
    assert set(told.flights["SB245"].dates) == {"*", "2026-03-20"}


def test_full_dump_is_the_data_set_with_the_changes() -> None:
    told = dump(DATA, {"bob": BOB}, {}, SEATS, NOW, changed_only=False)  # type: ignore[arg-type]
    assert told.users.keys() == DATA.users.keys()
    assert (told.users["bob"], told.users["alice"]) == (BOB, DATA.users["alice"])
    assert told.flights["SB101"] == DATA.flights["SB101"]
