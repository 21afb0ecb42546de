"""Turns English text into comparable stems. Knows English words, but no tools."""

import re

from switchboard.stems import stem

_WORD = re.compile(r"[^\W_]+")
_CAMEL_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

# Words that do not carry the topic of a question.
STOP_WORDS = frozenset(
    """
    a about above actually after again agent all also am an and another answer any anything are as ask at be because
    been before being between both but by can cannot come conversation could customer d did do does doing done down
    during each either else every everything few find first fine for from further general get give go good got great
    had hand handle handoff has have having he help her here hers him his hold how i if in info information into is it
    its just kindly know let like list ll look lookup make many may me might more most much must my myself need next no
    nor not now of off oh ok okay on once one only or other our out over own per please provide question re really
    return s same say see shall she should show so some something sure take tell than that the their them then there
    these they thing this those through to too under until up us use used user using ve very via want was we well were
    what when where whether which while who whole whose why will with within would yes you your yours yourself
    overview summary summarize summarise
    hello hi hey greeting morning evening afternoon day thanks thank thx cheers welcome bye goodbye hallo moin danke
    """.split()
)

# Synonyms, one group per line. The first word replaces the others.
_SYNONYMS = """
    balance money fund cash
    baggage bag luggage suitcase
    flight fly airplane aircraft
    booking reservation reserve book trip
    invoice receipt bill
    email send mail
    spend expense expenditure
    transaction purchase
    loan debt borrow mortgage owe
    change modify switch move
    cancel cancellation
    status delay late punctual
    weight weigh heavy
    last previous past
    gambling gamble bet casino
    grocery supermarket
    restaurant dining
    rule policy
    wifi internet
    child kid infant
    pet dog cat animal
    pay payment
"""


def _meanings() -> dict[str, str]:
    meaning: dict[str, str] = {}
    for line in _SYNONYMS.strip().splitlines():
        stems = [stem(word) for word in line.split()]
        meaning.update(dict.fromkeys(stems, stems[0]))
    return meaning


_MEANING = _meanings()


def split_words(text: str) -> list[str]:
    """Return the lower-case words of a text, or of an identifier in snake_case or camelCase."""
    spread = _CAMEL_HUMP.sub(" ", text.replace("i-F", "if").replace("i-f", "if"))
    return _WORD.findall(spread.lower())


def all_stems(text: str) -> list[str]:
    """Return the stem of every word, in order, with synonyms made equal. Keeps "last" and "this"."""
    return [_MEANING.get(s, s) for s in map(stem, split_words(text))]


def content_stems(text: str) -> list[str]:
    """Return the stems of topical words, in order, without duplicates."""
    topical = (stem(w) for w in split_words(text) if w not in STOP_WORDS)
    kept = (_MEANING.get(s, s) for s in topical if s not in STOP_WORDS and len(s) > 1)
    return list(dict.fromkeys(kept))


def plain(identifier: str) -> str:
    """Turn an identifier into words: "confirmation_number" -> "confirmation number"."""
    return " ".join(split_words(identifier))
