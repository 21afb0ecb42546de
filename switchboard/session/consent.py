"""Recognises messages that are an unambiguous yes or no. Returns neither in doubt. Pure."""

import re
from typing import Literal

YES = frozenset(
    """
    yes y yep yeah yup sure ok okay confirm confirmed agreed correct proceed
    ja jawohl genau oui sí sì sim
    """.split()
)
NO = frozenset(
    """
    no n nope nah never cancel stop decline declined
    nein non não nao
    """.split()
)

# A message of several words counts only if it is one of these phrases. "yes, but to Carol" is a new message, not a yes.
PHRASES_YES = frozenset(
    {
        "yes please",
        "yes thanks",
        "yes thank you",
        "yes do it",
        "yes confirm",
        "yes i confirm",
        "yes go ahead",
        "yes that is correct",
        "yes correct",
        "do it",
        "do it please",
        "go ahead",
        "please do",
        "please go ahead",
        "i confirm",
        "i agree",
        "ok do it",
        "ok go ahead",
        "ja bitte",
        "ja gerne",
        "oui merci",
        "sí por favor",
    }
)
PHRASES_NO = frozenset(
    {
        "no thanks",
        "no thank you",
        "no please dont",
        "no dont",
        "no do not",
        "please dont",
        "dont",
        "dont do it",
        "do not",
        "do not do it",
        "no stop",
        "no cancel",
        "no cancel it",
        "cancel it",
        "cancel that",
        "rather not",
        "nein danke",
        "non merci",
    }
)


def read_consent(text: str) -> Literal["yes", "no"] | None:
    """Return `yes` or `no` if the whole message means just that, else None."""
    if re.search(r"[^\w\s.,!'’]", text):
        return None  # A question mark or an emoji, for example, can change the meaning.
    words = " ".join(re.sub(r"[^\w\s]", "", text.casefold().replace("'", "").replace("’", "")).split())
    if words in YES or words in PHRASES_YES:
        return "yes"
    if words in NO or words in PHRASES_NO:
        return "no"
    return None
