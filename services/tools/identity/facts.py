"""Whether what somebody says of themselves is what is known: the same fact, however it is written. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping

from services.tools.demo_data.people import Person
from services.tools.identity.contract import FactName, NamedFacts

COUNTRY_CODE = "49"
"""Of a phone number that is given without one."""

STREET = re.compile(r"(?<=[a-z])(?:strasse|str)\b|\b(?:strasse|str|street|st)\b")


def all_right(person: Person | None, named: NamedFacts) -> bool:
    """Whether every fact that is named is the person's. Nobody is right about somebody who is not known."""
    return person is not None and all(
        NORMALISED[name](str(getattr(named, name))) == NORMALISED[name](str(getattr(person, name)))
        for name in named.named
    )


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
