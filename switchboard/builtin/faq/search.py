"""Finds the articles that fit a question by the stems of its words."""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from switchboard.builtin.faq.contract import Answers, Article
from switchboard.stems import stem

WORD = re.compile(r"[a-z0-9]+")
STOP_WORDS = frozenset(
    """
    a about after all am an and any are as at be before by can cannot could do does else for from get give go had has
    have how i if in is it its long many may me more much must my need no not of on or our out please question rule
    should so tell than that the them then there these they this to up was want we what when where which who why will
    with would you your
    """.split()
)
KEYWORD_WEIGHT = 3
TEXT_WEIGHT = 1
FITS = KEYWORD_WEIGHT
"""The score from which an article fits: one word of the question is what it is about."""

ANSWERS_MAX = 2
RUNNER_UP_SHARE = 0.75
"""A second article is told as well when it scores at least this share of the best one's score."""

NOTHING_FITS = "No article answers that. It may help to ask in other words."


class Entry(Article):
    """An article as it is shipped; `keywords` are words that people ask with."""

    keywords: str


@dataclass(frozen=True)
class Articles:
    """An FAQ's articles, the words of a question that say nothing of its subject, and the answer when none fits."""

    entries: tuple[Entry, ...]
    stop_words: frozenset[str] = STOP_WORDS
    nothing_fits: str = NOTHING_FITS


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Read articles from a JSON file: a list of `title`, `answer` and `keywords`. Raises ValidationError."""
    return TypeAdapter(tuple[Entry, ...]).validate_json(path.read_bytes())


def search(question: str, articles: Articles) -> Answers:
    """Return the best article and, when it fits nearly as well, the next one; none when no article fits."""
    asked = stems(question, articles.stop_words)
    scored = [(score(asked, entry, articles.stop_words), entry) for entry in articles.entries]
    # Sorting is stable: of two that fit alike, the one that comes first in the file is shown first.
    scored.sort(key=lambda pair: -pair[0])
    best = scored[0][0] if scored else 0
    fitting = [entry for points, entry in scored if points >= max(FITS, best * RUNNER_UP_SHARE)][:ANSWERS_MAX]
    return Answers(
        answer=fitting[0].answer if fitting else articles.nothing_fits,
        articles=tuple(Article(title=entry.title, answer=entry.answer) for entry in fitting),
    )


def score(asked: frozenset[str], entry: Entry, stop_words: frozenset[str]) -> int:
    """How well an article fits: what it is about counts more than what it mentions."""
    about = stems(f"{entry.title} {entry.keywords}", stop_words)
    mentioned = stems(entry.answer, stop_words) - about
    return KEYWORD_WEIGHT * len(asked & about) + TEXT_WEIGHT * len(asked & mentioned)


def stems(text: str, stop_words: frozenset[str] = STOP_WORDS) -> frozenset[str]:
    """The stems of a text's words, without those that say nothing of its subject. "Wi-Fi" and "wifi" are one word."""
    joined = text.lower().replace("wi-fi", "wifi").replace("check-in", "checkin").replace("check in", "checkin")
    return frozenset(stem(word) for word in WORD.findall(joined) if word not in stop_words)
