"""Confirmation of payee: compares the given name with the account holder's name. Pure."""

import re
import unicodedata


def same_name(given: str, holder: str) -> bool:
    """Return whether the names have the same words, in any order. A similar name is not accepted.

    The result only says match or no match, so that a caller cannot guess the holder's name step by step.
    """
    return bool(words(given)) and sorted(words(given)) == sorted(words(holder))


def words(name: str) -> list[str]:
    """Return the words of the name in lower case, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"[^\W\d_]+", "".join(char for char in plain if not unicodedata.combining(char)))
