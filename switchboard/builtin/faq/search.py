"""Find the articles that match a question by word stems."""

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
SCORE_MIN = KEYWORD_WEIGHT
"""Minimum score of a match: one word of the question is in the article's title or keywords."""

ANSWERS_MAX = 2
RUNNER_UP_SHARE = 0.75
"""A second article is returned too if its score is at least this fraction of the best one's."""

NOTHING_FITS = "I could not find an answer to that. Try asking in other words."


class Entry(Article):
    """An article in the file. `keywords` are words that people use in questions."""

    keywords: str


@dataclass(frozen=True)
class Articles:
    """An FAQ's articles, the words that the search ignores, and the answer if no article matches."""

    entries: tuple[Entry, ...]
    stop_words: frozenset[str] = STOP_WORDS
    nothing_fits: str = NOTHING_FITS


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Read articles from a JSON file: a list of `title`, `answer` and `keywords`. Raises ValidationError."""
    return TypeAdapter(tuple[Entry, ...]).validate_json(path.read_bytes())


def search(question: str, articles: Articles) -> Answers:
    """Return the best article, and the next one if it matches almost as well; none if no article matches."""
    asked = stems(question, articles.stop_words)
    scored = [(score(asked, entry, articles.stop_words), entry) for entry in articles.entries]
    # The sort is stable, so articles with the same score keep the order of the file.
    scored.sort(key=lambda pair: -pair[0])
    best = scored[0][0] if scored else 0
    fitting = [entry for points, entry in scored if points >= max(SCORE_MIN, best * RUNNER_UP_SHARE)][:ANSWERS_MAX]
    return Answers(
        answer=fitting[0].answer if fitting else articles.nothing_fits,
        articles=tuple(Article(title=entry.title, answer=entry.answer) for entry in fitting),
    )


def score(asked: frozenset[str], entry: Entry, stop_words: frozenset[str]) -> int:
    """Score an article. Words in the title and keywords count more than words in the answer."""
    about = stems(f"{entry.title} {entry.keywords}", stop_words)
    mentioned = stems(entry.answer, stop_words) - about
    return KEYWORD_WEIGHT * len(asked & about) + TEXT_WEIGHT * len(asked & mentioned)


def stems(text: str, stop_words: frozenset[str] = STOP_WORDS) -> frozenset[str]:
    """Return the stems of a text's words without the stop words. "Wi-Fi" and "wifi" count as the same word."""
    joined = text.lower().replace("wi-fi", "wifi").replace("check-in", "checkin").replace("check in", "checkin")
    return frozenset(stem(word) for word in WORD.findall(joined) if word not in stop_words)
