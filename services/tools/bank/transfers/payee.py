"""Confirmation of payee: compares the given name with the account holder's name. Pure."""

import unicodedata

# Letters that no Unicode decomposition reduces to a basic one, as people write them on a keyboard that lacks them.
PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
EXPANDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
"""German and Scandinavian letters as two letters, which is the other usual way to write them."""


def same_name(given: str, holder: str) -> bool:
    """Return whether the names have the same words, in any order. A similar name is not accepted.

    Accents do not matter, and neither does the way in which people write ü, ø or ł on a keyboard that lacks them. The
    result only says match or no match, so that a caller cannot guess the holder's name step by step.
    """
    unmatched = spellings(holder)
    for word in spellings(given):
        match = next((other for other in unmatched if word & other), None)
        if match is None:
            return False
        unmatched.remove(match)
    return not unmatched and bool(spellings(given))


def spellings(name: str) -> list[frozenset[str]]:
    """Return for each word of the name the ways to write it in basic letters: "Müller" is "muller" or "mueller"."""
    letters = "".join(char if unicodedata.category(char)[0] in "LM" else " " for char in name.casefold())
    words = unicodedata.normalize("NFC", letters).split()
    return [frozenset({basic(word), basic(word.translate(EXPANDED))}) for word in words]


def basic(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.translate(PLAIN))
    return "".join(char for char in decomposed if not unicodedata.combining(char))
