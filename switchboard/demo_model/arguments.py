"""Fill in a function's arguments from the customer's messages, guided by the schema alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchboard.demo_model.catalogue import Function, Parameter
from switchboard.demo_model.words import STOP_WORDS, all_stems, content_stems, plain, split_words

# Longer texts are truncated before regular expressions of unknown cost search them.
SEARCHED_TEXT_MAX_CHARS = 8_192
NUMBER_CONTEXT_CHARS = 24

_TOKEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_\-/]*[A-Za-z0-9])?")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,-])(?:[$€£]\s?)?(\d+(?:[ ,]\d{3})*(?:\.\d+)?)(?![A-Za-z0-9_-]|[.,]\d)")
_MONEY_NEAR = re.compile(r"[$€£]|\b(?:eur|euros?|usd|dollars?|gbp|pounds?|chf|francs?)\b", re.I)
_ISO_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_NAMED_DATE = re.compile(
    r"\b(?:(?P<d1>\d{1,2})(?:st|nd|rd|th)?(?: of)? (?P<m1>[A-Za-z]{3,9})"
    r"|(?P<m2>[A-Za-z]{3,9}) (?P<d2>\d{1,2})(?:st|nd|rd|th)?)"
    r",? (?P<year>\d{4})\b"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b", re.I)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CODE_NAMES = frozenset(["id", "number", "code", "reference", "ref"])
_FROM_NAMES = frozenset(["from", "origin", "departure", "source"])
_TO_NAMES = frozenset(["to", "destination", "arrival", "recipient", "payee", "target"])
_YES = re.compile(r"\b(?:yes|true|with|sure)\b", re.I)
_NO = re.compile(r"\b(?:no|not|false|without)\b", re.I)


@dataclass(frozen=True, slots=True)
class Sources:
    """Texts that arguments are taken from.

    `question` is the clause that the call is for. `texts` are the customer's messages, most likely first. `reply` is
    the last message if it answers a question for a missing argument.
    """

    question: str
    texts: tuple[str, ...]
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    arguments: dict[str, object]
    missing: tuple[Parameter, ...]


def fill(function: Function, sources: Sources) -> Filled:
    """Return the arguments of one call. `missing` are required arguments that the texts do not contain."""
    arguments: dict[str, object] = {}
    taken: set[str] = set()
    for parameter in function.parameters:
        value = _find(parameter, function, sources, taken)
        if value is not None:
            arguments[parameter.name] = value
    missing = tuple(p for p in function.parameters if p.required and p.name not in arguments)
    if len(missing) == 1 and sources.reply and _is_free_text(missing[0]):
        arguments[missing[0].name] = sources.reply.strip()
        missing = ()
    return Filled(arguments, missing)


def _is_free_text(p: Parameter) -> bool:
    return p.kinds == {"string"} and not (p.enum or p.pattern or p.examples or p.format or _is_code(p))


def _is_code(p: Parameter) -> bool:
    return not _CODE_NAMES.isdisjoint(split_words(p.name))


def _find(p: Parameter, function: Function, sources: Sources, taken: set[str]) -> object:
    if p.takes_question or (function.is_hand_off and p.required and p.kinds == {"string"} and not p.enum):
        return sources.question
    for text in sources.texts:
        for value in _values(p, text[:SEARCHED_TEXT_MAX_CHARS]):
            if isinstance(value, list) or p.enum or str(value) not in taken:
                taken.add(str(value))
                return value
    return p.enum[0] if p.required and len(p.enum) == 1 else None


def _values(p: Parameter, text: str) -> Iterator[object]:
    """Yield values in `text` that fit the parameter, most likely first."""
    if p.enum:
        yield from _enum_values(p, text)
        if p.pattern is not None:
            yield from matching_tokens(p.pattern, text, p.examples)
    elif p.items is not None and "array" in p.kinds:
        if found := list(dict.fromkeys(v for v in _values(p.items, text) if isinstance(v, str))):
            yield found
    elif "boolean" in p.kinds:
        yield from _booleans(p, text)
    elif p.kinds & {"integer", "number"}:
        yield from _numbers(p, text)
    elif p.pattern is not None:
        yield from _by_position(p, text, matching_tokens(p.pattern, text, p.examples))
    elif "string" in p.kinds:
        yield from _strings(p, text)


def _enum_values(p: Parameter, text: str) -> list[object]:
    said = set(all_stems(text))
    named = [(all_stems(plain(str(value))), value) for value in p.enum if not _is_ordinary_word(str(value), text)]
    fitting = [(len(stems), value) for stems, value in named if stems and said.issuperset(stems)]
    return [value for _, value in sorted(fitting, key=lambda pair: -pair[0])]


def _is_ordinary_word(value: str, text: str) -> bool:
    """Return whether a value such as "may" is an ordinary word in this text rather than the month."""
    ordinary = value.lower() in STOP_WORDS and len(split_words(text)) > 1
    return ordinary and not re.search(rf"\b(?:in|for|of|since|during|last|this)\s+{re.escape(value)}\b", text, re.I)


def _booleans(p: Parameter, text: str) -> Iterator[bool]:
    named = set(content_stems(plain(p.name))) & set(content_stems(text))
    if named or (p.required and (_YES.search(text) or _NO.search(text))):
        yield _NO.search(text) is None


def _numbers(p: Parameter, text: str) -> list[object]:
    near: list[tuple[int, int, str]] = []
    for order, match in enumerate(_NUMBER.finditer(text)):
        around = text[max(0, match.start() - NUMBER_CONTEXT_CHARS) : match.end() + NUMBER_CONTEXT_CHARS]
        money = bool(_MONEY_NEAR.search(text[max(0, match.start()) : match.end() + 8]))
        wants_money = bool({"amount", "price", "sum"} & set(split_words(p.name)))
        affinity = len(p.stems & set(content_stems(around))) + 2 * (money if wants_money else -money)
        near.append((-affinity, order, match[1].replace(",", "").replace(" ", "")))
    return [value for _, _, number in sorted(near) if (value := _as_number(p, number)) is not None]


def _as_number(p: Parameter, number: str) -> object:
    if "string" in p.kinds:
        return number  # A decimal is passed as text, with every digit as written.
    if "number" in p.kinds:
        return float(number) if "." in number else int(number)
    return None if "." in number else int(number)


def matching_tokens(pattern: re.Pattern[str], text: str, examples: Sequence[str] = ()) -> list[str]:
    """Return codes in `text` that match `pattern`, in capitals if those match and the examples are not lower-case.

    Tokens without a digit only count in capitals or as the whole text, because almost any word matches a pattern of
    six letters or digits.
    """
    tokens = _TOKEN.findall(text)
    codes = [t for t in tokens if any(c.isdigit() for c in t) or (t.isupper() and len(t) > 1) or len(tokens) == 1]
    as_written = any(c.islower() for example in examples for c in example)
    forms = ((t, t.upper(), t.lower()) if as_written else (t.upper(), t, t.lower()) for t in codes)
    fitting = (next((form for form in options if pattern.search(form)), None) for options in forms)
    return list(dict.fromkeys(form for form in fitting if form is not None))


def _by_position(p: Parameter, text: str, found: Sequence[str]) -> list[str]:
    """Return the values, first those after the preposition that the parameter's name suggests ("from" or "to")."""
    names = set(split_words(p.name))
    preposition = "from" if names & _FROM_NAMES else "to" if names & _TO_NAMES else ""
    if not preposition:
        return list(found)
    after = re.compile(rf"\b{preposition}\s+(?:the\s+)?([\w-]+)", re.I).findall(text)
    preferred = {word.upper() for word in after}
    return sorted(found, key=lambda value: value.upper() not in preferred)


