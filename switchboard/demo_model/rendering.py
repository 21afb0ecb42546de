"""Renders a tool's JSON result as short English text. Numbers are kept exactly as given."""

import json
import re
from collections.abc import Iterator, Mapping

from switchboard.demo_model.words import plain

LINES_MAX = 20
DEPTH_MAX = 3
# Longer texts in a list get one line each.
LISTED_IN_A_LINE_MAX_CHARS = 24
TEXT_MAX_CHARS = 1_500

_SENTENCE_KEYS = ("message", "summary", "answer", "text", "detail")
_WRAPPER_KEYS = ("result", "data", "value", "output")
_NAME_KEYS = ("name", "title", "label", "account", "account_name", "product", "loan", "description", "merchant")
_MONEY_KEYS = re.compile(
    r"(?:^|_)(?:amount|balance|total|price|cost|fee|limit|spent|spend|sum|available|outstanding|payment|principal|income|"
    r"paid|due|debt|owed|instal?lment|remaining|rate_amount|credit|debit|charge)(?:$|_)"
)
_NOT_MONEY_KEYS = re.compile(r"(?:^|_)(?:id|count|number|rate|percent|days?|months?|years?|date|on|at)(?:$|_)")
# Values of these fields are shown without a label in lists.
_SELF_EVIDENT = frozenset("date amount status category type kind currency description name title merchant seat".split())
_ERROR_PREFIX = "Error: "
_NUMBER = re.compile(r"^[+-]?\d+(?:\.\d+)?$")
_ENUM_LIKE = re.compile(r"^[a-z]+(?:_[a-z0-9]+)+$")
_DATE_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?$")


def render(topic: str, output: str, arguments: str = "") -> str:
    """Render one result. `topic` names it; `arguments` (JSON) distinguish it from others of the same function."""
    value = _parsed(output)
    if isinstance(value, str) and value.strip() and not _NUMBER.match(value):
        return _sentence(value)
    named = f"{topic}{_qualifier(arguments)}"
    return _render_value(named, value, "", 0) or f"{_capital(named)}: done."


