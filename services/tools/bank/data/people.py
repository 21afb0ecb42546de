"""Reads who the demo's customers are, for the bank and the airline alike: what they can prove to be themselves by."""

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from switchboard.messages import Wire

PEOPLE_JSON = Path(__file__).with_name("people.json")


class Person(Wire):
    """One customer, as they are on record."""

    customer_id: str
    name: str
    date_of_birth: dt.date
    email: str
    phone: str
    address: str


@cache
def people() -> Mapping[str, Person]:
    """All by customer id; read once a process. Raises ValidationError naming what is wrong in the file."""
    read = TypeAdapter(tuple[Person, ...]).validate_json(PEOPLE_JSON.read_bytes())
    return {person.customer_id: person for person in read}
