"""Whether a message is an unambiguous yes or no. Pure, and on the side of neither when in doubt."""

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

# Of several words, only these whole phrases: "yes, but to Carol" is a new message, not a yes.
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
    """`yes` or `no` when the whole message says nothing else; None for everything that could mean more."""
    if re.search(r"[^\w\s.,!'’]", text):
        return None  # A question mark, a thumb down: no bare yes.
    said = " ".join(re.sub(r"[^\w\s]", "", text.casefold().replace("'", "").replace("’", "")).split())
    if said in YES or said in PHRASES_YES:
        return "yes"
    if said in NO or said in PHRASES_NO:
        return "no"
    return None