def _strings(p: Parameter, text: str) -> Iterator[object]:
    names = set(split_words(f"{p.name} {p.description}"))
    if p.format in ("date", "date-time") or "date" in split_words(p.name) or "yyyy" in names:
        yield from _dates(text)
    elif "iban" in names:
        yield from (match.replace(" ", "").upper() for match in _IBAN.findall(text))
    elif p.format == "email" or "email" in split_words(p.name):
        yield from _EMAIL.findall(text)
    elif shapes := [_shape(e) for e in p.examples if any(c.isdigit() for c in e)]:
        for shape in shapes:
            yield from matching_tokens(shape, text)
    elif _is_code(p):
        yield from (t for t in _TOKEN.findall(text) if any(c.isdigit() for c in t))
    else:
        yield from _phrases(p, text)


def _shape(example: str) -> re.Pattern[str]:
    """Return a pattern for values like `example`: any letters and digits, but the same length and punctuation."""
    return re.compile("^" + "".join("[A-Z0-9]" if c.isalnum() else re.escape(c) for c in example) + "$")


def _dates(text: str) -> Iterator[str]:
    yield from _ISO_DATE.findall(text)
    for match in _NAMED_DATE.finditer(text):
        month = (match["m1"] or match["m2"])[:3].lower()
        if month in _MONTHS:
            yield f"{match['year']}-{_MONTHS.index(month) + 1:02}-{int(match['d1'] or match['d2']):02}"


def _phrases(p: Parameter, text: str) -> Iterator[str]:
    """Yield labelled free text: "<name> is X", "<name>: X", or capitalized names after "from" and "to"."""
    label = r"\s+".join(map(re.escape, split_words(p.name)))
    if label:
        yield from re.findall(rf"\b{label}(?:\s+is|\s*:|\s+should\s+be)\s+([^,.;?!\n]+)", text, re.I)
    names = set(split_words(p.name))
    preposition = "from" if names & _FROM_NAMES else "to" if names & _TO_NAMES else ""
    if preposition:
        yield from re.findall(rf"\b{preposition}\s+((?:[A-Z][\w'-]*)(?:\s+[A-Z][\w'-]*)*)", text)
