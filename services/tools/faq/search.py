"""Finds the articles that fit a question by the stems of its words. Pure, but for reading the articles once."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from services.tools.faq.contract import Answers, Article

ARTICLES = Path(__file__).with_name("articles.json")

WORD = re.compile(r"[a-z0-9]+")
STOP_WORDS = frozenset(
    """
    a about after all am an and any are as at be before by can cannot could do does else for from get give go had has
    have how i if in is it its long many may me more much must my need no not of on or our out please question rule
    should so tell than that the them then there these they this to up was want we what when where which who why will
    with would you your airline fly flight flights policy rules take
    """.split()
)
# Longest first: only the first one that fits is cut off, and after it a last vowel ("baby" is "babies" less "ies").
SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s")
LAST_VOWELS = ("e", "y")
STEM_MIN_CHARS = 3

KEYWORD_WEIGHT = 3
TEXT_WEIGHT = 1
FITS = KEYWORD_WEIGHT
"""The score from which an article fits: one word of the question is what it is about."""

ANSWERS_MAX = 2
RUNNER_UP_SHARE = 0.75
"""A second article is told as well when it scores at least this share of the best one's score."""

NOTHING_FITS = "The airline's rules say nothing about that. It may help to ask in other words."


class Entry(Article):
    """An article as it is shipped; `keywords` are words that people ask with."""

    keywords: str


@cache
def entries() -> tuple[Entry, ...]:
    """The shipped articles. Raises ValidationError when the file is broken."""
    return TypeAdapter(tuple[Entry, ...]).validate_json(ARTICLES.read_bytes())


def search(question: str, shipped: Iterable[Entry]) -> Answers:
    """The best article and, when it fits nearly as well, the next; none when no article is about the question."""
    asked = stems(question)
    # Sorting is stable: of two that fit alike, the one that comes first in the file is told first.
    scored = sorted(((score(asked, entry), entry) for entry in shipped), key=lambda pair: -pair[0])
    best = scored[0][0] if scored else 0
    fitting = [entry for points, entry in scored if points >= max(FITS, best * RUNNER_UP_SHARE)][:ANSWERS_MAX]
    return Answers(
        answer=fitting[0].answer if fitting else NOTHING_FITS,
        articles=tuple(Article(title=entry.title, answer=entry.answer) for entry in fitting),
    )


def score(asked: frozenset[str], entry: Entry) -> int:
    """How well an article fits: what it is about counts more than what it mentions."""
    about = stems(f"{entry.title} {entry.keywords}")
    mentioned = stems(entry.answer) - about
    return KEYWORD_WEIGHT * len(asked & about) + TEXT_WEIGHT * len(asked & mentioned)


def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that say nothing of its subject. "Wi-Fi" and "wifi" are one word."""
    joined = text.lower().replace("wi-fi", "wifi").replace("check-in", "checkin").replace("check in", "checkin")
    return frozenset(stem(word) for word in WORD.findall(joined) if word not in STOP_WORDS)


def stem(word: str) -> str:
    """A form of the word that its inflections share; not a word itself."""
    return cut(cut(word, SUFFIXES), LAST_VOWELS)


def cut(word: str, endings: tuple[str, ...]) -> str:
    """The word without the first of the endings that leaves enough of it."""
    fitting = (ending for ending in endings if word.endswith(ending) and len(word) - len(ending) >= STEM_MIN_CHARS)
    return word.removesuffix(next(fitting, ""))