def value_text(value: object) -> str:
    """Render a scalar: "last_month" -> "last month". Numbers stay unchanged."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value).strip()
    if _ENUM_LIKE.match(text):
        return text.replace("_", " ")
    if match := _DATE_TIME.match(text):
        zone = {"Z": " UTC", "+00:00": " UTC", None: ""}.get(match[3], f" {match[3]}")
        return f"{match[1]} {match[2]}{zone}"
    return text


def _parsed(output: str) -> object:
    try:
        # Keep numbers as text: a float would turn 2431.80 into 2431.8.
        return json.loads(output, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return output


def _qualifier(arguments: str) -> str:
    parsed = _parsed(arguments) if arguments else None
    said = [value_text(v) for v in parsed.values() if isinstance(v, str)] if isinstance(parsed, dict) else []
    return f" ({', '.join(said)})" if said else ""


def _sentence(text: str) -> str:
    text = text.strip().removeprefix(_ERROR_PREFIX)
    if len(text) > TEXT_MAX_CHARS:
        text = f"{text[:TEXT_MAX_CHARS]}…"
    return f"{text}." if text and text[-1].isalnum() else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _render_value(topic: str, value: object, currency: str, depth: int) -> str:
    if isinstance(value, Mapping):
        return _render_object(topic, value, currency, depth)
    if isinstance(value, list):
        return _render_list(topic, value, currency, depth)
    return "" if value in (None, "") else f"{_capital(topic)}: {value_text(value)}."


def _render_object(topic: str, fields: Mapping[str, object], currency: str, depth: int) -> str:
    if text := _sentence_in(fields):
        return _sentence(text)
    if len(fields) == 1 and (key := next(iter(fields))) in _WRAPPER_KEYS and isinstance(fields[key], dict | list):
        return _render_value(topic, fields[key], currency, depth)
    currency = _currency(fields) or currency
    head = _head(topic, fields, currency)
    nested = [(k, v) for k, v in fields.items() if isinstance(v, dict | list)] if depth < DEPTH_MAX else []
    alone = not head and len(nested) == 1
    bodies = [_render_value(topic if alone else plain(k), v, currency, depth + 1) for k, v in nested]
    return "\n".join(part for part in (head, *bodies) if part)


def _sentence_in(fields: Mapping[str, object]) -> str:
    """Return the sentence that a result contains, or its error message."""
    error = fields.get("error")
    if isinstance(error, Mapping):
        error = error.get("message")
    candidates = (error, *(fields.get(key) for key in _SENTENCE_KEYS))
    return next((text for text in candidates if isinstance(text, str) and text.strip()), "")


def _currency(fields: Mapping[str, object]) -> str:
    currency = fields.get("currency")
    return currency if isinstance(currency, str) else ""


def _head(topic: str, fields: Mapping[str, object], currency: str) -> str:
    """Render the scalar fields of an object as one sentence."""
    scalars = dict(_scalars(fields, currency))
    name_key = next((k for k in _NAME_KEYS if k in scalars), None)
    if name_key is not None and len(scalars) == 2:
        key = next(k for k in scalars if k != name_key)
        return f"{_capital(plain(key))} of {scalars[name_key]}: {scalars[key]}."
    if len(scalars) == 1:
        key, text = next(iter(scalars.items()))
        return f"{_capital(topic if plain(key) in topic else f'{topic}, {plain(key)}')}: {text}."
    said = ", ".join(f"{plain(key)} {text}" for key, text in scalars.items())
    return f"{_capital(topic)}: {said}." if said else ""


def _scalars(fields: Mapping[str, object], currency: str) -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        if value is None or value == "" or isinstance(value, dict | list) or (key == "currency" and currency):
            continue
        money = currency and _MONEY_KEYS.search(key) and not _NOT_MONEY_KEYS.search(key) and _NUMBER.match(str(value))
        yield key, f"{value} {currency}" if money else value_text(value)


def _render_list(topic: str, values: list[object], currency: str, depth: int) -> str:
    if not values:
        return f"No {topic} found."
    if len(values) == 1 and isinstance(values[0], Mapping) and (text := _sentence_in(values[0])):
        return _sentence(text)
    if not any(isinstance(v, dict | list) or len(str(v)) > LISTED_IN_A_LINE_MAX_CHARS for v in values):
        return f"{_capital(topic)}: {', '.join(map(value_text, values[:LINES_MAX]))}{_more(values)}."
    lines = [f"- {_line(v, currency, depth)}" for v in values[:LINES_MAX]]
    if more := _more(values):
        lines.append(f"-{more}")
    return "\n".join([f"{_capital(topic)}:", *lines])


def _more(values: list[object]) -> str:
    return f" … and {len(values) - LINES_MAX} more" if len(values) > LINES_MAX else ""


def _line(value: object, currency: str, depth: int) -> str:
    """Render one entry of a list: its name, then its other fields, nested ones in brackets."""
    if not isinstance(value, Mapping):
        return ", ".join(map(value_text, value)) if isinstance(value, list) else value_text(value)
    if text := _sentence_in(value):
        return text
    currency = _currency(value) or currency
    scalars = dict(_scalars(value, currency))
    lead_key = next((k for k in ("date", *_NAME_KEYS) if k in scalars), None)
    lead = scalars.pop(lead_key) if lead_key else ""
    parts = [text if key in _SELF_EVIDENT else f"{plain(key)} {text}" for key, text in scalars.items()]
    if depth < DEPTH_MAX:
        parts += [
            f"{plain(k)} ({_brief(v, currency, depth + 1)})"
            for k, v in value.items()
            if isinstance(v, dict | list) and v
        ]
    return f"{lead}: {', '.join(parts)}" if lead and parts else lead or ", ".join(parts)


def _brief(value: object, currency: str, depth: int) -> str:
    if isinstance(value, list):
        shown = "; ".join(_line(v, currency, depth) for v in value[:LINES_MAX])
        return f"{shown}{_more(value)}"
    return _line(value, currency, depth)
