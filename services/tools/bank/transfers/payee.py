"""Confirmation of payee: whether a name that is given is that of an account's holder. Pure."""

import re
import unicodedata


def same_name(given: str, holder: str) -> bool:
    """In whatever order, and however it is written. A name that is only close is not the holder's.

    Who guesses is told neither how close a guess was nor what is right.
    """
    return bool(words(given)) and sorted(words(given)) == sorted(words(holder))


def words(name: str) -> list[str]:
    """Without capitals, accents and marks."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"[^\W\d_]+", "".join(char for char in plain if not unicodedata.combining(char)))
