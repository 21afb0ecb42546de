"""Stemming of English words, so that searches match inflected forms."""

import re

_DOUBLED_END = re.compile(r"([bdgmnprt])\1$")

STEM_MIN_CHARS = 3
"""Minimum length of a stem; "ring" is not a form of "r"."""

ENDINGS = ("ation", "ing", "ed")

_IRREGULAR = {
    "spent": "spend",
    "paid": "pay",
    "flew": "fly",
    "flown": "fly",
    "flies": "fly",
    "lost": "lose",
    "bought": "buy",
    "sent": "send",
    "owed": "owe",
    "owing": "owe",
    "borrowed": "borrow",
    "children": "child",
    "cancellation": "cancel",
    "cancelled": "cancel",
    "cancelling": "cancel",
    "bus": "bus",
    "status": "status",
    "gas": "gas",
}


def stem(word: str) -> str:
    """Return the stem of a lower-case word. It is equal for all forms of the word, and need not be a word itself."""
    word = _IRREGULAR.get(word) or _singular(word)
    word = _without_ending(word)
    return word[:-1] if word.endswith("e") and len(word) > STEM_MIN_CHARS else word


def _singular(word: str) -> str:
    if word.endswith(("ies", "ied")) and len(word) > STEM_MIN_CHARS + 1:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > STEM_MIN_CHARS:
        return word[:-1]
    return word


def _without_ending(word: str) -> str:
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= STEM_MIN_CHARS:
            return _DOUBLED_END.sub(r"\1", word.removesuffix(ending))
    return word
