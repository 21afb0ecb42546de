"""Splits a message into questions and ranks the functions that each one may mean."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from switchboard.demo_model.arguments import SEARCHED_TEXT_MAX_CHARS, matching_tokens
from switchboard.demo_model.catalogue import DESCRIPTION_WEIGHT, EVIDENCE_WEIGHT, Catalogue, Function
from switchboard.demo_model.words import content_stems, split_words

# Share of the previous question's score that an incomplete one ("and this month?") inherits.
CARRIED_SHARE = 0.5
PATTERN_WEIGHT = 0.8
QUESTIONS_MAX = 12
FRAGMENTS_MAX = 48

_BREAK = re.compile(r"[?!;\n]+|\.(?=\s|$)|,\s+|\b(?:and|as well as|plus|also)\b", re.I)
_LEADING = re.compile(r"^[\s\W]*(?:(?:and|also|then|so|but|please|hi|hello|hey)\b[\s,]*)*", re.I)
_VALUE = re.compile(r"^(?:my|the|it|it's|that|that's)\b.*\d", re.I)
_ASKING = frozenset("what which how when where who why is are do does did may will".split())
_STARTING = _ASKING | frozenset(
    """can could would should give show list tell send email mail change cancel book transfer pay find get check write
    i i'm i'd we please let make order explain move switch update add remove help need want look search open block
    """.split()
)


@dataclass(frozen=True, slots=True)
class Match:
    function: Function
    score: float


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the customer. `matches` are the functions it may mean, best first."""

    text: str
    stems: tuple[str, ...]
    complete: bool
    matches: tuple[Match, ...] = ()

    @property
    def best(self) -> Function | None:
        return self.matches[0].function if self.matches else None

    @property
    def is_question(self) -> bool:
        """Whether it is phrased as a question rather than as a command."""
        first = split_words(_LEADING.sub("", self.text))[:1]
        return bool(first) and first[0] in _ASKING


def find_questions(text: str, catalogue: Catalogue, before: str = "") -> list[Question]:
    """Return the questions in `text`. `before` is the previous message, for questions like "and this month?"."""
    earlier = _fragments(before[:SEARCHED_TEXT_MAX_CHARS])[-1:] if before else []
    carried: Sequence[str] = content_stems(earlier[0]) if earlier else ()
    questions: list[Question] = []
    pieces = _fragments(text[:SEARCHED_TEXT_MAX_CHARS])[:FRAGMENTS_MAX]
    for index, fragment in enumerate(pieces):
        question = _question(fragment, catalogue, carried)
        if _continues_last(question, questions):
            questions[-1] = _merged(questions[-1], question)
        elif question.matches or (question.complete and question.stems) or (question.stems and len(pieces) == 1):
            questions.append(question)
        elif question.stems and index + 1 < len(pieces):
            pieces[index + 1] = f"{fragment}, {pieces[index + 1]}"
        elif question.stems and not questions:
            questions.append(question)
        if questions:
            carried = question.stems if question.complete else (*carried, *question.stems)
    if len(questions) == 1:
        return [replace(questions[0], text=" ".join(text.split()))]
    return questions[:QUESTIONS_MAX]


def _fragments(text: str) -> list[str]:
    return [piece.strip() for piece in _BREAK.split(text) if piece.strip()]


def _question(fragment: str, catalogue: Catalogue, carried: Sequence[str]) -> Question:
    stems = tuple(content_stems(fragment))
    first = (_LEADING.sub("", fragment).lower().split() or [""])[0]
    complete = first in _STARTING
    matches = rank(stems, fragment, catalogue, () if complete else carried)
    return Question(fragment, stems, complete, tuple(matches))


def _continues_last(question: Question, questions: Sequence[Question]) -> bool:
    """Return whether this adds to the previous question: a value, or more words for a free-text search."""
    if not questions or question.complete:
        return False
    if not question.matches or _VALUE.match(question.text):
        return True
    return question.best is questions[-1].best and question.best is not None and question.best.takes_question


def _merged(first: Question, second: Question) -> Question:
    return replace(first, text=f"{first.text}, {second.text}")


def rank(stems: Sequence[str], text: str, catalogue: Catalogue, carried: Iterable[str] = ()) -> list[Match]:
    """Return the functions with evidence in `stems`, best first. On a tie, the agent's own tools precede hand-offs."""
    context = [stem for stem in carried if stem not in stems]
    matches = []
    for function in catalogue.functions:
        evidence = max((function.weights.get(stem, 0.0) for stem in stems), default=0.0)
        by_code = _code_score(function, text, catalogue)
        if evidence >= EVIDENCE_WEIGHT or by_code:
            score = _score(function, stems, catalogue) + CARRIED_SHARE * _score(function, context, catalogue)
            matches.append(Match(function, score + by_code))
    return sorted(matches, key=lambda m: (-round(m.score, 6), m.function.is_hand_off))


def _score(function: Function, stems: Sequence[str], catalogue: Catalogue) -> float:
    return sum(function.weights[stem] * catalogue.rarity[stem] for stem in stems if stem in function.weights)


def _code_score(function: Function, text: str, catalogue: Catalogue) -> float:
    """Return a bonus for a code, such as a flight number, that no other function accepts."""
    for p in function.parameters:
        if p.pattern is not None and (found := matching_tokens(p.pattern, text)) and len(split_words(text)) > 1:
            others = (other for other in catalogue.functions if other is not function)
            return 0.0 if any(_accepts(other, found[0]) for other in others) else PATTERN_WEIGHT
    return 0.0


def _accepts(function: Function, code: str) -> bool:
    return any(p.pattern is not None and p.pattern.search(code) for p in function.parameters)


def overlaps(question: Question, name_and_arguments: str) -> float:
    """Score how likely a call by another agent has already answered this question."""
    stems = set(content_stems(name_and_arguments))
    return DESCRIPTION_WEIGHT * sum(stem in stems for stem in question.stems)
