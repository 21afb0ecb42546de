"""Whether what somebody says of themselves is what is known: the same fact, however it is written. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping

from services.tools.airline_data.records import User
from services.tools.demo_data.people import Person
from services.tools.identity.contract import FactName, NamedFacts

COUNTRY_CODE = "49"
"""Of a phone number that is given without one."""

STREET = re.compile(r"(?<=[a-z])(?:strasse|str)\b|\b(?:strasse|str|street|st)\b")

Known = Mapping[FactName, tuple[str, ...]]
"""What is on record of a customer, by fact: every way of saying it that is right, and none where it is not known."""


def known_of(customer_id: str, people: Mapping[str, Person], users: Mapping[str, User]) -> Known | None:
    """What is on record of a customer; the airline's own record counts for who is nobody else's customer."""
    if customer_id in people:
        return of_person(people[customer_id])
    return of_user(users[customer_id]) if customer_id in users else None


def of_person(person: Person) -> Known:
    return {
        "date_of_birth": (str(person.date_of_birth),),
        "email": (person.email,),
        "phone": (person.phone,),
        "address": (person.address,),
    }


def of_user(user: User) -> Known:
    """The airline's record has no phone number. State and country belong to an address, and are often left out."""
    at = user.address
    place = f"{at.address1} {at.address2} {at.zip} {at.city}"
    return {
        "date_of_birth": (user.dob,),
        "email": (user.email,),
        "phone": (),
        "address": (place, f"{place} {at.state}", f"{place} {at.country}", f"{place} {at.state} {at.country}"),
    }


def all_right(known: Known | None, named: NamedFacts) -> bool:
    """Whether every fact that is named is right. Nobody is right about somebody who is not known."""
    return known is not None and all(is_right(name, str(getattr(named, name)), known[name]) for name in named.named)


def is_right(name: FactName, said: str, known: tuple[str, ...]) -> bool:
    """What has nothing in it that counts, such as a phone number without digits, is not right about anything."""
    normal = NORMALISED[name]
    return normal(said) != "" and normal(said) in {normal(way) for way in known}


def as_it_is(text: str) -> str:
    return text


def email(text: str) -> str:
    return text.strip().casefold()


def phone(text: str) -> str:
    """Digits with the country's code: +49 30 123, 0049 30 123, 030/123 and +49 (0)30 123 are one number."""
    written = re.sub(r"\(0\)", "", text)
    digits = re.sub(r"\D", "", written)
    if written.strip().startswith("+"):
        return digits
    if digits.startswith("00"):
        return digits[2:]
    return COUNTRY_CODE + digits[1:] if digits.startswith("0") else digits


def address(text: str) -> str:
    """Its words in any order, without accents, marks and the ways of writing "street"."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(sorted(re.findall(r"[a-z0-9]+", STREET.sub(" street", letters))))


NORMALISED: Mapping[FactName, Callable[[str], str]] = {
    "date_of_birth": as_it_is,
    "email": email,
    "phone": phone,
    "address": address,
}
