"""Compare the facts that a customer gives with the record, regardless of how they are written. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping

from switchboard.builtin.identity.contract import FactName, NamedFacts

COUNTRY_CODE = 49
"""Country code assumed when a phone number has none."""

STREET = re.compile(r"(?<=[a-z])(?:strasse|str)\b|\b(?:strasse|str|street|st)\b")

Known = Mapping[FactName, tuple[str, ...]]
"""A customer's facts on record: all accepted spellings of each fact, none if the fact is unknown."""


def all_facts_match(known: Known | None, named: NamedFacts) -> bool:
    """Return whether every given fact is right. Returns False if the customer is unknown."""
    return known is not None and all(fact_matches(name, str(getattr(named, name)), known[name]) for name in named.named)


def fact_matches(name: FactName, said: str, known: tuple[str, ...]) -> bool:
    """Return whether a fact matches the record. A value without content, such as a phone without digits, never does."""
    normal = NORMALISED[name]
    return normal(said) != "" and normal(said) in {normal(way) for way in known}


def unchanged(text: str) -> str:
    return text


def email(text: str) -> str:
    return text.strip().casefold()


def phone(text: str) -> str:
    """Return the number with its country code, or "" if the text is not a phone number.

    +49 30 123, 0049 30 123, 030/123 and +49 (0)30 123 are the same.
    """
    import phonenumbers  # noqa: PLC0415 - its import takes 0.1 s, and most processes never compare a number

    try:
        number = phonenumbers.parse(text, phonenumbers.region_code_for_country_code(COUNTRY_CODE))
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.RFC3966)


def address(text: str) -> str:
    """Return the sorted words, without accents and punctuation, and with all forms of "street" unified."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(sorted(re.findall(r"[a-z0-9]+", STREET.sub(" street", letters))))


NORMALISED: Mapping[FactName, Callable[[str], str]] = {
    "date_of_birth": unchanged,
    "email": email,
    "phone": phone,
    "address": address,
}
