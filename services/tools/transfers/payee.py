"""Confirmation of payee: whether a name that is given is that of an account's holder. Pure."""

import re
import unicodedata
from difflib import SequenceMatcher
from typing import Literal

CLOSE_RATIO = 0.8
"""From here on a name is a slip of the pen, and not another person's; as `SequenceMatcher` measures it."""

Match = Literal["match", "close", "no_match"]


def match_name(given: str, holder: str) -> Match:
    """`close` for a typing error, a nickname's beginning or an initial: then the customer is told the right name."""
    one, other = words(given), words(holder)
    if sorted(one) == sorted(other):
        return "match"
    if one and other and one[-1] == other[-1] and one[0][0] == other[0][0]:
        return "close"
    ratio = SequenceMatcher(None, " ".join(one), " ".join(other)).ratio()
    return "close" if ratio >= CLOSE_RATIO else "no_match"


def words(name: str) -> list[str]:
    """Without capitals, accents and marks."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"[^\W\d_]+", "".join(char for char in plain if not unicodedata.combining(char)))
