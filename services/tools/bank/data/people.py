"""Reads the demo customers' personal data, which the bank and the airline share."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from services.tools.bank.records import Person

PEOPLE_JSON = Path(__file__).with_name("people.json")


def read_people() -> Mapping[str, Person]:
    """Read all personal data, by customer id. Raises ValidationError, which names the invalid field in the file."""
    read = TypeAdapter(tuple[Person, ...]).validate_json(PEOPLE_JSON.read_bytes())
    return {person.customer_id: person for person in read}
