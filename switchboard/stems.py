"""Stemming of English words, so that searches match inflected forms."""

from Stemmer import Stemmer

_IRREGULAR = {
    "spent": "spend",
    "paid": "pay",
    "flew": "fly",
    "flown": "fly",
    "lost": "lose",
    "bought": "buy",
    "sent": "send",
    "children": "child",
}
"""Forms that the algorithm does not know, because it only removes endings."""

_ENGLISH = Stemmer("english")


def stem(word: str) -> str:
    """Return the stem of a lower-case word. It is equal for all forms of the word, and need not be a word itself."""
    return str(_ENGLISH.stemWord(_IRREGULAR.get(word, word)))
